import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { silentLogger } from "@samovar/kit";
import { parseServerConfig } from "../config.ts";
import { startServer } from "../server.ts";
import { toHomeFailure } from "./home-failure.ts";

test("a home that is a file is told as that, with the home's name", async () => {
  const dir = await mkdtemp(join(tmpdir(), "samovar-home-"));
  const home = join(dir, "file");
  await writeFile(home, "");
  await expect(startServer({ config: parseServerConfig({ SAMOVAR_HOME: home, SAMOVAR_PORT: "0" }), logger: silentLogger })).rejects.toMatchObject({
    code: "storage_failed",
    message: expect.stringContaining(`The home ${home} can't be used`) as string,
  });
  await rm(dir, { recursive: true, maxRetries: 5 });
});

test("a full disk is the home's trouble wherever it was met, a mistake of ours is not", () => {
  expect(toHomeFailure(new Error("Build failed: no space left on device"), "/h")).toMatchObject({ code: "storage_failed" });
  const ours = new TypeError("x is not a function");
  expect(toHomeFailure(ours, "/h")).toBe(ours);
});
