import { setTimeout as pause } from "node:timers/promises";
import { HEADERS, isTaskOver, type PutTasksResponse, type TaskDetail } from "@samovar/protocol";
import { drawTasks, toPutTask, type DrawnTask } from "./draw-task.ts";
import type { Cancel, Put, Told } from "./history.ts";
import type { Moments } from "./moments.ts";
import { createRandom, type Random } from "./random.ts";
import { nextTry, type ApiAnswer, type ServerApi } from "./server-api.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
interface KeptPut extends Mutable<Omit<Put, "answers">> {
  readonly answers: { readonly id: string; readonly created: boolean; readonly atMs: number }[];
}

export interface ProducerOptions {
  readonly api: ServerApi;
  readonly moments: Moments;
  /** Between two requests. */
  readonly pauseMs: readonly [least: number, most: number];
}

/**
 * Puts tasks one request after another until it is told to finish. A request that got no answer is sent again where its
 * tasks have idempotency keys, and given up where they have none; what was acknowledged is remembered.
 */
export class Producer {
  readonly puts: KeptPut[] = [];
  readonly cancels: Cancel[] = [];
  readonly told: Told[] = [];
  /** Answers that it should never get. */
  readonly surprises: string[] = [];
  readonly #name: string;
  readonly #api: ServerApi;
  readonly #moments: Moments;
  readonly #random: Random;
  readonly #pauseMs: readonly [least: number, most: number];
  readonly #cancelling: Promise<void>[] = [];
  #count = 0;
  #isFinishing = false;

  constructor(name: string, seed: number, { api, moments, pauseMs }: ProducerOptions) {
    this.#name = name;
    this.#api = api;
    this.#moments = moments;
    this.#random = createRandom(seed, name);
    this.#pauseMs = pauseMs;
  }

  /** Resolves when it was told to finish and all that it sent has an answer, or never gets one. */
  async run(): Promise<void> {
    while (!this.#isFinishing) {
      const tasks = drawTasks(this.#random, this.#name, () => ++this.#count);
      const overApi = this.#random.chance(0.6);
      const waits = this.#random.chance(0.1);
      const pauseMs = this.#random.between(...this.#pauseMs);
      await this.#put(tasks, overApi);
      const id = this.puts.at(-1)!.answers.at(-1)?.id;
      if (waits && id !== undefined) await this.#wait(id);
      await pause(pauseMs);
    }
    await Promise.all(this.#cancelling);
  }

  async #wait(taskId: string): Promise<void> {
    const answer = await this.#api.once(`/api/v1/tasks/${taskId}?wait=2s`);
    if (answer?.status !== 200) return;
    const task = answer.json as TaskDetail;
    if (!isTaskOver(task.status)) return;
    this.told.push({ taskId, status: task.status, nonce: (task.result as { readonly nonce?: string } | undefined)?.nonce ?? null });
  }

  finish(): void {
    this.#isFinishing = true;
  }

  async #put(tasks: readonly DrawnTask[], overApi: boolean): Promise<void> {
    const kept = tasks.map(({ put }): KeptPut => ({ ...put, sentAtMs: Date.now(), answers: [], unanswered: false }));
    this.puts.push(...kept);
    if (overApi || tasks[0]!.priorityMs !== 0) await this.#send(kept, () => this.#overApi(tasks));
    // An input of each own: what comes first is acknowledged before the next is sent.
    else for (const [index, task] of tasks.entries()) await this.#send([kept[index]!], () => this.#overHttp(task));
    for (const [index, { cancelAfterMs }] of tasks.entries()) {
      const id = kept[index]!.answers[0]?.id;
      if (cancelAfterMs !== null && id !== undefined) this.#cancelling.push(this.#cancel(id, cancelAfterMs));
    }
  }

  async #send(kept: readonly KeptPut[], send: () => Promise<ApiAnswer | undefined>): Promise<void> {
    const sentAtMs = Date.now();
    for (const put of kept) put.sentAtMs = sentAtMs;
    for (;;) {
      const answer = await send();
      if (answer?.status === 202) return this.#acknowledge(kept, answer);
      if (answer && answer.status < 500 && answer.status !== 429) return void this.surprises.push(`${kept[0]!.seq} got ${answer.status}: ${answer.text}`);
      if (!answer) for (const put of kept) put.unanswered = true;
      if (!answer && kept.some(({ idempotencyKey }) => idempotencyKey === null)) return;
      await nextTry();
    }
  }

  #acknowledge(kept: readonly KeptPut[], { json, headers }: ApiAnswer): void {
    const atMs = Date.now();
    const results = "taskId" in json ? [{ id: String(json.taskId), created: headers.get("idempotency-replayed") === null }] : (json as PutTasksResponse).tasks;
    if (results.length !== kept.length) return void this.surprises.push(`${kept.length} tasks were put, and the answer has ${results.length}`);
    for (const [index, { id, created }] of results.entries()) kept[index]!.answers.push({ id, created, atMs });
    this.#moments.tell("acknowledged");
  }

  #overApi(tasks: readonly DrawnTask[]): Promise<ApiAnswer | undefined> {
    return this.#api.once(`/api/v1/functions/${tasks[0]!.put.function}/tasks`, { method: "POST", body: { tasks: tasks.map(toPutTask) } });
  }

  #overHttp(task: DrawnTask): Promise<ApiAnswer | undefined> {
    const { put } = task;
    return this.#api.once(`/taskqueue/${put.function}`, {
      method: "POST",
      body: toPutTask(task).input,
      headers: {
        ...(put.delayMs > 0 ? { [HEADERS.delay]: `${put.delayMs}ms` } : {}),
        ...(put.ttlMs === null ? {} : { [HEADERS.ttl]: `${put.ttlMs}ms` }),
        ...(put.idempotencyKey === null ? {} : { [HEADERS.idempotencyKey]: put.idempotencyKey }),
        ...(put.concurrencyKey === null ? {} : { [HEADERS.concurrencyKey]: put.concurrencyKey }),
      },
    });
  }

  async #cancel(taskId: string, afterMs: number): Promise<void> {
    await pause(afterMs);
    const { status, json, text } = await this.#api.answered(`/api/v1/tasks/${taskId}/cancel`, { method: "POST" });
    if (status === 200) this.cancels.push({ taskId, changed: json.changed, atMs: Date.now() });
    else this.surprises.push(`The cancel of ${taskId} got ${status}: ${text}`);
  }
}
