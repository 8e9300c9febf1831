import { DatabaseSync } from "node:sqlite";
import { isMainThread, parentPort, receiveMessageOnPort, Worker, workerData } from "node:worker_threads";

type Message = readonly (readonly [kind: 0 | 1, id: number, bytes: Uint8Array])[];

if (!isMainThread) serve(workerData as string);

/** Two tables of three columns and two statements: what SQLite, one fsync per group and two thread hops allow. */
function serve(file: string): void {
  const database = new DatabaseSync(file);
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  database.exec("CREATE TABLE tasks (id INTEGER PRIMARY KEY, status INTEGER NOT NULL, input BLOB, result BLOB)");
  const insert = database.prepare("INSERT INTO tasks (id, status, input) VALUES (?, 0, ?)");
  const end = database.prepare("UPDATE tasks SET status = 1, result = ? WHERE id = ? AND status = 0");
  parentPort!.on("message", (first: Message | null) => {
    if (first === null) {
      database.close();
      parentPort!.close();
      return;
    }
    const batch = [...first];
    for (let more; (more = receiveMessageOnPort(parentPort!) as { readonly message: Message } | undefined);) batch.push(...more.message);
    database.exec("BEGIN IMMEDIATE");
    for (const [kind, id, bytes] of batch) {
      if (kind === 0) insert.run(id, bytes);
      else end.run(bytes, id);
    }
    database.exec("COMMIT");
    parentPort!.postMessage(batch.length);
  });
}

export async function openPlainLoop(file: string) {
  const worker = new Worker(new URL(import.meta.url), { workerData: file, execArgv: [] });
  const waiting: (() => void)[] = [];
  let asked: [0 | 1, number, Uint8Array][] = [];
  worker.on("message", (answered: number) => {
    for (const resolve of waiting.splice(0, answered)) resolve();
  });
  const ask = (kind: 0 | 1, id: number, bytes: Uint8Array): Promise<void> =>
    new Promise((resolve) => {
      waiting.push(resolve);
      asked.push([kind, id, bytes]);
      if (asked.length > 1) return;
      setImmediate(() => {
        worker.postMessage(asked);
        asked = [];
      });
    });
  return {
    async run(tasks: number, inFlight: number, input: Uint8Array) {
      const insertMs: number[] = [];
      const settleMs: number[] = [];
      let begun = 0;
      const cpu = process.cpuUsage();
      const startedAt = performance.now();
      const caller = async (): Promise<void> => {
        while (begun < tasks) {
          const id = ++begun;
          const before = performance.now();
          await ask(0, id, input);
          const between = performance.now();
          await ask(1, id, input);
          insertMs.push(between - before);
          settleMs.push(performance.now() - between);
        }
      };
      await Promise.all(Array.from({ length: inFlight }, caller));
      const perSecond = (tasks / (performance.now() - startedAt)) * 1000;
      const { user, system } = process.cpuUsage(cpu);
      return { perSecond, cpuUsPerTask: (user + system) / tasks, insertMs, settleMs };
    },
    async close() {
      const exited = new Promise((resolve) => worker.once("exit", resolve));
      worker.postMessage(null);
      await exited;
    },
  };
}
