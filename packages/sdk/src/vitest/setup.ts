import { RUNTIME, type Runtime } from "@samovar/protocol";
import { afterAll } from "vitest";

/** Vitest's workers do not end by themselves, so that exit is the end of the test file. */
const exits: (() => unknown)[] = [];

const runtime: Runtime = {
  remote: false,
  context: () => undefined,
  transport: null,
  onExit: (run) => void exits.push(run),
};

(globalThis as { [RUNTIME]?: Runtime })[RUNTIME] = runtime;

afterAll(async () => {
  for (const run of exits.splice(0)) await run();
});
