import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { checkDatabase } from "./lost-database.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "samovar-database-"));
  await mkdir(join(root, "code"));
});
afterEach(() => rm(root, { recursive: true, maxRetries: 5 }));

const check = (): Promise<string> => checkDatabase({ database: join(root, "samovar.db"), code: join(root, "code") });

test("a home without a database is new, and so is one whose first start was cut off", async () => {
  expect(await check()).toBe("new");
  await writeFile(join(root, "samovar.db"), "");
  expect(await check()).toBe("new");
});

test("a database with anything in it is left to whoever opens it", async () => {
  await writeFile(join(root, "samovar.db"), "x");
  await mkdir(join(root, "code", "abc"));
  expect(await check()).toBe("there");
});

test("code without a database is told, and an emptied database beside code is refused", async () => {
  await mkdir(join(root, "code", "abc"));
  expect(await check()).toBe("lost");
  await writeFile(join(root, "samovar.db"), "");
  await expect(check()).rejects.toMatchObject({ code: "storage_failed", message: expect.stringMatching(/is empty.*samovar restore/) });
});
