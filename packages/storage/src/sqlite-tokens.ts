import type { DatabaseSync } from "node:sqlite";
import type { Scope, TokenRecord } from "./storage.ts";

export function createTokenTable(database: DatabaseSync) {
  const insert = database.prepare("INSERT INTO tokens (id, hash, name, scopes, app, created_at_ms, expires_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)");
  const list = database.prepare("SELECT id, hash, name, scopes, app, created_at_ms, expires_at_ms FROM tokens ORDER BY created_at_ms, id");
  const remove = database.prepare("DELETE FROM tokens WHERE id = ?");
  return {
    insert(token: TokenRecord): undefined {
      insert.run(token.id, token.hash, token.name, JSON.stringify(token.scopes), token.app, token.createdAtMs, token.expiresAtMs);
    },
    list(): TokenRecord[] {
      return list.all().map((row) => ({
        id: String(row["id"]),
        hash: String(row["hash"]),
        name: String(row["name"]),
        scopes: JSON.parse(String(row["scopes"])) as Scope[],
        app: row["app"] === null ? null : String(row["app"]),
        createdAtMs: Number(row["created_at_ms"]),
        expiresAtMs: row["expires_at_ms"] === null ? null : Number(row["expires_at_ms"]),
      }));
    },
    delete(id: string): boolean {
      return remove.run(id).changes > 0;
    },
  };
}
