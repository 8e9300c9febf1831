import type { FunctionKind } from "@samovar/protocol";

/** The kinds that have one handler. */
export type CallableKind = Exclude<FunctionKind, "cls">;

/** How each is written. */
export const CALLABLE_WORDS: Readonly<Record<CallableKind, string>> = {
  endpoint: "endpoint",
  function: "fn",
  taskqueue: "taskQueue",
  schedule: "schedule",
};
