import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { FRAME, type FrameType } from "@samovar/protocol";
import { callable, moduleOf } from "./testing/definitions.fixture.ts";
import { readyWorker } from "./testing/in-memory.fixture.ts";
import { seeded } from "@samovar/kit";
import type { TestPeer } from "./testing/test-peer.fixture.ts";

/**
 * Inputs, losses of the connection and what servers make of them, in any order, against a model that knows of each input
 * only: does it go on (`alive`), has its handler settled, which stream has it now.
 */
interface Modelled {
  readonly taskId: string;
  readonly name: string;
  readonly durable: boolean;
  readonly gate: PromiseWithResolvers<string>;
  readonly result: string;
  alive: boolean;
  settled: boolean;
  /** Its answer, or the closing frame in its place, has come. */
  over: boolean;
  stream: number | null;
}

const CLOSING: readonly FrameType[] = [FRAME.result, FRAME.end, FRAME.error];
const STEPS = 24;

test.each(Array.from({ length: 60 }, (_, seed) => seed))(
  "whatever happens to its connections, an input answers once where it should, seed %i",
  async (seed) => {
    const random = seeded(seed);
    const upTo = (limit: number): number => Math.floor(random() * limit);
    const inputs: Modelled[] = [];
    const bench = await readyWorker(moduleOf(callable((name: string) => inputs.find((input) => input.name === name)!.gate.promise)), { concurrencyMax: 99 });
    const peers: TestPeer[] = [bench.peer];
    // An object, as the compiler takes a variable of this function for unchanged by what the steps do.
    const link: { state: "open" | "lost" | "greeted" } = { state: "open" };
    let peer = bench.peer;
    let listed: Modelled[] = [];

    /** What the stream of an input brings when its handler has settled. */
    const heard = async (input: Modelled): Promise<void> => {
      const { stream } = input;
      input.over = true;
      if (!input.alive) return void (await peer.takeAny([FRAME.result, FRAME.error], stream!));
      const answer = await peer.answer(stream!);
      expect(answer.body.toString()).toBe(input.result);
    };
    const settle = async (input: Modelled): Promise<void> => {
      input.settled = true;
      input.gate.resolve(input.result);
      await turn();
      if (link.state === "open" && input.stream !== null) await heard(input);
      else if (!input.alive && !listed.includes(input)) input.over = true;
    };
    const open = (): void => {
      const durable = random() < 0.7;
      const name = `in-${inputs.length}`;
      const large = random() < 0.2;
      const result = large ? name.repeat(100_000) : name;
      const input = { taskId: `tk_${name}`, name, durable, gate: Promise.withResolvers<string>(), result, alive: true, settled: false, over: false, stream: 0 };
      inputs.push(input);
      input.stream = peer.open(name, { taskId: input.taskId, ...(durable ? { durable } : {}) });
    };
    const lose = async (): Promise<void> => {
      if (link.state === "open") await peer.synced();
      await bench.lose();
      for (const input of inputs) {
        if (link.state === "open" && (!input.durable || input.stream === null)) input.alive = false;
        if (!input.alive && input.settled) input.over = true;
        input.stream = null;
      }
      listed = [];
      link.state = "lost";
    };
    const redial = async (): Promise<void> => {
      const next = await bench.redial();
      peer = next.peer;
      peers.push(peer);
      const held = next.hello.held ?? [];
      listed = held.map(({ taskId }) => inputs.find((input) => input.taskId === taskId)!);
      const expected = inputs.filter(({ over }) => !over).map(({ taskId, alive }) => ({ taskId, attempt: 1, resumable: alive }));
      expect(held.toSorted((a, b) => (a.taskId < b.taskId ? -1 : 1))).toEqual(expected.toSorted((a, b) => (a.taskId < b.taskId ? -1 : 1)));
      link.state = "greeted";
    };
    const welcome = async (): Promise<void> => {
      const given = random() < 0.7 ? listed.length : upTo(listed.length + 1);
      const streams = listed.slice(0, given).map((_, i) => 1 + 2 * i);
      peer.takeBack(random() < 0.5 || given > 0 ? streams : undefined);
      link.state = "open";
      const answers = listed;
      listed = [];
      for (const [i, input] of answers.entries()) {
        input.stream = streams[i] ?? null;
        if (input.stream === null) {
          input.alive = false;
          input.over = input.settled;
        } else if (input.settled) await heard(input);
      }
      await peer.synced();
    };
    const cancel = async (): Promise<void> => {
      const input = inputs.filter((one) => one.stream !== null && !one.settled)[0];
      if (!input) return;
      input.alive = false;
      peer.say(FRAME.cancel, { reason: "cancelled" }, input.stream!);
      await peer.synced();
    };

    open();
    for (let step = 0; step < STEPS; step++) {
      const running = inputs.filter(({ settled }) => !settled);
      if (random() < 0.35 && running.length > 0) await settle(running[upTo(running.length)]!);
      else if (link.state === "lost") await redial();
      else if (link.state === "greeted") await (random() < 0.75 ? welcome() : lose());
      else if (random() < 0.5) open();
      else await (random() < 0.6 ? lose() : cancel());
    }
    if (link.state === "lost") await redial();
    if (link.state === "greeted") await welcome();
    for (const input of inputs) if (!input.settled) await settle(input);
    expect((await peer.call(inputs[0]!.name)).body.toString()).toBe(inputs[0]!.result);
    expect(inputs.filter(({ over }) => !over)).toEqual([]);
    for (const { frames } of peers) {
      const closed = frames.filter(({ type }) => (CLOSING as readonly number[]).includes(type)).map(({ stream }) => stream);
      expect(new Set(closed).size).toBe(closed.length);
    }
  },
);
