import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { ensureCallbackSecret } from "./callback-secret.ts";

async function createFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "samovar-callback-secret-"));
  onTestFinished(() => rm(folder, { recursive: true, maxRetries: 5 }));
  return folder;
}

test("the secret is made once, for its owner alone, and stays", async () => {
  const folder = await createFolder();
  const file = join(folder, "callback-secret");
  // What a start that was killed has left.
  await writeFile(`${file}.new`, "half", { mode: 0o644 });
  const made = await ensureCallbackSecret(file, (bytes) => Buffer.alloc(bytes, 9));
  expect(made).toEqual(Buffer.alloc(32, 9));
  expect([(await stat(file)).mode & 0o777, await readdir(folder)]).toEqual([0o600, ["callback-secret"]]);
  expect(await ensureCallbackSecret(file, () => Buffer.alloc(32, 1))).toEqual(made);
});

test.each(["", "short\n", `${Buffer.alloc(31).toString("base64")}\n`, `${"*".repeat(43)}=\n`])("a file that holds %j is refused and left", async (text) => {
  const file = join(await createFolder(), "callback-secret");
  await writeFile(file, text);
  await expect(ensureCallbackSecret(file, (bytes) => Buffer.alloc(bytes))).rejects.toMatchObject({
    code: "storage_failed",
    message: expect.stringContaining(file),
  });
  expect(await readFile(file, "utf8")).toBe(text);
});
