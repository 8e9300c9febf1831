import { createHash } from "node:crypto";
import { lstatSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeFolders } from "@samovar/kit";
import { SamovarError } from "@samovar/protocol";

/** Where things lie in `SAMOVAR_HOME`. All of it is the server's own: nobody else may read it. */
export interface HomePaths {
  readonly root: string;
  readonly lock: string;
  /** Who holds the home: pid, url, start. Written when the server is ready, removed when it ends. */
  readonly serverFile: string;
  readonly adminToken: string;
  readonly callbackSecret: string;
  readonly database: string;
  readonly blobs: string;
  readonly code: string;
  readonly builds: string;
  readonly containers: string;
  readonly cache: string;
  readonly logs: string;
  /**
   * Where runners connect. Containers with a root of their own see the folder that it alone stands in, whose mode is the driver's; what
   * that stands in keeps others of this machine from both.
   */
  readonly workerSocket: string;
}

/** A Unix socket's path has at most 108 bytes with its end; some systems allow 104. */
const MAX_SOCKET_PATH = 100;
const SOCKET = ["workers", "sock"];

export function createHome(root: string): HomePaths {
  const at = (name: string): string => join(root, name);
  const paths: HomePaths = {
    root,
    lock: at("lock"),
    serverFile: at("server.json"),
    adminToken: at("admin-token"),
    callbackSecret: at("callback-secret"),
    database: at("samovar.db"),
    blobs: at("blobs"),
    code: at("code"),
    builds: at("builds"),
    containers: at("containers"),
    cache: at("cache"),
    logs: at("logs"),
    workerSocket: socketPath(root),
  };
  for (const dir of [root, paths.blobs, paths.code, paths.builds, paths.containers, paths.cache, paths.logs]) makeFolders(dir, 0o700);
  for (const up of ["../..", ".."]) makeSocketFolder(join(paths.workerSocket, up), root);
  return paths;
}

/** Outside of the home, in a folder that is everybody's, another user may have been there first, who could take the server's place. */
function makeSocketFolder(path: string, root: string): void {
  makeFolders(path, 0o700);
  if (path.startsWith(root)) return;
  const { uid, mode } = lstatSync(path);
  const isOwn = uid === (process.getuid?.() ?? uid) && (mode & 0o170_000) === 0o040_000 && (mode & 0o022) === 0;
  if (!isOwn)
    throw new SamovarError(
      "storage_failed",
      `The folder ${path} must be the server's own, and writable for nobody else: remove it, or choose a shorter SAMOVAR_HOME`,
    );
}

function socketPath(root: string): string {
  const path = join(root, "run", ...SOCKET);
  if (Buffer.byteLength(path) <= MAX_SOCKET_PATH) return path;
  const short = createHash("sha256").update(root).digest("hex").slice(0, 16);
  return join(tmpdir(), `samovar-${process.getuid?.() ?? 0}-${short}`, ...SOCKET);
}
