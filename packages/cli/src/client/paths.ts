import { CONTENT_TYPES } from "@samovar/protocol";

export const API = "/api/v1";
export const JSON_BODY = { "content-type": CONTENT_TYPES.json };

/** What is undefined is left out. */
export function withQuery(path: string, query: Readonly<Record<string, string | undefined>>): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) if (value !== undefined) search.set(key, value);
  return search.size > 0 ? `${path}?${search.toString()}` : path;
}

export const taskPath = (id: string): string => `${API}/tasks/${encodeURIComponent(id)}`;
