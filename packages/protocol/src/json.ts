import { SamovarError } from "./errors.ts";
import { formatPath } from "./values.ts";

/**
 * JSON of a result, refusing what JSON would change on the way (Map, Set, Date, BigInt, bytes, NaN, class
 * instances without toJSON): a caller must never receive something else than the handler returned. An object
 * with its own `toJSON` has said how it wants to look and is taken at its word; Date is refused because
 * nobody turns the string back.
 *
 * `undefined` as a member is left out and in an array becomes null, as everyone expects of JSON.
 */
export function encodeJson(value: unknown): string {
  assertJson(value, [], []);
  return JSON.stringify(value) ?? "null";
}

function assertJson(value: unknown, path: (string | number)[], ancestors: object[]): void {
  switch (typeof value) {
    case "string":
    case "boolean":
    case "undefined":
      return;
    case "number":
      if (!Number.isFinite(value)) refuse(path, `${value}`, "Send null or a string");
      return;
    case "bigint":
      return refuse(path, "a BigInt", "Send it.toString()");
    case "object":
      if (value !== null) assertJsonObject(value, path, ancestors);
      return;
    default:
      return refuse(path, `a ${typeof value}`, "Return plain data");
  }
}

function assertJsonObject(value: object, path: (string | number)[], ancestors: object[]): void {
  if (ancestors.includes(value)) refuse(path, "a cycle", "Break it, for example by sending ids in place of references");
  if (ancestors.length > 512) refuse(path, "nested deeper than 512", "Flatten it");
  if (Array.isArray(value)) {
    ancestors.push(value);
    for (let i = 0; i < value.length; i++) {
      path.push(i);
      assertJson(value[i], path, ancestors);
      path.pop();
    }
    ancestors.pop();
    return;
  }
  if (value instanceof Date) refuse(path, "a Date", "Send it.toISOString()");
  if (value instanceof Map) refuse(path, "a Map", "Send Object.fromEntries(it)");
  if (value instanceof Set) refuse(path, "a Set", "Send [...it]");
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) refuse(path, "bytes", "Return the bytes by themselves, or a base64 string");
  if (typeof (value as { toJSON?: unknown }).toJSON === "function") return;
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype !== null && prototype !== Object.prototype && Object.getPrototypeOf(prototype) !== null) {
    refuse(path, `an instance of ${value.constructor?.name || "a class"}`, "Send a plain object with the fields that are needed, or give the class a toJSON");
  }
  ancestors.push(value);
  for (const key in value) {
    path.push(key);
    assertJson((value as Record<string, unknown>)[key], path, ancestors);
    path.pop();
  }
  ancestors.pop();
}

function refuse(path: readonly (string | number)[], what: string, fix: string): never {
  const at = formatPath(path);
  throw new SamovarError("unserializable_result", `The result can't be sent as JSON: ${at} is ${what}. ${fix}`, { fields: { path: at } });
}
