import type { Moment } from "./moments.ts";
import type { Random } from "./random.ts";

/** What the killer does next. `pick` is in [0, 1): where in the list of those that there are. `at` null: whatever is just happening. */
export type Action =
  | { readonly kind: "kill-server"; readonly at: Moment | null; readonly pauseMs: number; readonly againAfterMs: number | null }
  | { readonly kind: "kill-everything"; readonly at: Moment | null; readonly pauseMs: number }
  | { readonly kind: "kill-container"; readonly pick: number }
  | { readonly kind: "kill-containers" }
  | { readonly kind: "restart" }
  /** `waits`: nothing else happens until it is done; else it may be cut off. */
  | { readonly kind: "deploy"; readonly waits: boolean }
  | { readonly kind: "freeze-server"; readonly forMs: number }
  | { readonly kind: "freeze-container"; readonly pick: number; readonly forMs: number };

export interface PlannedAction {
  readonly afterMs: number;
  readonly action: Action;
}

export const isKill = ({ kind }: Action): boolean => kind.startsWith("kill-");

/** Draws as much for each action, whatever comes of it, so that a seed leads to the same ones on every machine. */
export function drawAction(random: Random): PlannedAction {
  const kind = random.weighted<Action["kind"]>([
    [30, "kill-server"],
    [10, "kill-everything"],
    [28, "kill-container"],
    [7, "kill-containers"],
    [5, "restart"],
    [6, "deploy"],
    [6, "freeze-server"],
    [8, "freeze-container"],
  ]);
  const afterMs = random.between(20, 1_500);
  const pick = random.next();
  const forMs = random.between(20, 800);
  const pauseMs = random.chance(0.6) ? 0 : random.between(1, 1_000);
  const at = random.weighted<Moment | null>([
    [40, null],
    [25, "acknowledged"],
    [15, "began"],
    [20, "ended"],
  ]);
  const againAfterMs = random.chance(0.2) ? random.between(1, 900) : null;
  return { afterMs, action: toAction(kind, { pick, forMs, at, pauseMs, againAfterMs }) };
}

interface Drawn {
  readonly pick: number;
  readonly forMs: number;
  readonly at: Moment | null;
  readonly pauseMs: number;
  readonly againAfterMs: number | null;
}

function toAction(kind: Action["kind"], { pick, forMs, at, pauseMs, againAfterMs }: Drawn): Action {
  switch (kind) {
    case "kill-server":
      return { kind, at, pauseMs, againAfterMs };
    case "kill-everything":
      return { kind, at, pauseMs };
    case "kill-container":
      return { kind, pick };
    case "freeze-server":
      return { kind, forMs };
    case "freeze-container":
      return { kind, pick, forMs };
    case "deploy":
      return { kind, waits: pick < 0.5 };
    default:
      return { kind };
  }
}

export function describeAction(action: Action): string {
  switch (action.kind) {
    case "kill-server":
      return `SIGKILL of the server${describeMoment(action.at)}, up after ${action.pauseMs} ms${action.againAfterMs === null ? "" : `, killed again ${action.againAfterMs} ms into its start`}`;
    case "kill-everything":
      return `SIGKILL of everything${describeMoment(action.at)}, up after ${action.pauseMs} ms`;
    case "kill-container":
      return "SIGKILL of a container";
    case "kill-containers":
      return "SIGKILL of all containers";
    case "restart":
      return "down and up";
    case "deploy":
      return `deploy of the next version${action.waits ? ", which is waited for" : ""}`;
    case "freeze-server":
      return `SIGSTOP of the server for ${action.forMs} ms`;
    case "freeze-container":
      return `SIGSTOP of a container for ${action.forMs} ms`;
    default:
      return action satisfies never;
  }
}

const WORDS: Readonly<Record<Moment, string>> = {
  acknowledged: " when a put is answered",
  began: " when a handler begins",
  ended: " when a handler ends",
};

const describeMoment = (at: Moment | null): string => (at === null ? "" : WORDS[at]);
