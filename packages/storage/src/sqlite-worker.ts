import type { DatabaseSync } from "node:sqlite";
import { parentPort, receiveMessageOnPort, workerData, type MessagePort } from "node:worker_threads";
import type { EmbedSettings, Failure, Outcome, Report, RequestMessage, SqliteSettings } from "./operations.ts";
import { toRequests } from "./request-messages.ts";
import { runBatch } from "./sqlite-batch.ts";
import { embedLargeFiles } from "./sqlite-embedding.ts";
import { toFailure } from "./sqlite-failure.ts";
import { openSqliteFile } from "./sqlite-open.ts";
import { createSqliteTables } from "./sqlite-tables.ts";

/** Bounds how long the first caller of a batch waits for the last: no message is added to so many. */
const MAX_BATCH = 1_000;

if ("copy" in (workerData as SqliteSettings | EmbedSettings)) embed(parentPort!, workerData as EmbedSettings);
else serve(parentPort!, workerData as SqliteSettings);

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

  port.on("message", (first: RequestMessage) => {
    const batch = toRequests(first);
    while (batch.length < MAX_BATCH) {
      const received: { readonly message: RequestMessage } | undefined = receiveMessageOnPort(port);
      if (!received) break;
      batch.push(...toRequests(received.message));
    }
    const { outcomes, committed } = runBatch(database, tables, settings.file, batch);
    if (committed) commits += 1;
    const isLast = batch.some((request) => request.operation.kind === "close");
    if (isLast) database.close();
    report({ type: "answers", commits, ...toAnswers(outcomes) });
    if (isLast) port.close();
  });
  report({ type: "opened", schemaBefore: opened.schemaBefore, schemaNow: opened.schemaNow, largeFolder: readLargeFolder(database) });
}

/** Large files are read and written where nobody waits: not on the event loop, not in the storage thread. */
function embed(port: MessagePort, { copy, original }: EmbedSettings): void {
  try {
    port.postMessage({ type: "embedded", lost: embedLargeFiles(copy, original) } satisfies Report);
  } catch (error) {
    port.postMessage({ type: "refused", failure: toFailure(copy, error) } satisfies Report);
  }
}

function readLargeFolder(database: DatabaseSync): string {
  return String(database.prepare("SELECT folder FROM large_files").get()!["folder"]);
}

function toAnswers(outcomes: readonly Outcome[]) {
  const failures: [number, Failure][] = [];
  const values = outcomes.map((outcome, index) => {
    if (outcome.ok) return outcome.value;
    failures.push([index, outcome.failure]);
    return undefined;
  });
  return { values, failures };
}
