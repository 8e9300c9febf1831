import type { ControlClient } from "../client/control-client.ts";
import type { CommandContext } from "../command-context.ts";
import { connectServer } from "./open-server.ts";

/** A client of the server that is there, for as long as the work lasts. */
export async function withServer<T>(context: CommandContext, work: (client: ControlClient, signal: AbortSignal) => Promise<T>): Promise<T> {
  const client = await connectServer(context);
  try {
    return await work(client, context.interrupt.signal);
  } finally {
    client.dispose();
  }
}
