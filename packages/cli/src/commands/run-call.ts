import { SamovarError, type DeployedFunction } from "@samovar/protocol";
import { callFunction, streamFunction, type Call } from "../client/call-function.ts";
import type { HttpClient } from "../client/http-client.ts";
import type { CommandContext } from "../command-context.ts";
import { UserCodeError } from "../output/error-report.ts";
import { toShownResult } from "../output/result-json.ts";
import type { Selection } from "../select-function.ts";

/** Calls the function once and writes its result, or its items as they come, to stdout. Throws what it threw as `UserCodeError`. */
export async function callOnce(
  context: CommandContext,
  http: HttpClient,
  functions: readonly DeployedFunction[],
  selection: Selection,
  parameters: readonly unknown[],
  input: unknown,
): Promise<void> {
  const { io, screen, interrupt } = context;
  const { fn, method } = selection;
  const deployed = functions.find((each) => each.name.toLowerCase() === fn.name.toLowerCase());
  if (!deployed) throw new SamovarError("internal", `The server did not say which id ${fn.name} has`);
  const call: Call = { kind: fn.kind, functionId: deployed.id, method, parameters, input };
  const show = (value: unknown): void => {
    const shown = toShownResult(value, io.stdout.isTTY === true);
    screen.print(shown.kind === "line" ? shown.text : shown.bytes);
  };
  if (!selection.callable.streaming) {
    show(await callFunction(http, call, interrupt.signal).catch(rethrow));
    return;
  }
  const items = streamFunction(http, call, interrupt.signal);
  try {
    for (;;) {
      const next = await items.next().catch(rethrow);
      if (next.done) return;
      show(next.value);
    }
  } finally {
    await items.return(undefined);
  }
}

/** What the function threw is told by its own name and stack. */
function rethrow(error: unknown): never {
  const isHandlers =
    error instanceof SamovarError
      ? error.code === "handler_error" && error.cause instanceof Error
      : error instanceof Error && !("code" in error) && error.name !== "InterruptedError";
  if (isHandlers) throw new UserCodeError(error instanceof SamovarError ? error.cause : error, "The function threw this: mend it, or the input");
  throw error;
}
