import { checkAcceptance } from "./check-acceptance.ts";
import { checkAttempts } from "./check-attempts.ts";
import { checkCallbacks, checkTicks } from "./check-deliveries.ts";
import { checkKeys, checkWishes } from "./check-order.ts";
import { toFacts } from "./history-facts.ts";
import type { History, Violation } from "./history.ts";

export const TICK_EVERY_MS = 1_000;

/** Everything that was promised about tasks and does not hold in this history. */
export function checkHistory(history: History): readonly Violation[] {
  const facts = toFacts(history);
  const crashes = history.lives.flatMap((life, index): Violation[] =>
    life.end === "crashed" ? [{ rule: "server-crashed", taskId: null, message: `Life ${index} of the server ended by itself` }] : [],
  );
  return [
    ...crashes,
    ...checkAcceptance(facts),
    ...checkAttempts(facts),
    ...checkKeys(facts),
    ...checkWishes(facts),
    ...checkCallbacks(facts),
    ...checkTicks(facts, TICK_EVERY_MS),
  ];
}
