import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8");

test("what ctx has stands in the table of docs/lifecycle.md, and nothing else does", () => {
  // Of the interfaces of hooks and handlers; the methods of `log` are its own.
  const fields = [...read("context.ts").matchAll(/^ {2}readonly (\w+): /gm)].map((match) => match[1]!);
  const section = read("../../../docs/lifecycle.md").split("## What a handler's `ctx` has\n")[1]!.split("\n## ")[0]!;
  const rows = section.split("\n").filter((line) => line.startsWith("| `") && !line.startsWith("| `ctx."));
  const named = rows.flatMap((line) => [...line.split("|")[1]!.matchAll(/`(\w+)`/g)].map((match) => match[1]!));
  expect(named.toSorted()).toEqual([...new Set(fields)].toSorted());
});
