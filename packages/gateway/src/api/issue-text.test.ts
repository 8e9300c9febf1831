import { expect, test } from "vitest";
import { putTasksBody } from "./task-schemas.ts";
import { taskFilterBody, taskFilterQuery } from "./task-filter.ts";
import { tokenRequest } from "./token-schemas.ts";
import { toIssues } from "./issue-text.ts";
import { z } from "zod";

const query = z.strictObject(taskFilterQuery);

test.for<[what: string, schema: z.ZodType, value: unknown, issues: string[]]>([
  ["an unknown field with a near one", putTasksBody, { tasks: [{ dely: 1 }] }, ['tasks.0: has no field "dely". Did you mean "delay"?']],
  ["one of a query", query, { statuses: "ERROR" }, [': has no field "statuses". Did you mean "status"?']],
  ["one of a filter", taskFilterBody, { function: "f", stat: "ERROR" }, [': has no field "stat". Did you mean "status", "statuses"?']],
  ["what is missing", putTasksBody, { input: 1 }, ["tasks: is missing: it must be a list", ': has no field "input". There are: tasks']],
  ["another type", putTasksBody, { tasks: [5] }, ["tasks.0: must be an object, but is 5"]],
  ["nothing in a list", putTasksBody, { tasks: [] }, ["tasks: must have at least 1 item"]],
  ["too little", putTasksBody, { tasks: [{ ttlMs: 0 }] }, ["tasks.0.ttlMs: must be at least 1"]],
  ["too much, as people write it", putTasksBody, { tasks: [{ delay: "500d" }] }, ['tasks.0.delay: is "500d", but must be 0 to 366 days']],
  ["too little, as people write it", putTasksBody, { tasks: [{ ttl: 0 }] }, ["tasks.0.ttl: is 0, but must be more than 0, and at most 366 days"]],
  ["a text without characters", putTasksBody, { tasks: [{ idempotencyKey: "" }] }, ["tasks.0.idempotencyKey: must have at least 1 character"]],
  ["what is none of some words", query, { delivery: "post" }, ['delivery: must be one of queued, call, but is "post"']],
  ["a scope of a token", tokenRequest, { name: "ci", scopes: ["all"] }, ['scopes.0: must be one of admin, deploy, invoke, but is "all"']],
])("%s is told so that it can be mended", ([, schema, value, expected]) => {
  const { error } = schema.safeParse(value);
  expect(toIssues(error!, schema, value).map(({ path, message }) => `${path.join(".")}: ${message}`)).toEqual(expected);
});
