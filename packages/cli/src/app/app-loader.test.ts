import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { FakeClock } from "@samovar/kit";
import { afterEach, expect, test } from "vitest";
import { createTestIo, type TestIo } from "../test-io.fixture.ts";
import { AppLoader } from "./app-loader.ts";

let io: TestIo;
afterEach(() => io.remove());

test("a module that never ends loading is told after 5 s, and can be interrupted", async () => {
  const clock = new FakeClock();
  io = createTestIo({ clock });
  writeFileSync(join(io.folder, "app.ts"), "while (true) {}\n");
  const loader = new AppLoader(io, { file: join(io.folder, "app.ts"), appName: undefined, home: join(io.folder, "home"), env: {} });
  const built = await loader.build();
  const notes: string[] = [];
  const interrupt = new AbortController();
  const started = loader.start(built.bundle, interrupt.signal, (note) => notes.push(note));
  clock.advance(4_999);
  expect(notes).toEqual([]);
  clock.advance(1);
  expect(notes).toEqual(["app.ts is still loading after 5 s: what its top level does has not ended. It is given up after 60 s"]);
  interrupt.abort(new Error("interrupted"));
  await expect(started).rejects.toThrow("interrupted");
  await loader.dispose();
});
