import { expect, test } from "vitest";
import { toUserMapping } from "./user-mapping.ts";

const root = { uid: 0, gid: 0, userNamespace: true };

test("containers of one code have one range of ids, far above those of people, and other codes as a rule another", () => {
  const one = toUserMapping("code-1", root);
  expect(toUserMapping("code-1", root)).toEqual(one);
  expect(toUserMapping("code-2", root).owner.uid).not.toBe(one.owner.uid);
  expect(one.owner.uid).toBeGreaterThanOrEqual(0x7000_0000);
  expect(one.owner.uid + one.size).toBeLessThanOrEqual(2 ** 31);
  expect(one.owner.uid % one.size).toBe(0);
});

test("without user namespaces root's containers run as that user, and an ordinary user has itself alone", () => {
  expect(toUserMapping("code-1", { ...root, userNamespace: false })).toEqual({ owner: toUserMapping("code-1", root).owner, size: 0 });
  expect(toUserMapping("code-1", { uid: 1_000, gid: 100, userNamespace: true })).toEqual({ owner: { uid: 1_000, gid: 100 }, size: 1 });
});
