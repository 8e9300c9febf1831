const MAX_DEPTH = 64;

/** A value as JSON shows it best: for people to read, not to be read back. */
export function toJsonView(value: unknown, depth = 0): unknown {
  if (depth > MAX_DEPTH) return "…";
  const view = (item: unknown): unknown => toJsonView(item, depth + 1);
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? String(value) : value.toISOString();
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64");
  if (value instanceof Map) return viewMap(value, view);
  if (value instanceof Set) return [...value].map(view);
  if (value instanceof Error) return { name: value.name, message: value.message };
  if (Array.isArray(value)) return value.map(view);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, view(item)]));
}

/** Keys that aren't text would be mistaken for it: then entries. */
function viewMap(map: ReadonlyMap<unknown, unknown>, view: (item: unknown) => unknown): unknown {
  const entries = [...map];
  if (entries.every(([key]) => typeof key === "string")) return Object.fromEntries(entries.map(([key, item]) => [key, view(item)]));
  return entries.map(([key, item]) => [view(key), view(item)]);
}
