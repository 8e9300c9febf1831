import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createHome } from "./paths.ts";

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "samovar-paths-"))));
afterEach(() => rmSync(folder, { recursive: true }));

test.for([
  ["in the home", "home"],
  ["where the home's path is too long for one", join("long".repeat(20), "home")],
])("the workers' socket stands alone in its folder, and that in one that is this user's alone: %s", ([, name]) => {
  const { workerSocket } = createHome(join(folder, name!));
  const outer = dirname(dirname(workerSocket));
  expect(Buffer.byteLength(workerSocket)).toBeLessThanOrEqual(100);
  expect(readdirSync(dirname(workerSocket))).toEqual([]);
  expect(readdirSync(outer)).toHaveLength(1);
  expect(statSync(outer).mode & 0o777).toBe(0o700);
  // The same for the next server.
  expect(createHome(join(folder, name!)).workerSocket).toBe(workerSocket);
  if (!workerSocket.startsWith(folder)) rmSync(outer, { recursive: true });
});
