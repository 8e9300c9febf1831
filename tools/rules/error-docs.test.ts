import { expect, test } from "vitest";
import { toRepository } from "../repository.ts";
import { describeEntry, errorDocs } from "./error-docs.ts";

const CATALOGUE = {
  cold: { status: 503, fault: "operator", retry: true, title: "The water is cold", fix: "Light the fire" },
  spilt: { status: 500, fault: "author", retry: false, title: "It was spilt", fix: "Wipe" },
};
const PARAGRAPH = "When somebody came before the fire had been lit for long enough.";
const section = (code: keyof typeof CATALOGUE, paragraph = PARAGRAPH): string => `${describeEntry(code, CATALOGUE[code])}\n\n${paragraph}\n`;
const check = (text?: string) => errorDocs(CATALOGUE).check(toRepository(text === undefined ? {} : { "docs/errors.md": text }));

test("a page with each code, as in the catalogue, and a paragraph is fine", () => {
  expect(check(`# Errors\n\n## Calls\n\n${section("cold")}\n## Others\n\nMore.\n\n${section("spilt")}`)).toEqual([]);
});

test("no page, a missing code and a code that is gone are each named", () => {
  expect(check()).toMatchObject([{ message: expect.stringContaining("It is not there") as string }]);
  expect(check(section("cold"))).toMatchObject([{ message: expect.stringMatching(/^spilt has no section/) as string }]);
  expect(check(`${section("cold")}\n${section("spilt")}\n### evaporated\n\nGone.\n`)).toMatchObject([
    { message: expect.stringMatching(/^evaporated is not in the catalogue/) as string },
  ]);
});

test("another status, title or fix than the catalogue's is named, with the lines to put there", () => {
  const changed = section("cold").replace("503", "500");
  expect(check(`${changed}\n${section("spilt")}`)).toEqual([
    { file: "docs/errors.md", message: `cold differs from the catalogue: its section begins\n${describeEntry("cold", CATALOGUE.cold)}` },
  ]);
});

test("a code without a paragraph of its own is named", () => {
  expect(check(`${section("cold", "")}\n${section("spilt", "Oh.")}`)).toMatchObject([
    { message: expect.stringContaining("cold lacks a paragraph") as string },
    { message: expect.stringContaining("spilt lacks a paragraph") as string },
  ]);
});
