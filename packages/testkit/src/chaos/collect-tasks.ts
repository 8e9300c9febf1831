import type { TaskDetail, TaskPage } from "@samovar/protocol";
import type { KeptTask } from "./history.ts";
import type { ServerApi } from "./server-api.ts";

const PAGE = 100;
const AT_A_TIME = 16;

/** Waits for every task that isn't over; gives up when none ends for so long. */
export async function waitUntilOver(api: ServerApi, stallMs: number, tell: (line: string) => void): Promise<void> {
  const open = `/api/v1/tasks?status=PENDING,RUNNING,RETRY&limit=${PAGE}`;
  for (let before = "", sinceMs = Date.now(); ;) {
    const { tasks } = (await api.answered(open)).json as TaskPage;
    if (tasks.length === 0) return;
    const ids = tasks.map(({ id }) => id).join();
    if (ids !== before) sinceMs = Date.now();
    else if (Date.now() - sinceMs > stallMs) return tell(`${tasks.length === PAGE ? "at least " : ""}${tasks.length} tasks do not end`);
    before = ids;
    await api.answered(`/api/v1/tasks/${tasks.at(-1)!.id}?wait=5s`);
  }
}

/** All tasks that the server has, as it shows them. */
export async function collectTasks(api: ServerApi): Promise<readonly KeptTask[]> {
  const ids: string[] = [];
  for (let cursor: string | null = ""; cursor !== null;) {
    const page = (await api.answered(`/api/v1/tasks?limit=${PAGE}${cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`}`)).json as TaskPage;
    ids.push(...page.tasks.filter(({ delivery }) => delivery === "queued").map(({ id }) => id));
    cursor = page.cursor;
  }
  const tasks: KeptTask[] = [];
  const left = ids.values();
  const collect = async (): Promise<void> => {
    for (const id of left) tasks.push(toKept((await api.answered(`/api/v1/tasks/${id}`)).json as TaskDetail));
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, collect));
  return tasks;
}

function toKept(task: TaskDetail): KeptTask {
  const { id, status, attempts, createdAtMs, endedAtMs, expiresAtMs, concurrencyKey, idempotencyKey, tickAtMs } = task;
  const seq = tickAtMs === null ? (task.input as { readonly seq?: string } | undefined)?.seq : null;
  return {
    ...{ id, function: task.function, status, attempts, createdAtMs, endedAtMs, expiresAtMs, concurrencyKey, idempotencyKey, tickAtMs },
    seq: seq ?? (tickAtMs === null ? "unknown" : null),
    nonce: (task.result as { readonly nonce?: string } | undefined)?.nonce ?? null,
  };
}
