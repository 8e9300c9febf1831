import { open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { SamovarError } from "@samovar/protocol";

const SECRET_BYTES = 32;

/**
 * What all callbacks of a home are signed with, made once and kept in a file that only its owner can read. A file that is
 * there and holds something else is refused, not replaced: receivers know the keys that come from it. Whoever wants new
 * ones removes the file.
 */
export async function ensureCallbackSecret(file: string, random: (bytes: number) => Uint8Array): Promise<Uint8Array> {
  const kept = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  if (kept !== null) return parseSecret(kept, file);
  const secret = random(SECRET_BYTES);
  // On disk before anything is signed with it, and never there by half: receivers are told keys that must last.
  await rm(`${file}.new`, { force: true });
  await using handle = await open(`${file}.new`, "wx", 0o600);
  await handle.writeFile(`${Buffer.from(secret).toString("base64")}\n`);
  await handle.sync();
  await rename(`${file}.new`, file);
  await using folder = await open(dirname(file));
  await folder.sync();
  return secret;
}

function parseSecret(text: string, file: string): Uint8Array {
  const bytes = Buffer.from(text.trim(), "base64");
  if (bytes.length === SECRET_BYTES && bytes.toString("base64") === text.trim()) return bytes;
  throw new SamovarError(
    "storage_failed",
    `${file} holds no callback secret (${SECRET_BYTES} bytes as base64). Put back the one that was there, or remove it: then callbacks get new keys`,
  );
}
