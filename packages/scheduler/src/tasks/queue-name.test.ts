import { expect, test } from "vitest";
import { parseQueueName, toQueueName, toVersionBase } from "./queue-name.ts";

test.for([
  ["resize", { base: "resize", sharedBase: "resize", session: null, name: "resize", version: null, parameters: "[]" }],
  ["resize@3", { base: "resize@3", sharedBase: "resize", session: null, name: "resize", version: 3, parameters: "[]" }],
  ["ss_1/resize", { base: "ss_1/resize", sharedBase: "ss_1/resize", session: "ss_1", name: "resize", version: null, parameters: "[]" }],
  ['model@2["a/b@1[]"]', { base: "model@2", sharedBase: "model", session: null, name: "model", version: 2, parameters: '["a/b@1[]"]' }],
] as const)("%s is read as what it was made of", ([queue, parts]) => {
  expect(parseQueueName(queue)).toEqual(parts);
  const base = parts.version === null ? parts.sharedBase : toVersionBase(parts.sharedBase, parts.version);
  expect(toQueueName(base, JSON.parse(parts.parameters) as unknown[])).toBe(queue);
});
