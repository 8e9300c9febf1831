import { spawn } from "node:child_process";
import { once } from "node:events";
import { FakeClock } from "@samovar/kit";
import { expect, test } from "vitest";
import { limitRuntime } from "./run-container.ts";

/** Hangs in a process of its own below it, as a script around a runtime may. */
async function startHanging(): Promise<{ readonly pid: number; readonly closed: Promise<unknown[]> }> {
  const child = spawn("sh", ["-c", "echo here; sleep 600; true"], { detached: true, stdio: ["ignore", "pipe", "ignore"] });
  await once(child.stdout, "data");
  return { pid: child.pid!, closed: once(child, "close") };
}

test("a runtime that hangs is ended with what it has started", async () => {
  const clock = new FakeClock(0);
  const runtime = await startHanging();
  const limit = limitRuntime(runtime, 1_000, clock);
  clock.advance(999);
  expect(limit.expired).toBe(false);
  clock.advance(1);
  // Closed, and not only ended: nobody has its output any more.
  await runtime.closed;
  expect(limit.expired).toBe(true);
});

test("one that got there in time is left alone, and one that is gone already too", async () => {
  const clock = new FakeClock(0);
  const runtime = await startHanging();
  const cancelled = limitRuntime(runtime, 1_000, clock);
  cancelled.cancel();
  clock.advance(2_000);
  expect(cancelled.expired).toBe(false);
  process.kill(-runtime.pid, "SIGTERM");
  await runtime.closed;
  const late = limitRuntime(runtime, 1_000, clock);
  clock.advance(1_000);
  expect(late.expired).toBe(true);
});
