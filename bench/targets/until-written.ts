import type { ChildProcess } from "node:child_process";

/** Resolves when a server has written `text`, on either stream. Throws what it wrote when it ends before. */
export async function untilWritten(child: ChildProcess, name: string, text: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let written = "";
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.on("data", (chunk: Buffer) => {
      written += chunk.toString();
      if (written.includes(text)) resolve();
      // The rest is of no use, and has to be read.
      written = written.slice(-4_000);
    });
  }
  child.once("error", reject);
  child.once("close", () => reject(new Error(`${name} ended before it was ready:\n${written}`)));
  await promise;
}
