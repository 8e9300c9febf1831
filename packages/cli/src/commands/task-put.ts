import type { PutTask } from "@samovar/protocol";
import type { PutTarget } from "../client/task-client.ts";
import type { CommandContext, ExitCode } from "../command-context.ts";
import type { TaskPutFlags } from "../flags.ts";
import { orAborted } from "../interrupt.ts";
import { withServer } from "../server-link/with-server.ts";
import { waitAndPrint } from "../tasks/print-result.ts";
import { readInput, parseParameters } from "./run-input.ts";

/** Queues one input. Its id goes to stdout when it is on disk; with `--wait` the result does. */
export async function taskPut(context: CommandContext, options: TaskPutFlags & { readonly name: string }): Promise<ExitCode> {
  const { io, screen, interrupt } = context;
  const target = toPutTarget(options.name, parseParameters(options.with));
  const input = await orAborted(readInput(options.input, io), interrupt.signal);
  const task: PutTask = {
    ...(input === undefined ? {} : { input }),
    ...(options.delay === undefined ? {} : { delayMs: options.delay }),
    ...(options.priority === undefined ? {} : { priorityMs: options.priority }),
    ...(options.ttl === undefined ? {} : { ttlMs: options.ttl }),
    ...(options.key === undefined ? {} : { idempotencyKey: options.key }),
    ...(options.concurrencyKey === undefined ? {} : { concurrencyKey: options.concurrencyKey }),
  };
  return await withServer(context, async (client, signal) => {
    const put = await client.tasks.put(target, task, signal);
    if (!put.created && !options.json) screen.note(screen.noteColors.dim(`${put.id} has this key already: it stands for this one`));
    if (options.wait !== undefined) return await waitAndPrint(context, client, put.id, options);
    screen.print(options.json ? `${JSON.stringify(put)}\n` : `${put.id}\n`);
    return 0;
  });
}

/** `NAME` or `NAME.METHOD`: names of functions have no dot. */
function toPutTarget(text: string, parameters: readonly unknown[]): PutTarget {
  const dot = text.indexOf(".");
  return dot === -1 ? { name: text, method: null, parameters } : { name: text.slice(0, dot), method: text.slice(dot + 1), parameters };
}
