import { connect, type Socket } from "node:net";
import { percentile } from "../statistics.ts";
import type { LoadJob, LoadReply, LoadResult } from "./load-job.ts";

// The process that makes load: forked by LoadGenerator, it does one job after another until its channel closes.

process.on("message", (job: LoadJob) => {
  runJob(job).then(
    (result) => reply({ result }),
    (error: unknown) => reply({ error: String(error) }),
  );
});
process.once("disconnect", () => process.exit());

function reply(message: LoadReply): void {
  process.send!(message);
}

/**
 * Each connection sends the same bytes again as soon as it has a whole answer. Answers are looked at just enough to
 * know that they are right: a full HTTP parser would cost as much as what is measured.
 */
async function runJob({ port, request, expectedBody, connections, durationMs }: LoadJob): Promise<LoadResult> {
  const latencies: number[] = [];
  const bytes = Buffer.from(request);
  const body = Buffer.from(expectedBody);
  const sockets = await Promise.all(Array.from({ length: connections }, () => open(port)));
  const startedMs = performance.now();
  const untilMs = startedMs + durationMs;
  await Promise.all(sockets.map((socket) => callUntil(socket, bytes, body, untilMs, latencies)));
  const elapsedMs = performance.now() - startedMs;
  for (const socket of sockets) socket.destroy();
  return { calls: latencies.length, elapsedMs, p50Ms: percentile(latencies, 0.5), p99Ms: percentile(latencies, 0.99) };
}

async function open(port: number): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = connect({ port, host: "127.0.0.1", noDelay: true }, () => resolve(socket));
  socket.once("error", reject);
  return promise;
}

const HEAD_END = Buffer.from("\r\n\r\n");
const OK = "HTTP/1.1 200 ";

function callUntil(socket: Socket, request: Buffer, expectedBody: Buffer, untilMs: number, latencies: number[]): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let sentMs = performance.now();
  let answer: Buffer | null = null;
  socket.on("data", (chunk: Buffer) => {
    answer = answer ? Buffer.concat([answer, chunk]) : chunk;
    const bodyAt = answer.indexOf(HEAD_END) + HEAD_END.length;
    if (bodyAt < HEAD_END.length || answer.length < bodyAt + expectedBody.length) {
      if (!answer.toString("latin1", 0, OK.length).startsWith(OK.slice(0, answer.length))) reject(new Error(`The target answered: ${answer.toString()}`));
      return;
    }
    if (
      answer.toString("latin1", 0, OK.length) !== OK ||
      answer.length !== bodyAt + expectedBody.length ||
      answer.compare(expectedBody, 0, expectedBody.length, bodyAt) !== 0
    ) {
      return reject(new Error(`The target answered: ${answer.toString()}`));
    }
    answer = null;
    const nowMs = performance.now();
    latencies.push(nowMs - sentMs);
    if (nowMs >= untilMs) return resolve();
    sentMs = nowMs;
    socket.write(request);
  });
  socket.once("error", reject);
  socket.once("close", () => reject(new Error("The target closed a connection")));
  socket.write(request);
  return promise;
}
