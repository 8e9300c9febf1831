import { expect, test, vi } from "vitest";
import { FakeClock } from "@samovar/kit";
import { IdleTimer } from "./idle-timer.ts";

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("it fires once nothing has happened for the whole time", async () => {
  const clock = new FakeClock();
  const onIdle = vi.fn<() => void>();
  const timer = new IdleTimer(clock, 1_000, async () => false, onIdle);
  clock.advance(900);
  timer.touch();
  clock.advance(100);
  await settled();
  expect(onIdle).not.toHaveBeenCalled();
  clock.advance(899);
  await settled();
  expect(onIdle).not.toHaveBeenCalled();
  clock.advance(1);
  await settled();
  expect(onIdle).toHaveBeenCalledOnce();
});

test("what still runs counts as something happening", async () => {
  const clock = new FakeClock();
  const onIdle = vi.fn<() => void>();
  let busy = true;
  const timer = new IdleTimer(clock, 1_000, async () => busy, onIdle);
  clock.advance(1_000);
  await settled();
  expect(onIdle).not.toHaveBeenCalled();
  busy = false;
  clock.advance(1_000);
  await settled();
  expect(onIdle).toHaveBeenCalledOnce();
  timer.dispose();
});

test("0 is never, and a disposed one leaves no timer", () => {
  const clock = new FakeClock();
  const never = new IdleTimer(
    clock,
    0,
    async () => false,
    () => {},
  );
  expect(clock.pending).toBe(0);
  const timer = new IdleTimer(
    clock,
    10,
    async () => false,
    () => {},
  );
  timer.dispose();
  never.dispose();
  expect(clock.pending).toBe(0);
});
