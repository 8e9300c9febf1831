import { expect, test, vi } from "vitest";
import { needDebianPackage } from "./debian-packages.ts";

test("nothing is missing where the program is there", async () => {
  expect(await needDebianPackage("coreutils", "ls")).toBeNull();
});

test("what is missing is told with the command that installs it", async () => {
  vi.stubEnv("SAMOVAR_TEST_INSTALL", "");
  try {
    expect(await needDebianPackage("no-such-package")).toBe("needs no-such-package: apt-get install no-such-package");
  } finally {
    vi.unstubAllEnvs();
  }
});
