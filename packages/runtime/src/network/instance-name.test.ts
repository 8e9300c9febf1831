import { expect, it } from "vitest";
import { chooseInstance, containerLink, gatewayLink, homePrefix, instanceOf, isInstanceName } from "./instance-name.ts";

it("a home has its names, and another home others", () => {
  expect(homePrefix("/a")).toBe(homePrefix("/a"));
  expect(homePrefix("/a")).not.toBe(homePrefix("/b"));
  expect(homePrefix("/a")).toMatch(/^smv[0-9a-z]{5}$/);
});

it("a run takes a name that nothing has", () => {
  expect(chooseInstance("smvabcde", new Set(), 35)).toBe("smvabcde0z");
  expect(chooseInstance("smvabcde", new Set(["smvabcde0z"]), 35)).toBe("smvabcde10");
  expect(chooseInstance("smvabcde", new Set(["smvabcdezz"]), 36 * 36 - 1)).toBe("smvabcde00");
  expect(isInstanceName("smvabcde0z")).toBe(true);
  expect(isInstanceName("smvabcde0z1")).toBe(false);
});

it("links belong to their instance, and fit the kernel's fifteen characters", () => {
  const instance = chooseInstance("smvabcde", new Set(), 0);
  for (const link of [gatewayLink(instance), containerLink(instance, 0), containerLink(instance, 4_092)]) {
    expect(instanceOf(link, "smvabcde")).toBe(instance);
    expect(link.length).toBeLessThanOrEqual(15);
    expect(instanceOf(link, "smvother")).toBeNull();
  }
  expect(instanceOf("smvabcde", "smvabcde")).toBeNull();
});
