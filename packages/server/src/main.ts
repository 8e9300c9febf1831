import { toSerializedError } from "@samovar/protocol";
import { parseServerConfig } from "./config.ts";
import { createServerLog } from "./server-log.ts";
import { startServer } from "./server.ts";

/**
 * The server as a process of its own: reads its environment, tells whoever forked it `{ url, token }` or `{ error }`,
 * and stops gracefully on SIGTERM or SIGINT (a second one ends it at once).
 */
async function main(): Promise<void> {
  try {
    const config = parseServerConfig(process.env);
    const server = await startServer({ config, logger: createServerLog(config.logLevel) });
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => server.shutdown("shutdown"));
    // Whoever started it lets go once it has a session, or died before: then there is nothing to wait for.
    process.once("disconnect", () => {
      if (config.embedded && server.isLonely) server.shutdown("done");
    });
    process.send?.({ url: server.url, token: server.adminToken });
    await server.closed;
    process.exit(0);
  } catch (error) {
    if (!process.send) console.error(error);
    else await new Promise((sent) => process.send!({ error: toSerializedError(error) }, sent));
    process.exit(1);
  }
}

await main();
