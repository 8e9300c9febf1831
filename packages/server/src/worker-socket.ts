import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import type { WorkerHub } from "@samovar/scheduler";

/** Whoever connects before `opened` waits. */
export async function listenForWorkers(path: string, hub: WorkerHub, opened: Promise<void>): Promise<Server> {
  // The home's lock is ours, so whatever stands there is left from a server that died.
  rmSync(path, { force: true });
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    void opened.then(() => hub.accept(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ path, backlog: 1_024 }, resolve);
  });
  // Containers that outlived their server are other users, and are not started anew for it. Others of this machine don't get this far.
  chmodSync(path, 0o666);
  return server;
}

/** Nobody is let in any more; who waited to be is cut off. */
export function closeWorkerSocket(server: Server, hub: WorkerHub, path: string): void {
  server.close();
  hub.dispose();
  rmSync(path, { force: true });
}
