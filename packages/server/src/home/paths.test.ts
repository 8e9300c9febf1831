import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync } from "node:fs";
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

test.for([
  ["others may write to it", (outer: string) => chmodSync(outer, 0o777)],
  [
    "it is a link to elsewhere",
    (outer: string) => {
      rmSync(outer, { recursive: true });
      symlinkSync(folder, outer);
    },
  ],
] as const)("a socket's folder outside of the home is refused where %s", ([, spoil]) => {
  const home = join(folder, "long".repeat(20), "home");
  const outer = dirname(dirname(createHome(home).workerSocket));
  try {
    spoil(outer);
    expect(() => createHome(home)).toThrow(/must be the server's own.*shorter SAMOVAR_HOME/);
  } finally {
    rmSync(outer, { recursive: true });
  }
});
