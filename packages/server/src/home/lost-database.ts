import { readdir, stat } from "node:fs/promises";
import { SamovarError } from "@samovar/protocol";
import type { HomePaths } from "./paths.ts";

/**
 * Whether the home's database is what its other parts belong to. `lost`: there is none, but code of earlier deployments.
 * Rejects with `storage_failed` for one that was emptied (a torn file has no bytes as often as half of them): a server
 * that began anew on it would remove what a backup of the database still needs.
 */
export async function checkDatabase(home: Pick<HomePaths, "database" | "code">): Promise<"there" | "new" | "lost"> {
  const sizeBytes = await stat(home.database).then(
    ({ size }) => size,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return null;
      throw error;
    },
  );
  if (sizeBytes !== null && sizeBytes > 0) return "there";
  const hasCode = (await readdir(home.code)).length > 0;
  if (!hasCode) return "new";
  if (sizeBytes === null) return "lost";
  throw new SamovarError(
    "storage_failed",
    `${home.database} is empty, but the home has code of earlier deployments: the file was torn or emptied. Bring back a backup with samovar restore FILE --force, or remove the file to start anew`,
  );
}
