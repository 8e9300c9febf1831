import { toSerializedError } from "@samovar/protocol";
import { parseServerConfig } from "./config.ts";
import { createServerLog } from "./server-log.ts";
import type { SamovarServer } from "./running-server.ts";
import { startServer } from "./server.ts";

/**
 * The server as a process of its own: reads its environment, tells whoever forked it `{ url, token }` or `{ error }`,
 * and stops gracefully on SIGTERM or SIGINT (a second one ends it at once).
 */
async function main(): Promise<void> {
  let server: SamovarServer | null = null;
  let stopAsked = false;
  const wasForked = process.connected;
  // From the first moment on: a start that is cut off would leave its socket and its lock's journal.
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      stopAsked = true;
      server?.shutdown("shutdown");
    });
  }
  try {
    const config = parseServerConfig(process.env);
    server = await startServer({ config, logger: createServerLog(config.logLevel) });
    if (stopAsked) server.shutdown("shutdown");
    await serve(server, { embedded: config.embedded, wasForked });
    process.exit(0);
  } catch (error) {
    if (process.connected) await new Promise((sent) => process.send!({ error: toSerializedError(error) }, sent));
    else console.error(error);
    process.exit(1);
  }
}

async function serve(server: SamovarServer, { embedded, wasForked }: { readonly embedded: boolean; readonly wasForked: boolean }): Promise<void> {
  // Whoever started it lets go once it has a session, or died before: then there is nothing to wait for.
  const letGo = (): void => {
    if (embedded && server.isLonely) server.shutdown("done");
  };
  process.once("disconnect", letGo);
  if (process.connected) process.send!({ url: server.url, token: server.adminToken }, (error: Error | null) => error && letGo());
  else if (wasForked) letGo();
  await server.closed;
}

await main();
