import { mkdirSync, watch } from "node:fs";
import { join } from "node:path";
import { expect, test, type TestContext } from "vitest";
import type { CliProcess } from "./cli-process.fixture.ts";
import { ENDINGS_APP } from "./endings.app.fixture.ts";
import { TestHome } from "./test-home.fixture.ts";

/** Resolves when a file of this name comes to the folder. */
function appears(folder: string, name: RegExp): Promise<void> {
  mkdirSync(folder, { recursive: true });
  return new Promise((resolve) => {
    const watcher = watch(folder, (_event, file) => {
      if (file === null || !name.test(file)) return;
      watcher.close();
      resolve();
    });
  });
}

/** What the command has come to when it is interrupted, told by what others see of it. */
const PHASES: Record<string, (home: TestHome) => Promise<unknown>> = {
  "the server's process is started": (home) => appears(home.home, /^logs$/),
  "the server takes the lock": (home) => appears(home.home, /^lock/),
  "the server is ready": (home) => appears(home.home, /^server\.json$/),
  "the code is sent": (home) => appears(join(home.home, "blobs"), /./),
  "a container is made": (home) => appears(join(home.home, "containers"), /^ct_/),
  "a start hook runs": (home) => home.lifelines.next("starting"),
};

/** The embedded server and all that it started have ended, and left nothing. */
async function expectNothingLeft(home: TestHome): Promise<void> {
  await home.quiet();
  // A server that is killed while it starts, as one that takes too long to, leaves its socket and its driver's own folders: the
  // next one on the home clears them.
  expect((await home.leaks(["home/containers"])).filter((leak) => !/home\/containers\/\.[\w-]+$/.test(leak))).toEqual([]);
}

async function interrupted(
  { onTestFinished }: Pick<TestContext, "onTestFinished">,
  phase: string,
  args: (home: TestHome) => readonly string[],
): Promise<{ home: TestHome; cli: CliProcess }> {
  const home = await TestHome.create({ "app.ts": ENDINGS_APP });
  onTestFinished(() => home.dispose());
  const reached = PHASES[phase]!(home);
  const cli = home.cli(args(home));
  await reached;
  cli.kill("SIGINT");
  return { home, cli };
}

test.concurrent.for(Object.keys(PHASES))("Ctrl-C of run when %s leaves nothing behind", async (phase, context) => {
  const { home, cli } = await interrupted(context, phase, ({ lifelines }) => [
    "run",
    "app.ts:job",
    "--input",
    "1",
    "--env",
    `LIFELINE=${lifelines.port}`,
    "--env",
    "HOLD_START=1",
  ]);
  expect(await cli.exited).toEqual({ code: 130, signal: null });
  expect(cli.out()).toBe("");
  await expectNothingLeft(home);
});

test.concurrent.for(Object.keys(PHASES).slice(0, 3))("Ctrl-C of serve when %s leaves nothing behind", async (phase, context) => {
  const { home, cli } = await interrupted(context, phase, () => ["serve", "app.ts"]);
  const { code } = await cli.exited;
  expect([0, 130]).toContain(code);
  await expectNothingLeft(home);
});
