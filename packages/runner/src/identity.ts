/** The variables that tell a runner who it is. */
const REQUIRED = ["SAMOVAR_CONTAINER_ID", "SAMOVAR_TOKEN", "SAMOVAR_SERVER"] as const;
/** Stays for user code, beside SAMOVAR_URL: with both of them clients reach the container's own app, until it ends. */
const KEPT = "SAMOVAR_TOKEN";
const WORKER_INDEX = "SAMOVAR_WORKER_INDEX";
const CONTROL_FD = "SAMOVAR_CONTROL_FD";

export interface RunnerIdentity {
  readonly containerId: string;
  readonly token: string;
  readonly server: string;
  readonly workerIndex: number;
  /** Where worker 0 tells its siblings to stop; null in worker 0. */
  readonly controlFd: number | null;
  /** The same as variables, for siblings. */
  readonly variables: Readonly<Record<string, string>>;
}

export function takeIdentity(env: Record<string, string | undefined>): RunnerIdentity {
  const variables: Record<string, string> = {};
  for (const name of REQUIRED) {
    const value = env[name];
    if (!value) throw new Error(`${name} is not set. The runner is started by a Samovar server, not by hand`);
    variables[name] = value;
    if (name !== KEPT) delete env[name];
  }
  const workerIndex = Number(env[WORKER_INDEX] ?? 0);
  const controlFd = env[CONTROL_FD] === undefined ? null : Number(env[CONTROL_FD]);
  delete env[WORKER_INDEX];
  delete env[CONTROL_FD];
  return {
    containerId: variables.SAMOVAR_CONTAINER_ID!,
    token: variables.SAMOVAR_TOKEN!,
    server: variables.SAMOVAR_SERVER!,
    workerIndex,
    controlFd,
    variables,
  };
}
