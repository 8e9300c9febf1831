import { PassThrough } from "node:stream";
import type { ExitStatus } from "@samovar/protocol";
import type { ExecCommand, ExecProcess } from "@samovar/runtime";
import { expect, test } from "vitest";
import { Execs } from "./exec.ts";

const COMMAND: ExecCommand = { argv: ["cat"], env: {}, cwd: null, terminal: null };

class FakeProgram implements ExecProcess {
  readonly stdin = new PassThrough();
  readonly stdout = new PassThrough();
  readonly stderr = new PassThrough();
  readonly exited: Promise<ExitStatus>;
  readonly signals: string[] = [];
  #exit: (status: ExitStatus) => void;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<ExitStatus>();
    this.exited = promise;
    this.#exit = resolve;
  }

  resize(): void {}

  kill(signal: string): void {
    this.signals.push(signal);
    this.#exit({ kind: "signal", code: null, signal });
  }
}

function setUp(exec: () => Promise<FakeProgram> = async () => new FakeProgram()): Execs {
  return new Execs({
    living: new Map([
      ["ct_1", { exec }],
      ["ct_2", { exec }],
    ]),
    maxPerContainer: 2,
  });
}

test("a container that doesn't live is told", async () => {
  await expect(setUp().start("ct_9", COMMAND)).rejects.toMatchObject({ code: "not_found", message: expect.stringContaining('"ct_9"') });
});

test("so many programs run in a container, those that start included, and no more until one has ended", async () => {
  const execs = setUp();
  const [first] = await Promise.all([execs.start("ct_1", COMMAND), execs.start("ct_1", COMMAND)]);
  await expect(execs.start("ct_1", COMMAND)).rejects.toMatchObject({ code: "no_capacity" });
  await execs.start("ct_2", COMMAND);
  first.kill("SIGTERM");
  await first.exited;
  await execs.start("ct_1", COMMAND);
});

test("a program that can't be started takes no room", async () => {
  const execs = setUp(() => Promise.reject(new Error("no such program")));
  for (let i = 0; i < 5; i++) await expect(execs.start("ct_1", COMMAND)).rejects.toThrow("no such program");
});

test("the end of the server ends those that run and those on their way, and none starts", async () => {
  const late = Promise.withResolvers<FakeProgram>();
  const programs = [new FakeProgram(), new FakeProgram()];
  const answers = [Promise.resolve(programs[0]!), late.promise];
  const execs = setUp(() => answers.shift()!);
  await execs.start("ct_1", COMMAND);
  const starting = execs.start("ct_1", COMMAND);
  await execs.dispose();
  late.resolve(programs[1]!);
  await expect(starting).rejects.toMatchObject({ code: "shutting_down" });
  expect(programs.map(({ signals }) => signals)).toEqual([["SIGKILL"], ["SIGKILL"]]);
  expect(programs.every(({ stdout }) => stdout.destroyed)).toBe(true);
  await expect(execs.start("ct_1", COMMAND)).rejects.toMatchObject({ code: "shutting_down" });
  await execs.dispose();
});
