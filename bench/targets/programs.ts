import { access, constants } from "node:fs/promises";
import { join } from "node:path";

/** Where systems put programs; the same on every machine, whoever runs the bench. */
export const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export async function isInstalled(program: string): Promise<boolean> {
  for (const folder of SYSTEM_PATH.split(":")) {
    const isThere = await access(join(folder, program), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return true;
  }
  return false;
}
