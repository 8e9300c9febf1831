import type { TaskAttempt, TaskInfo } from "@samovar/protocol";

/** What a task does, as its handler is told; `chaos-app.ts` has the handlers. */
export type Behaviour =
  /** Returns at once, or after `ms`. */
  | { readonly does: "work"; readonly ms: number }
  /** Throws while its attempt's number is at most `times`. */
  | { readonly does: "flaky"; readonly times: number }
  /** Throws always. */
  | { readonly does: "broken" }
  /** Throws always, an error that is worth no retry. */
  | { readonly does: "fatal" }
  /** Takes longer than its timeout. */
  | { readonly does: "dawdle" }
  /** Ends its process in its first attempt. */
  | { readonly does: "crash"; readonly how: "exit" | "SIGKILL" }
  /** Ends its process in every attempt. */
  | { readonly does: "poison"; readonly how: "exit" | "SIGKILL" }
  /** Puts a task with an idempotency key of its own, from inside its container. */
  | { readonly does: "chain" };

/** What may be expected of the tasks of a function. */
export interface QueueRules {
  readonly maxRetries: number;
  readonly hasCallback: boolean;
}

/** One input that a producer put, and all that it heard of it. */
export interface Put {
  /** Names the input, in its body too. */
  readonly seq: string;
  readonly function: string;
  readonly behaviour: Behaviour;
  readonly delayMs: number;
  readonly ttlMs: number | null;
  readonly idempotencyKey: string | null;
  readonly concurrencyKey: string | null;
  readonly sentAtMs: number;
  /** Each answer that named a task. With an idempotency key there may be many. */
  readonly answers: readonly { readonly id: string; readonly created: boolean; readonly atMs: number }[];
  /** It was sent, and no answer came: it may be there or not, unless a later answer says. */
  readonly unanswered: boolean;
}

/** A cancel that was answered. */
export interface Cancel {
  readonly taskId: string;
  readonly changed: boolean;
  readonly atMs: number;
}

/** An answer to who waited for a task, when it was over. */
export interface Told {
  readonly taskId: string;
  readonly status: string;
  readonly nonce: string | null;
}

/** A run of a handler, as the witness saw it: by a connection that the kernel closes with the process. */
export interface Execution {
  /** Made by the handler itself; a completed task's result has it. */
  readonly nonce: string;
  readonly seq: string;
  readonly taskId: string;
  readonly attempt: number;
  readonly containerId: string;
  readonly version: number;
  /** The life of the server in which it began, or that was the last by then. */
  readonly life: number;
  /** When its process was started: it may be older than that life. */
  readonly bornAtMs: number;
  readonly startedAtMs: number;
  /** `gone`: its process ended before it said anything; null: it had not ended when the run did. */
  readonly end: "returned" | "threw" | "gone" | null;
  readonly endedAtMs: number | null;
}

/** From the start of a server process until its end. */
export interface ServerLife {
  readonly startedAtMs: number;
  readonly endedAtMs: number | null;
  /** `crashed`: it ended although nobody wanted it. */
  readonly end: "killed" | "stopped" | "crashed" | null;
}

export interface Delivery {
  readonly webhookId: string;
  readonly taskId: string;
  readonly status: string;
  readonly signed: boolean;
  /** What the receiver answered; 0: it hung up. */
  readonly answered: number;
  readonly atMs: number;
}

/** A task as the server shows it at the end. */
export interface KeptTask extends Pick<
  TaskInfo,
  "id" | "function" | "status" | "createdAtMs" | "endedAtMs" | "expiresAtMs" | "concurrencyKey" | "idempotencyKey" | "tickAtMs"
> {
  readonly attempts: readonly TaskAttempt[];
  /** Of its input; null for a tick. */
  readonly seq: string | null;
  /** Of its result. */
  readonly nonce: string | null;
}

/** All that is known of a run, from everybody who took part. */
export interface History {
  readonly queues: Readonly<Record<string, QueueRules>>;
  /** Of one producer in the order in which it put them; of one key there is one producer. */
  readonly puts: readonly Put[];
  readonly cancels: readonly Cancel[];
  readonly told: readonly Told[];
  readonly executions: readonly Execution[];
  readonly lives: readonly ServerLife[];
  readonly killedContainers: readonly { readonly id: string; readonly atMs: number }[];
  readonly deliveries: readonly Delivery[];
  readonly tasks: readonly KeptTask[];
}

/** Something that was promised and does not hold. */
export interface Violation {
  readonly rule: string;
  /** Null: of no single task. */
  readonly taskId: string | null;
  readonly message: string;
}
