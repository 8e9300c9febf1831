import { connect } from "node:net";

export interface FirstByteOptions {
  readonly port: number;
  /** The whole request, as it goes over the wire. */
  readonly request: string;
  /** A line that the answer's head must have. */
  readonly expectedHeader: string;
  readonly expectedBody: string;
  /** On the clock of `performance.now()`. */
  readonly startedMs: number;
}

/**
 * Connects, sends a request and resolves with the time from `startedMs` to the first byte of the answer, once the whole answer was
 * seen to be right. The connection is closed afterwards.
 */
export async function timeFirstByte({ port, request, expectedHeader, expectedBody, startedMs }: FirstByteOptions): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const socket = connect({ port, host: "127.0.0.1", noDelay: true }, () => socket.write(request));
  let firstByteMs = 0;
  let answer = "";
  socket.setEncoding("utf8");
  socket.on("data", (text: string) => {
    firstByteMs ||= performance.now();
    answer += text;
    if (answer.endsWith(`\r\n\r\n${expectedBody}`) && answer.startsWith("HTTP/1.1 200 ") && answer.includes(`\r\n${expectedHeader}\r\n`))
      resolve(firstByteMs - startedMs);
    else if (/^HTTP\/1.1 [^2]/.test(answer)) reject(new Error(`The target answered: ${answer}`));
  });
  socket.once("error", reject);
  socket.once("close", () => reject(new Error(`The target closed the connection after: ${answer}`)));
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}
