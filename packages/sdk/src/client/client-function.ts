import { SamovarError, type CallTarget, type FunctionKind } from "@samovar/protocol";
import type { CallOptions } from "../handles/handle-types.ts";
import { putOne } from "../handles/put-tasks.ts";
import { createScalingHandle, type ScalingHandle } from "../handles/scaling-handle.ts";
import type { PutOptions } from "../options/task-options.ts";
import { ClientTask } from "./client-task.ts";
import type { HttpTransport } from "./http-transport.ts";

/** Of a class: what of it is called. */
export interface MethodOptions {
  readonly method?: string;
  /** Constructor arguments, as `.with(…)` takes them. */
  readonly with?: readonly unknown[];
}

/** A function of any kind, known by its name or id alone; its types are the caller's to say. */
export interface ClientFunction extends ScalingHandle {
  /**
   * Queues an input and gives its task, as soon as it is on the server's disk.
   *
   * @example
   * const task = await client.deployment("orders").submit({ id: 7 }, { idempotencyKey: "order-7" });
   * console.log(await task.result({ wait: "1m" }));
   */
  submit<O = unknown>(input?: unknown, options?: PutOptions & MethodOptions): Promise<ClientTask<O>>;
  /** Calls it and waits for its result; throws what it threw. Of a task queue or schedule it is the result of the task. */
  request<O = unknown>(input?: unknown, options?: Partial<CallOptions> & MethodOptions): Promise<O>;
  /** Calls a generator, or what answers with one, and gives its items as they come. */
  stream<O = unknown>(input?: unknown, options?: Partial<CallOptions> & MethodOptions): AsyncIterable<O>;
}

/** `kindOf` is asked at the first request: the kind is part of the URL. */
export function createClientFunction(name: string, transport: HttpTransport, kindOf: () => Promise<FunctionKind>): ClientFunction {
  if (typeof name !== "string" || name === "") throw new SamovarError("invalid_option", "A function's name or id is a string that is not empty");
  const toTarget = (kind: FunctionKind, { method, with: parameters }: MethodOptions): CallTarget => ({
    kind,
    name,
    ...(method === undefined ? {} : { method }),
    ...(parameters === undefined ? {} : { parameters }),
  });
  let kind: Promise<FunctionKind> | undefined;
  const findKind = (method: string | undefined): Promise<FunctionKind> => {
    if (method !== undefined) return Promise.resolve("cls");
    kind ??= kindOf();
    // A function that was not there may be there the next time.
    kind.catch(() => (kind = undefined));
    return kind;
  };
  return {
    submit: async function submit<O>(input?: unknown, { method, with: parameters, ...options }: PutOptions & MethodOptions = {}) {
      const target = toTarget("function", { ...(method === undefined ? {} : { method }), ...(parameters === undefined ? {} : { with: parameters }) });
      const { id, created } = await putOne({ call: `${name}.submit`, target, transport }, input, options, submit);
      return new ClientTask<O>(id, transport, created);
    },
    async request<O>(input?: unknown, { signal, ...which }: Partial<CallOptions> & MethodOptions = {}) {
      const found = await findKind(which.method);
      const target = toTarget(found, which);
      if (found !== "taskqueue" && found !== "schedule") return (await transport.call(target, input, signal ? { signal } : {})) as O;
      const [result] = await transport.put(target, [input === undefined ? {} : { input }], signal ? { signal } : {});
      return (await transport.taskResult(result!.id, signal ? { signal } : {})) as O;
    },
    async *stream<O>(input?: unknown, { signal, ...which }: Partial<CallOptions> & MethodOptions = {}) {
      const target = toTarget(await findKind(which.method), which);
      yield* transport.stream(target, input, signal ? { signal } : {}) as AsyncIterable<O>;
    },
    ...createScalingHandle({ label: () => name, target: () => ({ kind: "function", name }), transport }),
  };
}
