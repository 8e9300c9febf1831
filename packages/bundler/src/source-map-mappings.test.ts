import { SourceMap } from "node:module";
import { expect, test } from "vitest";
import { transform } from "esbuild";
import { coarsenMappings } from "./source-map-mappings.ts";

const find = (mappings: string, line: number, column: number): unknown =>
  new SourceMap({ file: "", version: 3, sources: ["a.ts", "pkg.js", "b.ts"], sourcesContent: [], names: ["n"], mappings, sourceRoot: "" }).findEntry(
    line,
    column,
  );

// a.ts:1:1, a.ts:3:5 | pkg.js:8:1 twice, pkg.js:9:3 | b.ts:2:1 with a name, nobody's
const MAPPINGS = "AAAA,IAEI;ACKJ,IAAI;AACE;ACPFA,IAAAA,I;";

test("files to be kept keep every segment, the others one that names them", () => {
  const coarse = coarsenMappings(MAPPINGS, [false, true, false]);
  for (const [line, column] of [
    [0, 0],
    [0, 4],
    [3, 0],
    [3, 4],
    [3, 8],
  ] as const)
    expect(find(coarse, line, column)).toEqual(find(MAPPINGS, line, column));
  for (const [line, column] of [
    [1, 0],
    [1, 4],
    [2, 0],
  ] as const)
    expect(find(coarse, line, column)).toMatchObject({ originalSource: "pkg.js", originalLine: 0, originalColumn: 0, generatedLine: 1, generatedColumn: 0 });
  expect(coarse.split(";").map((line) => (line === "" ? 0 : line.split(",").length))).toEqual([2, 1, 0, 3, 0]);
});

test("with nothing to coarsen a real map stays as it is", async () => {
  const source = Array.from(
    { length: 200 },
    (_, i) => `export function f${i}(a: number): string { if (a > ${i}) throw new Error(\`no \${a}\`); return String(a); }`,
  ).join("\n\n");
  const { map } = await transform(source, { loader: "ts", sourcemap: true, minify: true });
  const { mappings } = JSON.parse(map) as { mappings: string };
  expect(mappings.length).toBeGreaterThan(5_000);
  expect(coarsenMappings(mappings, [])).toBe(mappings);
});
