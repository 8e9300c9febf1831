import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger, systemClock } from "@samovar/kit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createDriver, type DriverOptions } from "./create-driver.ts";

let options: Omit<DriverOptions, "kind">;
let root = "";
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "samovar-driver-"));
  // As on a machine that has no runtime.
  options = { home: join(root, "containers"), nodePath: process.execPath, runnerFile: "/none", clock: systemClock, logger: silentLogger, runtimes: [] };
});
afterEach(() => rm(root, { recursive: true, maxRetries: 5 }));

test("auto without a runtime is the process driver, and the first thing it lacks is why", async () => {
  const driver = await createDriver({ ...options, kind: "auto" });
  expect(driver.info.name).toBe("process");
  expect(driver.info.missing[0]).toMatch(/^Containers are not isolated\. Neither crun nor runc is installed: `apt-get install crun`/);
  await driver.dispose();
});

test("oci without a runtime is refused, with what helps", async () => {
  await expect(createDriver({ ...options, kind: "oci" })).rejects.toMatchObject({
    code: "unsupported",
    message: expect.stringContaining("apt-get install runc"),
  });
});

test("process is the process driver, whatever there is", async () => {
  const driver = await createDriver({ ...options, kind: "process" });
  expect(driver.info.name).toBe("process");
  await driver.dispose();
});
