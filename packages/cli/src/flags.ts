import type { TaskStatus, TokenScope } from "@samovar/protocol";
import type { TemplateName } from "./init/templates.ts";

/** What the options of the commands come to: read in program/, used in commands/. */
export interface AppFlags {
  readonly app?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly driver?: string;
  readonly forceBuild?: boolean;
}
export interface RunFlags extends AppFlags {
  readonly input?: string;
  readonly with?: string;
}
export interface ServeFlags extends AppFlags {
  /** Milliseconds; 0: never. */
  readonly timeout: number;
}
export interface DeployFlags extends Omit<AppFlags, "driver"> {
  readonly name?: string;
  readonly json?: boolean;
  readonly prune?: boolean;
  /** `--no-wait`. */
  readonly wait: boolean;
  readonly takeOver?: boolean;
}
export interface UpFlags {
  readonly detach?: boolean;
  readonly port?: number;
  readonly host?: string;
  readonly data?: string;
  readonly driver?: string;
}
export interface ExecFlags {
  readonly interactive?: boolean;
  readonly terminal?: boolean;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}
export interface ShellFlags extends AppFlags {
  readonly cmd?: string;
}
export interface JsonFlag {
  readonly json?: boolean;
}
export interface LogFlags extends JsonFlag {
  readonly follow?: boolean;
  readonly tail: number;
}
export interface ScaleFlags extends JsonFlag {
  readonly min?: number;
  /** `none`: what the machine can hold. (Commander makes an empty string of null.) */
  readonly max?: number | "none";
  readonly buffer?: number;
  /** Milliseconds. */
  readonly window?: number | "never";
  readonly tasks?: number;
}
export interface RollbackFlags extends JsonFlag {
  readonly to?: number;
  readonly app?: string;
}
export interface DeleteFlags extends JsonFlag {
  readonly yes?: boolean;
}
export interface TokenFlags extends JsonFlag {
  readonly scope: readonly TokenScope[];
  readonly app?: string;
  /** Milliseconds. */
  readonly expires?: number;
}
export interface InitFlags extends JsonFlag {
  readonly template: TemplateName;
}
/** Which tasks are meant: all that match all of it. */
export interface TaskFilterFlags {
  readonly function?: string;
  readonly app?: string;
  readonly status?: readonly TaskStatus[];
  /** ERROR and TIMEOUT. */
  readonly failed?: boolean;
  /** Milliseconds: accepted at most so long ago. */
  readonly since?: number;
}
export interface TaskListFlags extends TaskFilterFlags, JsonFlag {
  readonly limit: number;
  readonly follow?: boolean;
  /** Only calls, or only what is queued. */
  readonly calls?: boolean;
  readonly queued?: boolean;
}
export interface TaskChangeFlags extends TaskFilterFlags, JsonFlag {
  readonly yes?: boolean;
}
export interface WaitFlag {
  /** Milliseconds; true: until it is over. */
  readonly wait?: number | true;
}
export interface TaskGetFlags extends WaitFlag, JsonFlag {
  readonly result?: boolean;
  readonly follow?: boolean;
}
/** Durations in milliseconds. */
export interface TaskPutFlags extends WaitFlag, JsonFlag {
  readonly input?: string;
  readonly with?: string;
  readonly delay?: number;
  readonly priority?: number;
  readonly ttl?: number;
  readonly key?: string;
  readonly concurrencyKey?: string;
}
export interface CallbackListFlags extends JsonFlag {
  readonly failed?: boolean;
  readonly app?: string;
  readonly limit: number;
}
export interface CallbackRetryFlags extends JsonFlag {
  readonly failed?: boolean;
  readonly app?: string;
  readonly yes?: boolean;
}
export interface RestoreFlags extends JsonFlag {
  readonly data?: string;
  readonly force?: boolean;
}
