import { readFile, rename, writeFile } from "node:fs/promises";
import type { IdSource } from "@samovar/protocol";
import { hashToken, type Clock } from "@samovar/kit";
import type { Storage, TokenRecord } from "@samovar/storage";
import { createTokenText } from "../tokens/tokens.ts";

/**
 * The admin token of a home: made once, kept in a file that only its owner can read, known to the server by its hash.
 * A file that was removed or doesn't match means a new token.
 */
export async function ensureAdminToken(
  file: string,
  storage: Storage,
  ids: IdSource,
  clock: Clock,
): Promise<{ readonly token: string; readonly records: readonly TokenRecord[] }> {
  const records = await storage.tokens.list();
  const kept = (await readFile(file, "utf8").catch(() => "")).trim();
  const isOurs = ({ hash, scopes, expiresAtMs }: TokenRecord): boolean => hash === hashToken(kept) && scopes.includes("admin") && expiresAtMs === null;
  if (kept && records.some(isOurs)) return { token: kept, records };
  const token = createTokenText();
  const record: TokenRecord = {
    id: ids("token"),
    hash: hashToken(token),
    name: "admin",
    scopes: ["admin"],
    app: null,
    expiresAtMs: null,
    createdAtMs: clock.now(),
  };
  await storage.tokens.insert(record);
  // Whoever reads it while it is written sees the old one or the new one, never half.
  await writeFile(`${file}.new`, `${token}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
  return { token, records: [...records, record] };
}
