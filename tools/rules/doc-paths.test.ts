import { expect, test } from "vitest";
import { toRepository } from "../repository.ts";
import { docPaths } from "./doc-paths.ts";

test("files that a map of the code names are there, with packages/ or without it, in diagrams too", () => {
  const text =
    "`kit/src/clock.ts`, packages/kit/src/clock.ts\n```\npool ── kit/src/gone.ts\n```\n[this](../x/link.md), https://example.com/a/page.md, `a/folder`, ~/.samovar/server.json";
  const files = { "ARCHITECTURE.md": text, "packages/kit/src/clock.ts": "", "packages/kit/README.md": "src/elsewhere/any.ts" };
  expect(docPaths.check(toRepository(files)).map(({ file, line, message }) => `${file}:${line} ${message}`)).toEqual([
    "ARCHITECTURE.md:3 kit/src/gone.ts is not there: name the file that holds it now",
  ]);
});
