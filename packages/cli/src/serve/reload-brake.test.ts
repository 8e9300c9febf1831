import { expect, test } from "vitest";
import { FakeClock } from "@samovar/kit";
import { ReloadBrake } from "./reload-brake.ts";

test("a file that alone leads to reload after reload is named, and leads to none any more", () => {
  const brake = new ReloadBrake(new FakeClock());
  for (let i = 0; i < 10; i++) expect(brake.judge(["out.txt"], false)).toEqual({ reload: true });
  expect(brake.judge(["out.txt"], false)).toEqual({ reload: false, tooOften: ["out.txt"] });
  expect(brake.judge(["out.txt"], false)).toEqual({ reload: false });
  expect(brake.judge(["data.csv", "out.txt"], false)).toEqual({ reload: true });
  expect(brake.judge(["out.txt"], true)).toEqual({ reload: true });
});

test("reloads that people could make, and edits of the code, are never too many", () => {
  const clock = new FakeClock();
  const brake = new ReloadBrake(clock);
  for (let i = 0; i < 50; i++) {
    expect(brake.judge(["notes.txt"], false)).toEqual({ reload: true });
    clock.advance(1_000);
  }
  for (let i = 0; i < 50; i++) expect(brake.judge(["app.ts"], true)).toEqual({ reload: true });
});
