import type { PutTask, TaskDetail } from "@samovar/protocol";
import type { PutTarget } from "../client/task-client.ts";
import type { CommandContext, ExitCode } from "../command-context.ts";
import type { JsonFlag, TaskPutFlags, WaitFlag } from "../flags.ts";
import { orAborted } from "../interrupt.ts";
import { connectServer } from "../server-link/open-server.ts";
import type { ControlClient } from "../client/control-client.ts";
import { toTaskFailure, waitShown } from "../tasks/wait-for-task.ts";
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
  const client = await connectServer(context);
  try {
    const put = await client.tasks.put(target, task, interrupt.signal);
    if (!put.created && !options.json) screen.note(screen.noteColors.dim(`${put.id} has this key already: it stands for this one`));
    if (options.wait !== undefined) return await printResult(context, client, put.id, options);
    screen.print(options.json ? `${JSON.stringify(put)}\n` : `${put.id}\n`);
    return 0;
  } finally {
    client.dispose();
  }
}

/** Waits for a task and prints its result as a line of JSON. Throws what it failed with, and where it isn't over in time. */
export async function printResult(context: CommandContext, client: ControlClient, id: string, options: WaitFlag & JsonFlag): Promise<ExitCode> {
  const { screen } = context;
  const wait = options.wait ?? true;
  if (!options.json) screen.note(screen.noteColors.dim(id));
  const task: TaskDetail = await waitShown(context, client, id, wait);
  if (options.json) {
    screen.print(`${JSON.stringify(task)}\n`);
    return task.status === "COMPLETE" ? 0 : 1;
  }
  const failure = toTaskFailure(task, wait);
  if (failure) throw failure;
  screen.print(`${JSON.stringify(task.result ?? null)}\n`);
  return 0;
}

/** `NAME` or `NAME.METHOD`: names of functions have no dot. */
function toPutTarget(text: string, parameters: readonly unknown[]): PutTarget {
  const dot = text.indexOf(".");
  return dot === -1 ? { name: text, method: null, parameters } : { name: text.slice(0, dot), method: text.slice(dot + 1), parameters };
}
