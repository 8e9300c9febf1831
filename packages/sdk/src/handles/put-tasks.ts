import { MAX_PUT_TASKS, SamovarError, show, type CallTarget, type CallTransport, type PutTask } from "@samovar/protocol";
import { readPutOptions, type PutManyOptions, type PutOptions } from "../options/task-options.ts";
import type { Inputs } from "./handle-types.ts";
import { TaskHandle } from "./task-handle.ts";

/** Where tasks are put, and how the call is written. */
export interface PutPlace {
  /** Such as `orders.put`, for messages. */
  readonly call: string;
  readonly target: CallTarget;
  readonly transport: CallTransport;
  /** Given to the handles; undefined: those of the session find their own. */
  readonly handleTransport?: CallTransport | undefined;
}

type Entry = Function;

/** One input, one task: resolves when it is on disk. */
export async function putOne(
  { call, target, transport, handleTransport }: PutPlace,
  input: unknown,
  options: PutOptions | undefined,
  entry: Entry,
): Promise<TaskHandle> {
  const { task, signal } = readPutOptions(options, call, entry);
  const [result] = await transport.put(target, [toTask(input, task)], signal ? { signal } : {});
  return toHandle(result!, handleTransport);
}

/**
 * Many inputs, as many at a time as a request takes. What a request brings is queued together or not at all; where a later
 * one fails, the error's `taskIds` are those of the requests before it.
 */
export async function putMany(place: PutPlace, inputs: Inputs<unknown>, options: PutManyOptions<unknown> | undefined, entry: Entry): Promise<TaskHandle[]> {
  const handles: TaskHandle[] = [];
  let chunk: PutTask[] = [];
  const shared = typeof options === "function" ? undefined : readPutOptions(refuseKey(options, place.call), place.call, entry);
  const ofAll = shared?.signal ? { signal: shared.signal } : {};
  const send = async (): Promise<void> => {
    const tasks = chunk;
    chunk = [];
    try {
      await putChunk(place, tasks, ofAll, handles);
    } catch (error) {
      throw handles.length > 0 ? toPartError(error, handles) : error;
    }
  };
  let index = 0;
  for await (const input of checkInputs(inputs, place.call)) {
    chunk.push(
      toTask(
        input,
        shared?.task ?? readPutOptions((options as (input: unknown, index: number) => PutOptions | undefined)(input, index), place.call, entry).task,
      ),
    );
    index++;
    if (chunk.length === MAX_PUT_TASKS) await send();
  }
  if (chunk.length > 0) await send();
  return handles;
}

/** Halves what is too large for one request, down to single inputs. */
async function putChunk(place: PutPlace, tasks: readonly PutTask[], options: { readonly signal?: AbortSignal }, handles: TaskHandle[]): Promise<void> {
  try {
    const results = await place.transport.put(place.target, tasks, options);
    for (const result of results) handles.push(toHandle(result, place.handleTransport));
  } catch (error) {
    if (tasks.length === 1 || !(error instanceof SamovarError) || error.code !== "payload_too_large") throw error;
    const middle = Math.ceil(tasks.length / 2);
    await putChunk(place, tasks.slice(0, middle), options, handles);
    await putChunk(place, tasks.slice(middle), options, handles);
  }
}

const toTask = (input: unknown, task: Omit<PutTask, "input">): PutTask => (input === undefined ? task : { ...task, input });

const toHandle = (result: { readonly id: string; readonly created: boolean }, transport: CallTransport | undefined): TaskHandle =>
  new TaskHandle(result.id, { created: result.created, ...(transport ? { transport } : {}) });

function checkInputs(inputs: Inputs<unknown>, call: string): Inputs<unknown> {
  if (typeof inputs === "object" && inputs !== null && (Symbol.asyncIterator in inputs || Symbol.iterator in inputs)) return inputs;
  throw new SamovarError("invalid_option", `${call}: the inputs are ${show(inputs)}, but it takes a list or another iterable of them`);
}

/** One key for all of them would make them one task. */
function refuseKey(options: unknown, call: string): unknown {
  if (typeof options !== "object" || options === null || (options as PutOptions).idempotencyKey === undefined) return options;
  throw new SamovarError(
    "invalid_option",
    `${call}: one idempotencyKey for all inputs would make them one task. Give a function: ${call}(inputs, (input, i) => ({ idempotencyKey: … }))`,
  );
}

function toPartError(error: unknown, handles: readonly TaskHandle[]): SamovarError {
  const samovar = error instanceof SamovarError ? error : undefined;
  const message = error instanceof Error ? error.message : String(error);
  return new SamovarError(samovar?.code ?? "internal", `${message} (the first ${handles.length} inputs were queued before)`, {
    cause: error,
    fields: { ...samovar?.fields, taskIds: handles.map(({ id }) => id) },
  });
}
