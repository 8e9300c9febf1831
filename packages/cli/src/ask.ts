import type { CommandContext } from "./command-context.ts";
import { orAborted } from "./interrupt.ts";

/** A question at the terminal. Yes is what begins with y; everything else, and the end of the input, is no. */
export async function ask({ io, screen, interrupt }: CommandContext, question: string): Promise<boolean> {
  screen.writeError(`${question} [y/N] `);
  return /^\s*y/i.test(await orAborted(readLine(io.stdin), interrupt.signal));
}

async function readLine(input: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let line = "";
  for await (const chunk of input) {
    line += decoder.decode(chunk, { stream: true });
    const end = line.indexOf("\n");
    if (end !== -1) return line.slice(0, end);
  }
  return line;
}
