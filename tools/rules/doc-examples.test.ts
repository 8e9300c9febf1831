import { expect, test } from "vitest";
import { toRepository } from "../repository.ts";
import { docExamples } from "./doc-examples.ts";

const CODE = "const a = 1;\n\nconst b = 2;\n";
const block = (mark: string, text: string): string => `Text.\n\n<!-- ${mark} -->\n\`\`\`ts\n${text}\`\`\`\n\nMore.\n`;
const check = (doc: string) => docExamples.check(toRepository({ "README.md": doc, "app.ts": CODE })).map(({ line, message }) => `${line} ${message}`);

test("a block that is its file, or stands in it, is fine", () => {
  expect(check(block("from app.ts", CODE))).toEqual([]);
  expect(check(block("part of app.ts", "const b = 2;\n"))).toEqual([]);
  expect(check("```ts\nconst c = 3; // unmarked\n```\n")).toEqual([]);
});

test("a block that is not what its file says is named", () => {
  expect(check(block("from app.ts", "const a = 1;\n"))).toEqual(["3 The block differs from app.ts: paste it from there"]);
  expect(check(block("part of app.ts", "const b = 3;\n"))).toEqual(["3 The block differs from app.ts: paste it from there"]);
  expect(check(block("part of app.ts", "= 2;\n"))).toEqual(["3 The block differs from app.ts: paste it from there"]);
});

test("a file that is gone and a mark without a block are named", () => {
  expect(check(block("from gone.ts", CODE))).toEqual(["3 gone.ts is not there: name the file that the block is taken from"]);
  expect(check("<!-- from app.ts -->\n\nText.")).toEqual(["1 No block follows: put one with the text of app.ts on the next line"]);
});
