import { mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { FolderWatcher } from "./folder-watcher.ts";

const folder = mkdtempSync(join(tmpdir(), "samovar-watch-"));
let watcher: FolderWatcher | undefined;
afterEach(() => {
  watcher?.dispose();
  rmSync(folder, { recursive: true, force: true });
});

test("a file that an editor replaces, several writes at once, is one change", async () => {
  let changes = 0;
  const changed = Promise.withResolvers<void>();
  watcher = new FolderWatcher(
    () => {
      changes++;
      changed.resolve();
    },
    (message) => changed.reject(new Error(message)),
  );
  watcher.update(new Set([folder, join(folder, "gone")]));
  for (const text of ["1", "2", "3"]) writeFileSync(join(folder, "app.ts.new"), text);
  renameSync(join(folder, "app.ts.new"), join(folder, "app.ts"));
  await changed.promise;
  expect(changes).toBe(1);
});
