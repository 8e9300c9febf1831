import { userInfo } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseSettings } from "./settings.ts";

const parse = (env: Record<string, string>) => parseSettings({ env: { HOME: "/home/ann", ...env }, cwd: "/w" });

test("the home is ~/.samovar, or what SAMOVAR_HOME says as seen from the working folder", () => {
  expect(parse({}).home).toBe("/home/ann/.samovar");
  expect(parse({ SAMOVAR_HOME: "state" }).home).toBe("/w/state");
});

test("SAMOVAR_URL loses its slash and keeps its path", () => {
  expect(parse({ SAMOVAR_URL: "https://host/samovar/" }).url).toBe("https://host/samovar");
});

test.each([
  [{}, undefined],
  [{ NO_COLOR: "1" }, false],
  [{ NO_COLOR: "", FORCE_COLOR: "1" }, true],
  [{ NO_COLOR: "1", FORCE_COLOR: "1" }, false],
  [{ FORCE_COLOR: "0" }, undefined],
  [{ TERM: "dumb" }, false],
])("%j decides on colours", (env, color) => {
  expect(parse(env as Record<string, string>).color).toBe(color);
});

test("an empty HOME is none: the user's own folder counts, not the working folder", () => {
  expect(parseSettings({ env: { HOME: "", SAMOVAR_HOME: "" }, cwd: "/srv/work" }).home).toBe(join(userInfo().homedir, ".samovar"));
});
