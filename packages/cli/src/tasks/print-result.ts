import { createHttpTransport } from "samovar/internal";
import { SamovarError, type TaskDetail } from "@samovar/protocol";
import type { ControlClient } from "../client/control-client.ts";
import type { CommandContext, ExitCode } from "../command-context.ts";
import type { JsonFlag, WaitFlag } from "../flags.ts";
import { toShownResult } from "../output/result-json.ts";
import { toTaskFailure, waitForTask } from "./wait-for-task.ts";

/** Waits for a task that was just put, and prints its result. Throws what it failed with, and where it isn't over in time. */
export async function waitAndPrint(context: CommandContext, client: ControlClient, id: string, options: WaitFlag & JsonFlag): Promise<ExitCode> {
  const { screen } = context;
  const wait = options.wait ?? true;
  if (!options.json) screen.note(screen.noteColors.dim(id));
  const task = await waitForTask(context, client, id, wait);
  if (!options.json) {
    await printResult(context, client, task, wait);
    return 0;
  }
  screen.print(`${JSON.stringify(task)}\n`);
  return task.status === "COMPLETE" ? 0 : 1;
}

/**
 * The result of a task, alone: what `samovar run` prints of a call. It is fetched by itself, because what the API tells
 * about a task has no large ones, and others only as JSON shows them. Throws where there is none.
 */
export async function printResult({ io, screen, interrupt }: CommandContext, client: ControlClient, task: TaskDetail, wait?: number | true): Promise<void> {
  const failure = toTaskFailure(task, wait);
  if (failure) throw failure;
  if (task.delivery === "call") {
    throw new SamovarError("not_found", `${task.id} was a call, whose result went to who called: it is not kept`, {
      fields: { fix: "Results of what is queued are kept: `samovar task put`, `.put` and `.spawn` in code" },
    });
  }
  const transport = createHttpTransport({ url: client.http.url, token: client.http.token ?? undefined });
  try {
    const shown = toShownResult(await transport.taskResult(task.id, { signal: interrupt.signal }), io.stdout.isTTY === true);
    screen.print(shown.kind === "line" ? shown.text : shown.bytes);
  } finally {
    transport.close();
  }
}
