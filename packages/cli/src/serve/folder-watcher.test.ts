import { mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FileId } from "@samovar/bundler";
import { afterEach, expect, onTestFinished, test } from "vitest";
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

test("a file that is excepted by what it is counts for nothing, others in its folder do", async () => {
  const folder = mkdtempSync(join(tmpdir(), "samovar-watch-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const output = join(folder, "serve.out");
  writeFileSync(output, "");
  const count = (except: readonly FileId[]): { changes: number; next: () => Promise<void> } => {
    let told = Promise.withResolvers<void>();
    const counted = { changes: 0, next: () => told.promise };
    const each = new FolderWatcher(
      () => {
        counted.changes++;
        told.resolve();
        told = Promise.withResolvers();
      },
      () => {},
      except,
    );
    onTestFinished(() => each.dispose());
    each.update(new Set([folder]));
    return counted;
  };
  const [except, all] = [count([statSync(output)]), count([])];
  const seen = all.next();
  writeFileSync(output, "a line");
  await seen;
  const changed = except.next();
  writeFileSync(join(folder, "app.ts"), "");
  await changed;
  expect(except.changes).toBe(1);
});
