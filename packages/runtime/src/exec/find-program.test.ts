import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { assertFolder, findProgram } from "./find-program.ts";

let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "samovar-find-"));
  for (const name of ["one", "two", "work"]) await mkdir(join(folder, name));
  await mkdir(join(folder, "one", "dir"));
  for (const file of ["one/tool", "two/tool", "two/dir", "one/data", "work/local"]) await writeFile(join(folder, file), "#!/bin/sh\n");
  for (const file of ["two/tool", "two/dir", "work/local"]) await chmod(join(folder, file), 0o755);
  await chmod(join(folder, "one/tool"), 0o644);
  await chmod(join(folder, "one/data"), 0o644);
});
afterAll(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

const find = (name: string): Promise<string> => findProgram(name, join(folder, "work"), `${folder}/none:${folder}/one:${folder}/two`);

test("a name is the first file of the PATH that may be run", async () => {
  expect(await find("tool")).toBe(join(folder, "two/tool"));
  expect(await find("dir")).toBe(join(folder, "two/dir"));
});

test("a name with a slash is a path from the folder that it runs in", async () => {
  expect(await find("./local")).toBe(join(folder, "work/local"));
  expect(await find("../two/tool")).toBe(join(folder, "two/tool"));
  expect(await find(join(folder, "two/tool"))).toBe(join(folder, "two/tool"));
});

test.for([
  ["nothing", "not_found", 127, '"nothing": it is in no folder of its PATH'],
  ["./nothing", "not_found", 127, '"./nothing"'],
  ["data", "not_found", 126, "may not be run"],
  ["../one/dir", "not_found", 126, "may not be run"],
  ["local", "not_found", 127, '"local"'],
  ["", "invalid_request", undefined, '""'],
] as const)("%s is refused as %s, with the exit code %s", async ([name, code, exitCode, message]) => {
  const fields = exitCode === undefined ? {} : { exitCode };
  await expect(find(name)).rejects.toMatchObject({ code, fields, message: expect.stringContaining(message) });
});

test("a folder that is none is named", async () => {
  await assertFolder(folder);
  await expect(assertFolder(join(folder, "one/data"))).rejects.toMatchObject({ code: "not_found", message: expect.stringContaining("one/data") });
});
