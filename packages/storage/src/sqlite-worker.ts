import { parentPort, receiveMessageOnPort, workerData, type MessagePort } from "node:worker_threads";
import type { Report, Request, SqliteSettings } from "./operations.ts";
import { runBatch } from "./sqlite-batch.ts";
import { openSqliteFile } from "./sqlite-open.ts";
import { createSqliteTables } from "./sqlite-tables.ts";

/** Bounds how long the first caller of a batch waits for the last. */
const MAX_BATCH = 1_000;

serve(parentPort!, workerData as SqliteSettings);

/** The storage thread. It sleeps until something arrives, and takes all that arrived meanwhile into one transaction. */
function serve(port: MessagePort, settings: SqliteSettings): void {
  const report = (message: Report): void => port.postMessage(message);
  const opened = openSqliteFile(settings.file, settings.busyTimeoutMs);
  if (!opened.ok) {
    report({ type: "refused", failure: opened.failure });
    return;
  }
  const { database } = opened;
  const tables = createSqliteTables(database, settings);
  let commits = 0;

  port.on("message", (first: Request) => {
    const batch = [first, ...receiveWaiting(port, MAX_BATCH - 1)];
    const { outcomes, committed } = runBatch(database, tables, settings.file, batch);
    if (committed) commits += 1;
    const isLast = batch.some((request) => request.operation.kind === "close");
    if (isLast) database.close();
    report({ type: "answers", commits, answers: batch.map((request, index) => ({ id: request.id, outcome: outcomes[index]! })) });
    if (isLast) port.close();
  });
  report({ type: "opened", schemaBefore: opened.schemaBefore, schemaNow: opened.schemaNow });
}

function receiveWaiting(port: MessagePort, max: number): Request[] {
  const requests: Request[] = [];
  while (requests.length < max) {
    const received: { readonly message: Request } | undefined = receiveMessageOnPort(port);
    if (!received) break;
    requests.push(received.message);
  }
  return requests;
}
