import { SamovarError, type CallTarget, type CallTransport } from "@samovar/protocol";
import type { CommandContext } from "../command-context.ts";
import { UserCodeError } from "../output/error-report.ts";
import { toShownResult } from "../output/result-json.ts";
import type { Selection } from "../select-function.ts";

/** Calls the function once and writes its result, or its items as they come, to stdout. Throws what it threw as `UserCodeError`. */
export async function callOnce(
  context: CommandContext,
  transport: CallTransport,
  { fn, method, callable }: Selection,
  parameters: readonly unknown[],
  input: unknown,
): Promise<void> {
  const { io, screen, interrupt } = context;
  const target: CallTarget = { kind: fn.kind, name: fn.name, parameters, ...(method === null ? {} : { method }) };
  // The first Ctrl-C lets the input finish for as long as the session drains; only the second gives it up.
  const { forced: signal } = interrupt;
  const show = (value: unknown): void => {
    const shown = toShownResult(value, io.stdout.isTTY === true);
    screen.print(shown.kind === "line" ? shown.text : shown.bytes);
  };
  try {
    if (fn.kind === "taskqueue" || fn.kind === "schedule") return show(await putAndWait(transport, target, input, signal));
    if (!callable.streaming) return show(await transport.call(target, input, { signal }));
    for await (const item of transport.stream(target, input, { signal })) show(item);
  } catch (error) {
    rethrow(error);
  }
}

/** As a task, because it is retried as one. A schedule is run once, whatever its times are. */
async function putAndWait(transport: CallTransport, target: CallTarget, input: unknown, signal: AbortSignal): Promise<unknown> {
  if (target.kind === "schedule" && input !== undefined) {
    throw new SamovarError("invalid_request", `${target.name} is a schedule, which takes no input`, { fields: { fix: "Leave out --input" } });
  }
  const [put] = await transport.put(target, [input === undefined ? {} : { input }], { signal });
  return await transport.taskResult(put!.id, { signal });
}

/** What the function threw is told by its own name and stack; what the system says of the call, as it is. */
function rethrow(error: unknown): never {
  const isHandlers = error instanceof Error && !(error instanceof SamovarError) && error.name !== "InterruptedError";
  if (isHandlers) throw new UserCodeError(error, "The function threw this: mend it, or the input");
  throw error;
}
