import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { writeFiles } from "./cdi.fixture.ts";
import { readMadeUpGpus } from "./made-up-gpus.ts";

function file(text: string): string {
  const { dir, remove } = writeFiles({ "gpus.json": text });
  onTestFinished(remove);
  return join(dir, "gpus.json");
}

test("names with their memory", async () => {
  expect(await readMadeUpGpus("T4:16384, T4:16384,A100-80GB:81920,L4")).toEqual({
    gpus: [
      { index: 0, id: "GPU-made-up-0", name: "T4", memoryMib: 16_384 },
      { index: 1, id: "GPU-made-up-1", name: "T4", memoryMib: 16_384 },
      { index: 2, id: "GPU-made-up-2", name: "A100-80GB", memoryMib: 81_920 },
      { index: 3, id: "GPU-made-up-3", name: "L4", memoryMib: 0 },
    ],
  });
  expect(await readMadeUpGpus("none")).toEqual({ gpus: [] });
});

test("a file with a list, or with the folders of its CDI files too", async () => {
  const list = [
    { name: "T4", memoryMib: 16_384 },
    { id: "GPU-b", index: 7, name: "H100" },
  ];
  const gpus = [
    { index: 0, id: "GPU-made-up-0", name: "T4", memoryMib: 16_384 },
    { index: 7, id: "GPU-b", name: "H100", memoryMib: 0 },
  ];
  expect(await readMadeUpGpus(file(JSON.stringify(list)))).toEqual({ gpus });
  expect(await readMadeUpGpus(file(JSON.stringify({ gpus: list, cdiDirs: ["/tmp/cdi"] })))).toEqual({ gpus, cdiDirs: ["/tmp/cdi"] });
});

test.each([
  ["T4:many", 'SAMOVAR_GPUS holds "T4:many", but each GPU is its name and its memory in MiB, such as T4:16384'],
  ["T4:1,,L4:1", 'SAMOVAR_GPUS holds ""'],
  ["/nowhere/gpus.json", 'SAMOVAR_GPUS names the file "/nowhere/gpus.json", which can\'t be read: ENOENT'],
])("%s is refused", async (text, message) => {
  await expect(readMadeUpGpus(text)).rejects.toMatchObject({ code: "invalid_option", message: expect.stringContaining(message) });
});

test.each([
  ["{}", "which holds no list of GPUs"],
  ["null", "which holds no list of GPUs"],
  ["[", "which can't be read"],
  ['[{ "name": "T4", "memoryMib": "16" }]', 'holds {"name":"T4","memoryMib":"16"}'],
  ["[null]", "holds null"],
  ['[{ "name": "T4", "id": "a,b" }]', 'holds {"name":"T4","id":"a,b"}'],
  ['[{ "name": "T4", "id": "a" }, { "name": "T4", "id": "a" }]', "has two GPUs with the id a or the index 1"],
  ['{ "gpus": [], "cdiDirs": "/etc/cdi" }', 'whose cdiDirs is "/etc/cdi"'],
])("a file with %s is refused", async (text, message) => {
  await expect(readMadeUpGpus(file(text))).rejects.toMatchObject({ code: "invalid_option", message: expect.stringContaining(message) });
});
