import { homeOf } from "../home.ts";
import { readAdminToken, readServerFile } from "../server-link/server-file.ts";

// Loaded at every press of the key that completes: nothing but Node's own modules may be imported, here and there.

/** Names that only a server knows. */
export type NameKind = "app" | "callback" | "container" | "deployment" | "function" | "schedule" | "target" | "task" | "token";

/** Whoever presses a key doesn't wait. */
const PATIENCE_MS = 800;
/** Names become words of a shell: what could be anything else there is left out. */
const PLAIN = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;

interface Item {
  readonly id?: unknown;
  readonly name?: unknown;
  readonly app?: unknown;
}

interface Source {
  /** Of the control API, and the member of its answer that has the list. */
  readonly path: string;
  readonly pick: (item: Item) => unknown;
}

const CONTAINERS: Source = { path: "containers", pick: (item) => item.id };
const FUNCTIONS: Source = { path: "functions", pick: (item) => item.name };

const SOURCES: Readonly<Record<NameKind, readonly Source[]>> = {
  app: [{ path: "deployments", pick: (item) => item.app }],
  callback: [{ path: "callbacks?limit=50", pick: (item) => item.id }],
  container: [CONTAINERS],
  deployment: [{ path: "deployments", pick: (item) => item.name }],
  function: [FUNCTIONS],
  schedule: [{ path: "schedules", pick: (item) => item.name }],
  target: [FUNCTIONS, CONTAINERS],
  // The newest: nobody looks through more.
  task: [{ path: "tasks?limit=50", pick: (item) => item.id }],
  token: [{ path: "tokens", pick: (item) => item.name }],
};

export interface NamesWorld {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

/** What the server that a command would use has of this kind. Empty where anything is in the way: nobody reads an error here. */
export async function listNames(kind: string, world: NamesWorld): Promise<readonly string[]> {
  try {
    if (!Object.hasOwn(SOURCES, kind)) return [];
    const server = await findAddress(world);
    if (!server) return [];
    const lists = await Promise.all(
      SOURCES[kind as NameKind].map(async ({ path, pick }) => {
        const answer = (await getJson(`${server.url}/api/v1/${path}`, server.token)) as Record<string, Item[]>;
        return answer[path.split("?", 1)[0]!]!.map(pick);
      }),
    );
    const names = lists.flat().filter((name): name is string => typeof name === "string" && PLAIN.test(name));
    return [...new Set(names)].toSorted();
  } catch {
    return [];
  }
}

async function findAddress({ env, cwd }: NamesWorld): Promise<{ readonly url: string; readonly token: string | null } | null> {
  const token = env["SAMOVAR_TOKEN"] || null;
  const url = env["SAMOVAR_URL"];
  if (url) return { url: url.replace(/\/+$/, ""), token };
  const home = homeOf(env, cwd);
  const file = await readServerFile(home);
  return file && { url: file.url, token: token ?? (await readAdminToken(home)) };
}

/** As `HttpClient` does, `node:http` without an import, which would load fetch. */
function getJson(url: string, token: string | null): Promise<unknown> {
  const { get } = process.getBuiltinModule(url.startsWith("https:") ? "node:https" : "node:http");
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const headers = { accept: "application/json", connection: "close", ...(token === null ? {} : { authorization: `Bearer ${token}` }) };
  get(url, { headers, signal: AbortSignal.timeout(PATIENCE_MS) }, (response) => {
    let text = "";
    response.setEncoding("utf8");
    response.on("data", (chunk: string) => (text += chunk));
    response.on("error", reject);
    response.on("end", () => {
      try {
        resolve(JSON.parse(text));
      } catch (error) {
        reject(error);
      }
    });
  }).on("error", reject);
  return promise;
}
