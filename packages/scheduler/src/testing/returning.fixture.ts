import { hashToken } from "@samovar/kit";
import {
  FRAME,
  FrameDecoder,
  PROTOCOL_VERSION,
  decodeValue,
  encodeFrame,
  encodeValue,
  type CancelMessage,
  type HeldInput,
  type WelcomeMessage,
} from "@samovar/protocol";
import { createConnectedPair } from "@samovar/runtime";
import type { LeftContainer } from "../container-types.ts";
import type { WorkerHub } from "../worker-hub.ts";
import { encodeHeadBodyFrame } from "./head-body-frame.fixture.ts";

export const TOKEN = "the-token-of-before";

/** As storage had it when its server died. */
export function leftContainer(id: string, name: string, startedAtMs: number): LeftContainer {
  return {
    info: {
      id,
      function: name,
      functionId: `function-of-${name}`,
      app: "app",
      version: 1,
      driver: "fake",
      state: "ready",
      reason: null,
      startedAtMs,
      endedAtMs: null,
      pid: 7,
      workers: 1,
      inputs: { running: 0, done: 5, failed: 1 },
      parameters: [],
      phases: [{ phase: "ready", workerIndex: null, hook: null, startedAtMs, durationMs: 40, outcome: "ok", detail: null }],
    },
    facts: { tokenHash: hashToken(TOKEN), gpus: [] },
  };
}

/** A worker of before, that looks for its server: what it is told, and what it says. */
export interface ReturningWorker {
  welcome: WelcomeMessage | null;
  rejected: string | null;
  closed: boolean;
  /** What the server sent after its first word, as `OPEN 1`, `CANCEL 3 disconnected`. */
  readonly heard: string[];
  ready(): void;
  answer(stream: number): void;
  hangUp(): void;
}

export function comeBack(
  hub: WorkerHub,
  containerId: string,
  { held = [], token = TOKEN, workerIndex = 0 }: { held?: readonly HeldInput[]; token?: string; workerIndex?: number } = {},
): ReturningWorker {
  const [server, client] = createConnectedPair().ends;
  const send = (...frame: Parameters<typeof encodeFrame>): void => void client.write(encodeFrame(...frame));
  const worker: ReturningWorker = {
    welcome: null,
    rejected: null,
    closed: false,
    heard: [],
    ready: () => send(FRAME.ready, 0, encodeValue({ heapUsedBytes: 0 })),
    answer: (stream) => void client.write(encodeHeadBodyFrame(FRAME.result, stream, { status: 200, headers: [] }, encodeValue("done"))),
    hangUp: () => client.destroy(),
  };
  const nameOf = (type: number): string =>
    Object.entries(FRAME)
      .find(([, value]) => value === type)![0]
      .toUpperCase();
  const decoder = new FrameDecoder();
  client.on("error", () => {});
  client.on("close", () => (worker.closed = true));
  client.on("data", (chunk: Buffer) =>
    decoder.push(chunk, ({ type, stream, payload }) => {
      if (type === FRAME.welcome) worker.welcome = decodeValue(payload) as WelcomeMessage;
      else if (type === FRAME.reject) worker.rejected = (decodeValue(payload) as { reason: string }).reason;
      else if (type === FRAME.ping) send(FRAME.pong, 0);
      else worker.heard.push([nameOf(type), stream, ...(type === FRAME.cancel ? [(decodeValue(payload) as CancelMessage).reason] : [])].join(" "));
      if (type !== FRAME.stop) return;
      send(FRAME.stopped, 0);
      setImmediate(() => client.destroy());
    }),
  );
  hub.accept(server);
  send(FRAME.hello, 0, encodeValue({ protocol: PROTOCOL_VERSION, containerId, token, workerIndex, pid: 7, runtime: "scripted", resumed: true, held }));
  return worker;
}
