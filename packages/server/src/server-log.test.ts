import { spawnSync } from "node:child_process";
import { openSync, closeSync } from "node:fs";
import { expect, test } from "vitest";

// Linux alone has a file that is always full.
test.skipIf(process.platform !== "linux")("a log that can't be written, as on a full disk, doesn't end the server (Linux)", () => {
  const full = openSync("/dev/full", "w");
  const source = `import { createServerLog } from ${JSON.stringify(import.meta.resolve("./server-log.ts"))};
    const log = createServerLog("info");
    for (let i = 0; i < 100; i++) log.info({ i }, "nobody reads this");
    setImmediate(() => { log.info("nor this"); process.stdout.write("lives"); });`;
  const { status, stdout } = spawnSync(process.execPath, ["--conditions=samovar-source", "--input-type=module", "-e", source], {
    cwd: import.meta.dirname,
    stdio: ["ignore", "pipe", full],
    encoding: "utf8",
  });
  closeSync(full);
  expect([status, stdout]).toEqual([0, "lives"]);
});
