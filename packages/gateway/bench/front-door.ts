/**
 * What the gateway itself costs: JSON calls through it, over a pool that answers at once, and calls that are queued, by path
 * and over the control API, where tasks are on disk at once, beside a bare `node:http` JSON handler. Gateway and handler
 * run in a process of their own, in turns, under the same load from this one.
 *
 *     node --conditions=samovar-source packages/gateway/bench/front-door.ts [rounds] [seconds]
 *
 * CPU per call is what to compare: it hardly depends on what else the machine does.
 */
import { fork, type ChildProcess } from "node:child_process";
import { createServer } from "node:http";
import { connect } from "node:net";
import { createIdSource } from "@samovar/protocol";
import { silentLogger } from "@samovar/kit";
import { createAuthenticator, createGateway } from "../src/index.ts";
import { FakeControl, FakeFunction, INVOKE_TOKEN, JSON_HEAD, STARTED, TOKENS, createFakeTable } from "../src/fakes.fixture.ts";

const CONNECTIONS = 32;
const BODY = JSON.stringify({ text: "the quick brown fox", options: { top: 3, labels: ["a", "b", "c"] } });
const ANSWER = Buffer.from(JSON.stringify({ sentiment: 0.5, label: "a", tokens: 4 }));

const PATHS = { call: "/endpoint/predict", queue: "/taskqueue/jobs", put: "/api/v1/functions/jobs/tasks", bare: "/" } as const;
type Contestant = keyof typeof PATHS;
const CONTESTANTS = Object.keys(PATHS) as Contestant[];

async function serve(contestant: Contestant): Promise<void> {
  const url = contestant === "bare" ? await serveBare() : await serveGateway();
  process.on("message", () => process.send!(process.cpuUsage()));
  process.send!(url);
}

async function serveGateway(): Promise<string> {
  const predict = new FakeFunction();
  const ticket = { cancel() {}, resume() {} };
  // One turn of the event loop stands for the way to the worker and back.
  predict.submit = (_parameters, _input, sink) => {
    setImmediate(() => {
      sink.started(STARTED);
      sink.result(JSON_HEAD, ANSWER);
    });
    return ticket;
  };
  const control = new FakeControl();
  let flushed: Promise<void> | null = null;
  let count = 0;
  // One turn stands for the disk, shared as its grouped writes are.
  control.tasks.put = async (_entry, _parameters, inputs) => {
    await (flushed ??= new Promise((resolve) => setImmediate(resolve)).then(() => void (flushed = null)));
    return inputs.map(() => ({ id: `tk_${++count}`, created: true }));
  };
  const gateway = createGateway({
    functions: createFakeTable(predict, new FakeFunction({ kind: "taskqueue", name: "jobs" })),
    control,
    authenticator: createAuthenticator(TOKENS),
    ids: createIdSource(),
    logger: silentLogger,
  });
  return gateway.listen("127.0.0.1", 0);
}

async function serveBare(): Promise<string> {
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on("data", (chunk: Buffer) => chunks.push(chunk));
    req.on("end", () => {
      const input = JSON.parse(Buffer.concat(chunks).toString("utf8")) as { text: string };
      setImmediate(() => {
        const body = JSON.stringify({ sentiment: 0.5, label: "a", tokens: input.text.split(" ").length });
        res.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
        res.end(body);
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
}

interface Round {
  readonly callsPerSecond: number;
  readonly cpuMicrosPerCall: number;
}

async function compare(rounds: number, seconds: number): Promise<void> {
  const servers = Object.fromEntries(await Promise.all(CONTESTANTS.map(async (name) => [name, await start(name)]))) as Record<Contestant, Server>;
  for (const server of Object.values(servers)) await measure(server, 1);
  const results: Record<Contestant, Round[]> = { call: [], queue: [], put: [], bare: [] };
  for (let i = 0; i < rounds; i++) {
    for (const name of i % 2 === 0 ? CONTESTANTS : CONTESTANTS.toReversed()) results[name].push(await measure(servers[name], seconds));
  }
  for (const server of Object.values(servers)) server.process.kill();
  console.table(
    Object.fromEntries(
      CONTESTANTS.map((name) => [
        name,
        {
          "calls/s": Math.round(median(results[name].map((round) => round.callsPerSecond))),
          "CPU µs/call": median(results[name].map((round) => round.cpuMicrosPerCall)).toFixed(1),
          "calls/s of bare": spread(results[name].map((round, i) => round.callsPerSecond / results.bare[i]!.callsPerSecond)),
          "CPU of bare": spread(results[name].map((round, i) => round.cpuMicrosPerCall / results.bare[i]!.cpuMicrosPerCall)),
        },
      ]),
    ),
  );
}

interface Server {
  readonly process: ChildProcess;
  readonly port: number;
  readonly head: string;
}

async function start(contestant: Contestant): Promise<Server> {
  const child = fork(import.meta.filename, ["serve", contestant]);
  const url = await message<string>(child);
  const body = contestant === "put" ? `{"tasks":[{"input":${BODY}}]}` : BODY;
  const head = `POST ${PATHS[contestant]} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${INVOKE_TOKEN}\r\naccept: */*\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  return { process: child, port: Number(new URL(url).port), head };
}

async function measure(server: Server, seconds: number): Promise<Round> {
  const before = await cpu(server);
  const startedMs = performance.now();
  const endMs = startedMs + seconds * 1_000;
  const counts = await Promise.all(Array.from({ length: CONNECTIONS }, () => callUntil(server, endMs)));
  const elapsedS = (performance.now() - startedMs) / 1_000;
  const after = await cpu(server);
  const calls = counts.reduce((sum, count) => sum + count, 0);
  return { callsPerSecond: calls / elapsedS, cpuMicrosPerCall: (after.user + after.system - before.user - before.system) / calls };
}

/** One connection, one call at a time. */
function callUntil(server: Server, endMs: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect(server.port, "127.0.0.1");
    const request = Buffer.from(server.head);
    let calls = 0;
    let rest = "";
    socket.setNoDelay(true);
    socket.on("error", reject);
    socket.on("connect", () => socket.write(request));
    socket.on("data", (chunk: Buffer) => {
      rest += chunk.toString("latin1");
      const end = rest.indexOf("\r\n\r\n");
      if (end < 0) return;
      const length = Number(/content-length: (\d+)/i.exec(rest)![1]);
      if (rest.length < end + 4 + length) return;
      if (!rest.startsWith("HTTP/1.1 20")) return reject(new Error(rest));
      rest = "";
      calls++;
      if (performance.now() < endMs) return socket.write(request);
      socket.destroy();
      resolve(calls);
    });
  });
}

function cpu(server: Server): Promise<NodeJS.CpuUsage> {
  const answer = message<NodeJS.CpuUsage>(server.process);
  server.process.send("cpu");
  return answer;
}

const message = <T>(child: ChildProcess): Promise<T> => new Promise((resolve) => child.once("message", (value) => resolve(value as T)));

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

const spread = (values: readonly number[]): string => `${median(values).toFixed(2)} (${Math.min(...values).toFixed(2)} to ${Math.max(...values).toFixed(2)})`;

const role = process.argv[2];
if (role === "serve") await serve(process.argv[3] as Contestant);
else await compare(Number(process.argv[2] ?? 5), Number(process.argv[3] ?? 3));
