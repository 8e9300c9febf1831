import { z } from "zod";
import { TASK_STATUSES, type TaskListing, type TaskStatus } from "@samovar/protocol";
import { assertApp, type Principal } from "../authenticator.ts";
import { duration, name } from "./route-parts.ts";
import { delivery, taskSelectionFields, taskStatus } from "./task-schemas.ts";

const statuses = z.string().transform((text, context): TaskStatus[] => {
  const named = text.split(",").map((each) => each.trim().toUpperCase());
  const unknown = named.find((each) => !TASK_STATUSES.includes(each as TaskStatus));
  if (unknown === undefined) return named as TaskStatus[];
  context.addIssue(`has ${JSON.stringify(unknown)}: use ${TASK_STATUSES.join(", ")}`);
  return z.NEVER;
});

/** A moment: so long ago, or a date. */
export const moment = (what: string) =>
  z.string().transform((text, context): Moment => {
    const ago = duration(what).safeParse(text);
    if (ago.success) return { agoMs: ago.data };
    const atMs = Date.parse(text);
    if (!Number.isNaN(atMs)) return { atMs };
    context.addIssue('must be how long ago, such as "1h", or a date, such as "2027-01-31T12:00:00Z"');
    return z.NEVER;
  });

/** So long before the server's own now, whatever the caller's clock says, or a date. */
type Moment = { readonly agoMs: number } | { readonly atMs: number };

export const momentToMs = (given: Moment, nowMs: number): number => ("atMs" in given ? given.atMs : nowMs - given.agoMs);

const SINCE = 'Created after: how long ago, such as "1h", or a date';
const UNTIL = "Created before";
const DELIVERY = "queued: tasks; call: records of calls that somebody waited for on a connection";

/** Which tasks a query asks for. */
export const taskFilterQuery = {
  function: name.optional(),
  app: name.optional(),
  status: statuses.optional().describe("One or more, as ERROR,TIMEOUT"),
  delivery: delivery.optional().describe(DELIVERY),
  since: moment("since").optional().describe(SINCE),
  until: moment("until").optional().describe(UNTIL),
};

/** Which tasks a change is for: in the words of the query, or in those of `TaskSelection`. */
export const taskFilterBody = z
  .strictObject({
    ...taskSelectionFields,
    status: z
      .union([statuses, z.array(taskStatus).min(1).max(TASK_STATUSES.length)], "must be statuses, as ERROR,TIMEOUT")
      .exactOptional()
      .describe("One or more, as ERROR,TIMEOUT"),
    delivery: delivery.exactOptional().describe(DELIVERY),
    since: moment("since").exactOptional().describe(SINCE),
    until: moment("until").exactOptional().describe(UNTIL),
  })
  .superRefine(({ delivery: _, ...given }, context) => {
    if (Object.keys(given).length === 0) context.addIssue("must say which tasks: by ids, function, app, status, since or until");
    for (const [said, again] of SAME) if (given[said] !== undefined && given[again] !== undefined) context.addIssue(`has ${said} and ${again}: give one`);
  });

/** Two ways to say the same. */
const SAME = [
  ["status", "statuses"],
  ["since", "createdAfterMs"],
  ["until", "createdBeforeMs"],
] as const;

interface TaskFilterFields extends Omit<TaskListing, "statuses"> {
  readonly status?: readonly TaskStatus[] | undefined;
  readonly statuses?: readonly TaskStatus[] | undefined;
  readonly since?: Moment | undefined;
  readonly until?: Moment | undefined;
}

type Given<T> = { readonly [K in keyof T]: T[K] | undefined };

/** Of what this caller may ask for at all. */
export function toSelection(principal: Principal, fields: Given<TaskFilterFields>, nowMs: number): TaskListing {
  const { app, status, since, until, ...rest } = fields;
  const all = {
    ...rest,
    ...ofApp(principal, app),
    ...(status && { statuses: status }),
    ...(since && { createdAfterMs: momentToMs(since, nowMs) }),
    ...(until && { createdBeforeMs: momentToMs(until, nowMs) }),
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** What a token of one app may ask for at all. */
export function ofApp(principal: Principal, app: string | undefined): { readonly app?: string } {
  if (app !== undefined) assertApp(principal, app, "What is asked for");
  const only = app ?? principal.app;
  return only === null ? {} : { app: only };
}
