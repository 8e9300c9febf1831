import { SamovarError } from "@samovar/protocol";
import type { RemoteCalls } from "./remote-calls.ts";

/** Every way to call something that some handle has. */
type CallMethod = keyof RemoteCalls | "request";

interface Refusing {
  /** What it is, for messages. */
  readonly noun: string;
  /** What to write in place of a method that it doesn't have. */
  readonly instead: Readonly<Partial<Record<CallMethod, (label: string) => string>>>;
}

const write =
  (text: string, orElse = ""): ((label: string) => string) =>
  (label) =>
    `Write ${label}.${text}${orElse}`;
const loop =
  (method: string) =>
  (label: string): string =>
    `Write: for await (const item of ${label}.${method}(input)) …`;
const OR_FN = ", or define it with fn(…)";

/** What each kind of handle says to methods of the others. The types have none of them: this is for who calls without. */
const REFUSALS = {
  function: {
    noun: "a function",
    instead: { request: write("remote(input)"), put: write("spawn(input)"), putMany: write("spawnMap(inputs)") },
  },
  generator: {
    noun: "a generator",
    instead: {
      remote: loop("stream"),
      request: loop("stream"),
      map: loop("stream"),
      forEach: loop("stream"),
      spawn: loop("stream"),
      spawnMap: loop("stream"),
      put: loop("stream"),
      putMany: loop("stream"),
    },
  },
  endpoint: {
    noun: "an endpoint",
    instead: {
      remote: write("request(input)", OR_FN),
      stream: write("request(input)"),
      map: write("request(input) for each", OR_FN),
      forEach: write("request(input) for each", OR_FN),
      spawnMap: write("spawn(input) for each", OR_FN),
      put: write("spawn(input)"),
      putMany: write("spawn(input) for each", OR_FN),
    },
  },
  streamingEndpoint: {
    noun: "an endpoint that streams",
    instead: {
      remote: loop("request"),
      stream: loop("request"),
      map: loop("request"),
      forEach: loop("request"),
      spawn: loop("request"),
      spawnMap: loop("request"),
      put: loop("request"),
      putMany: loop("request"),
    },
  },
  taskqueue: {
    noun: "a task queue",
    instead: {
      remote: write("put(input), and .get() of what that gives", OR_FN),
      request: write("put(input), and .get() of what that gives", OR_FN),
      stream: write("put(input), and .get() of what that gives", OR_FN),
      spawn: write("put(input)", OR_FN),
      spawnMap: write("putMany(inputs)", OR_FN),
      map: write("putMany(inputs)", OR_FN),
      forEach: write("putMany(inputs)", OR_FN),
    },
  },
  schedule: {
    noun: "a schedule",
    instead: {
      remote: write("spawn(), and .get() of what that gives"),
      request: write("spawn(), and .get() of what that gives"),
      stream: write("spawn(), and .get() of what that gives"),
      put: write("spawn()"),
      putMany: write("spawn() for each run"),
      spawnMap: write("spawn() for each run"),
      map: write("spawn() for each run"),
      forEach: write("spawn() for each run"),
    },
  },
} satisfies Record<string, Refusing>;

/** Methods that the handle doesn't have: each throws `invalid_definition` with what to write. */
export function createRefusals(kind: keyof typeof REFUSALS, label: () => string): Readonly<Record<string, () => never>> {
  const { noun, instead } = REFUSALS[kind];
  return Object.fromEntries(
    Object.entries(instead).map(([method, toAdvice]) => [
      method,
      (): never => {
        throw new SamovarError("invalid_definition", `${label()} is ${noun} and has no .${method}(). ${toAdvice(label())}`);
      },
    ]),
  );
}
