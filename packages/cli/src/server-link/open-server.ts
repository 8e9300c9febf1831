import { watch } from "node:fs";
import { makeFolders } from "@samovar/kit";
import { SamovarError, type SessionRequest } from "@samovar/protocol";
import type { CommandContext } from "../command-context.ts";
import { ControlClient } from "../client/control-client.ts";
import type { Session } from "../client/session.ts";
import { orAborted } from "../interrupt.ts";
import { findServer } from "./find-server.ts";
import { startServerProcess, type ServerProcess } from "./server-process.ts";

/** A server with a session of this command in it. */
export interface OpenServer {
  readonly client: ControlClient;
  readonly session: Session;
  readonly url: string;
  readonly token: string | null;
}

/** How long a server that starts or stops at this very moment is waited for: as long as a start may take. */
const SETTLE_MS = 30_000;
/** A change of the home may come before it is watched; then this looks again. */
const LOOK_AGAIN_MS = 200;

/**
 * Opens a session on the server that is there, else on an embedded one started for it. Two commands that start at
 * once race for the lock of the home: the loser attaches to the winner. One that meets a server on its way out
 * waits until it is gone, and starts another.
 */
export async function openServer(context: CommandContext, request: SessionRequest, driver: string | undefined): Promise<OpenServer> {
  const { settings, io } = context;
  const deadlineMs = io.clock.monotonic() + SETTLE_MS;
  for (;;) {
    try {
      return await tryOpen(context, request, driver);
    } catch (error) {
      const settles = error instanceof SamovarError && (error.code === "server_unreachable" || error.code === "shutting_down" || error.code === "home_locked");
      if (!settles || settings.url !== null || io.clock.monotonic() > deadlineMs) throw error;
      await orAborted(homeChanged(settings.home), context.interrupt.signal);
    }
  }
}

async function tryOpen(context: CommandContext, request: SessionRequest, driver: string | undefined): Promise<OpenServer> {
  const { settings, io, interrupt } = context;
  let started: ServerProcess | undefined;
  let client: ControlClient | undefined;
  try {
    let address: { url: string; token: string | null } | null = await findServer(settings);
    if (!address) address = started = await startServerProcess({ home: settings.home, embedded: true, driver, env: io.env }, interrupt.signal);
    client = await ControlClient.create(address.url, address.token);
    if (driver !== undefined && !started) await assertDriver(client, driver, interrupt.signal);
    const session = await client.openSession(request, interrupt.signal);
    return { client, session, url: address.url, token: address.token };
  } catch (error) {
    client?.dispose();
    throw error;
  } finally {
    started?.release();
  }
}

async function assertDriver(client: ControlClient, driver: string, signal: AbortSignal): Promise<void> {
  if (driver === "auto") return;
  const info = await client.server(signal);
  if (info.driver.name === driver) return;
  throw new SamovarError("unsupported", `The server at ${info.url} runs containers with the driver ${info.driver.name}, not ${driver}`, {
    fields: { fix: "Leave out --driver, stop that server with `samovar down`, or set another SAMOVAR_HOME" },
  });
}

/** Resolves when a file of the home comes, goes or changes, and in any case soon. */
async function homeChanged(home: string): Promise<void> {
  makeFolders(home, 0o700);
  const { promise, resolve } = Promise.withResolvers<void>();
  const watcher = watch(home, () => resolve());
  watcher.on("error", () => resolve());
  const timer = setTimeout(resolve, LOOK_AGAIN_MS);
  await promise;
  clearTimeout(timer);
  watcher.close();
}

/** A client for commands that look at a server and start none. Throws `server_unreachable` when there is none. */
export async function connectServer(context: CommandContext): Promise<ControlClient> {
  const address = await findServer(context.settings);
  if (!address) {
    throw new SamovarError("server_unreachable", `No server runs with the home ${context.settings.home}`, {
      fields: { fix: "Start one with `samovar up`, or set SAMOVAR_URL to one that runs elsewhere" },
    });
  }
  return ControlClient.create(address.url, address.token);
}

/**
 * A client of a server that stays, for what outlives this command. Throws where there is none, and where the one
 * that runs here ends with its last session.
 */
export async function connectStayingServer(context: CommandContext): Promise<ControlClient> {
  const { settings, interrupt } = context;
  if (settings.url === null && (await findServer(settings)) === null) {
    throw new SamovarError("server_unreachable", `No server runs with the home ${settings.home}, and what is deployed needs one that stays`, {
      fields: { fix: "Start one with `samovar up -d`, or set SAMOVAR_URL to one that runs elsewhere" },
    });
  }
  const client = await connectServer(context);
  try {
    const info = await client.server(interrupt.signal);
    if (!info.embedded) return client;
    throw new SamovarError("unsupported", `The server at ${info.url} ends with its last session, and what is deployed needs one that stays`, {
      fields: { fix: "End the `samovar run` or `samovar serve` that started it, then run `samovar up -d`; or set another SAMOVAR_HOME" },
    });
  } catch (error) {
    client.dispose();
    throw error;
  }
}
