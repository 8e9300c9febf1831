import { LostFileError, type LargeFiles } from "./large-files.ts";
import { LARGE_BYTES } from "./large-file-name.ts";
import type { StorageThread } from "./storage-thread.ts";
import type { LargeInput } from "./task-operations.ts";
import type { InsertedTask, NewTask, SettledTask, TaskRecord, WaitingTask } from "./task-store.ts";

export function isLarge(bytes: Uint8Array): boolean {
  return bytes.length >= LARGE_BYTES;
}

const NO_BYTES = new Uint8Array();

/** By the names of their files; an error where it is lost. */
export type ReadInputs = Map<string, Uint8Array | LostFileError>;

/** Each task with its input, which lies in that file, if one is named. */
export function joinInputs(tasks: readonly WaitingTask[], files: readonly (string | null)[], inputs: ReadInputs): readonly WaitingTask[] {
  return tasks.map((task, index) => {
    const file = files[index]!;
    if (file === null) return task;
    const input = inputs.get(file)!;
    return LostFileError.is(input) ? { ...task, lostInput: input.message } : { ...task, input };
  });
}

/**
 * Tasks whose input or result lies in a file. It is written before the change that names it; where that doesn't come to
 * be, nothing names it, and it is removed, unless the thread died and nobody knows.
 */
export class LargeTasks {
  readonly #files: LargeFiles;
  readonly #thread: StorageThread;
  readonly #underWay = new Set<Promise<unknown>>();

  constructor(files: LargeFiles, thread: StorageThread) {
    this.#files = files;
    this.#thread = thread;
  }

  insert(
    tasks: readonly NewTask[],
    insertWith: (inputs: readonly Uint8Array[], large: readonly (LargeInput | null)[]) => Promise<readonly InsertedTask[]>,
  ): Promise<readonly InsertedTask[]> {
    const work = async (): Promise<readonly InsertedTask[]> => {
      const hashes = await Promise.all(
        tasks.map(({ input, idempotencyKey }) => (isLarge(input) && idempotencyKey !== null ? toHashAside(input) : Promise.resolve(null))),
      );
      const files = await this.#writeAll(tasks.map(({ input }) => (isLarge(input) ? input : null)));
      const large = files.map((file, index) => (file === null ? null : { file, hash: hashes[index]! }));
      const inputs = tasks.map(({ input }) => (isLarge(input) ? NO_BYTES : input));
      const inserted = await this.#keepWhere(files, () => insertWith(inputs, large));
      await this.#files.remove(files.filter((file, index) => file !== null && !inserted[index]!.inserted) as string[]);
      return inserted;
    };
    return this.#track(work());
  }

  settle(result: Uint8Array, settleWith: (file: string) => Promise<SettledTask>): Promise<SettledTask> {
    const work = async (): Promise<SettledTask> => {
      const file = await this.#files.write(result);
      const settled = await this.#keepWhere([file], () => settleWith(file));
      if (!settled.applied) await this.#files.remove([file]);
      return settled;
    };
    return this.#track(work());
  }

  /** Adds what isn't among them yet. Rejects with what passes, as when there are too many open files. */
  async readInputs(files: readonly (string | null)[], inputs: ReadInputs): Promise<void> {
    const read = async (file: string): Promise<void> => {
      inputs.set(
        file,
        await this.#files.read(file).catch((error: unknown) => {
          if (LostFileError.is(error)) return error;
          throw error;
        }),
      );
    };
    await Promise.all(files.filter((file) => file !== null && !inputs.has(file)).map((file) => read(file!)));
  }

  /** With the result that lies in this file, or why it is lost. */
  async withResult(record: TaskRecord, file: string): Promise<TaskRecord> {
    if (!record.result) return record;
    try {
      return { ...record, result: { ...record.result, bytes: await this.#files.read(file) } };
    } catch (error) {
      if (!LostFileError.is(error)) throw error;
      return { ...record, result: null, lostResult: error.message };
    }
  }

  remove(files: readonly string[]): Promise<void> {
    return this.#files.remove(files);
  }

  /** What was asked before now is on disk, or failed. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#underWay);
    await this.#files.settled();
  }

  /** All of them or none. */
  async #writeAll(inputs: readonly (Uint8Array | null)[]): Promise<(string | null)[]> {
    const written = await Promise.allSettled(inputs.map((input) => (input === null ? Promise.resolve(null) : this.#files.write(input))));
    const failed = written.find((one) => one.status === "rejected");
    const files = written.map((one) => (one.status === "fulfilled" ? one.value : null));
    if (!failed) return files;
    await this.#files.remove(files.filter((file) => file !== null));
    throw failed.reason;
  }

  async #keepWhere<T>(files: readonly (string | null)[], change: () => Promise<T>): Promise<T> {
    try {
      return await change();
    } catch (error) {
      if (!this.#thread.hasFailed) await this.#files.remove(files.filter((file) => file !== null));
      throw error;
    }
  }

  #track<T>(work: Promise<T>): Promise<T> {
    const over: Promise<unknown> = work.then(
      () => this.#underWay.delete(over),
      () => this.#underWay.delete(over),
    );
    this.#underWay.add(over);
    return work;
  }
}

/** In a thread of Node's: of 64 MiB it takes longer than anybody should wait for the event loop. */
async function toHashAside(input: Uint8Array): Promise<string> {
  return Buffer.from(await crypto.subtle.digest("SHA-256", input as Uint8Array<ArrayBuffer>)).toString("hex");
}
