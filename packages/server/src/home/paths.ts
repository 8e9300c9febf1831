import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeFolders } from "@samovar/kit";

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
  for (const up of ["../..", ".."]) makeFolders(join(paths.workerSocket, up), 0o700);
  return paths;
}

function socketPath(root: string): string {
  const path = join(root, "run", ...SOCKET);
  if (Buffer.byteLength(path) <= MAX_SOCKET_PATH) return path;
  const short = createHash("sha256").update(root).digest("hex").slice(0, 16);
  return join(tmpdir(), `samovar-${process.getuid?.() ?? 0}-${short}`, ...SOCKET);
}
