import type { Cancel, Delivery, Execution, History, KeptTask, Put } from "./history.ts";

/** A history with its cross-references. */
export interface HistoryFacts extends History {
  readonly task: ReadonlyMap<string, KeptTask>;
  /** By its own name, and by the id that it was answered with. */
  readonly putOfSeq: ReadonlyMap<string, Put>;
  readonly tasksOfSeq: ReadonlyMap<string, readonly KeptTask[]>;
  /** In the order in which they began. */
  readonly executionsOf: ReadonlyMap<string, readonly Execution[]>;
  readonly deliveriesOf: ReadonlyMap<string, readonly Delivery[]>;
  readonly cancelsOf: ReadonlyMap<string, readonly Cancel[]>;
}

export function toFacts(history: History): HistoryFacts {
  const executions = [...history.executions].sort((a, b) => a.startedAtMs - b.startedAtMs);
  return {
    ...history,
    executions,
    task: new Map(history.tasks.map((task) => [task.id, task])),
    putOfSeq: new Map(history.puts.map((put) => [put.seq, put])),
    tasksOfSeq: Map.groupBy(
      history.tasks.filter(({ seq }) => seq !== null),
      ({ seq }) => seq!,
    ),
    executionsOf: Map.groupBy(executions, ({ taskId }) => taskId),
    deliveriesOf: Map.groupBy(history.deliveries, ({ taskId }) => taskId),
    cancelsOf: Map.groupBy(history.cancels, ({ taskId }) => taskId),
  };
}

/** The name of the input that a `chain` puts. */
export const childOf = (seq: string): string => `${seq}/child`;
export const parentOf = (seq: string): string | null => (seq.endsWith("/child") ? seq.slice(0, -"/child".length) : null);

/** Whether its server was killed, so that what it had not yet written is lost, and its container may have gone on for a while. */
export function ofKilledLife(facts: History, execution: Execution): boolean {
  return wasKilled(facts, execution.life) || mayBeOfEarlierLife(facts, execution);
}

/**
 * Whether a server that was killed may have given it out, though it began in the life of the next one: its container is
 * older than that, and what was on its way there arrived late.
 */
export function mayBeOfEarlierLife(facts: History, { life, bornAtMs }: Execution): boolean {
  return wasKilled(facts, life - 1) && bornAtMs < facts.lives[life]!.startedAtMs;
}

function wasKilled(facts: History, life: number): boolean {
  const end = facts.lives[life]?.end;
  return end === "killed" || end === "crashed";
}

/**
 * Whether the record has this execution as the attempt that it is. Where a container has executed an attempt twice, because its start was
 * lost with a server, the later one is on record.
 */
export function isRecorded(facts: HistoryFacts, task: KeptTask, execution: Execution): boolean {
  const attempt = task.attempts[execution.attempt - 1];
  const lastMs = attempt?.endedAtMs ?? Infinity;
  const ofIt = (facts.executionsOf.get(task.id) ?? []).filter((each) => each.attempt === execution.attempt && each.containerId === attempt?.containerId);
  // The witness may hear late that one began, also after its container was killed: of one alone its time says nothing.
  return (ofIt.findLast(({ startedAtMs }) => startedAtMs <= lastMs) ?? ofIt[0]) === execution;
}
