import { expect, test } from "vitest";
import { readNdjson } from "./ndjson.ts";

async function read(...chunks: readonly Buffer[]): Promise<unknown[]> {
  const items: unknown[] = [];
  for await (const item of readNdjson(
    (async function* () {
      yield* chunks;
    })(),
  ))
    items.push(item);
  return items;
}

test("lines are put together across chunks, also where one cuts a letter", async () => {
  const bytes = Buffer.from('{"a":"é"}\n{"b":2}\n');
  const cut = bytes.indexOf(0xc3) + 1;
  expect(await read(bytes.subarray(0, cut), bytes.subarray(cut))).toEqual([{ a: "é" }, { b: 2 }]);
});

test("empty lines and a line that was cut off are left out", async () => {
  expect(await read(Buffer.from('1\n\n2\n{"a'))).toEqual([1, 2]);
});

test("a line that is not JSON is an error of the server", async () => {
  await expect(read(Buffer.from("<html>\n"))).rejects.toMatchObject({ code: "protocol_error" });
});
