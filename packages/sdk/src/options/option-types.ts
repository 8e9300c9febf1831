import type { Duration } from "@samovar/protocol";
import type { QueueDepthAutoscaler } from "./queue-depth-autoscaler.ts";

/** A constructor of errors, as `retries.on` lists them; subclasses count. */
export type ErrorClass = abstract new (...args: never[]) => Error;

/** Cores, or thousandths with `m`: `2`, `0.5`, `"500m"`. */
export type Cpu = number | `${number}` | `${number}m`;

/** MiB, or a number with a unit: `512`, `"512Mi"`, `"1.5Gi"`. */
export type Memory = number | `${number}` | `${number}${"Ki" | "Mi" | "Gi" | "Ti"}`;

/** What a container may reach: the machine's own network, a network of its own, or none. */
export type NetworkMode = "host" | "isolated" | "none";

/** `allow` holds CIDRs (`"10.0.0.0/8"`, one address) and domains (`"example.com"`; `"*.example.com"` for all names under it). */
export type Network = NetworkMode | { readonly mode: "isolated"; readonly allow?: readonly string[] } | { readonly mode: "host" | "none" };

/** `request` is what placing counts on, `limit` what the container can't exceed; one alone stands for both. */
export type RequestAndLimit<T> = { readonly request: T; readonly limit?: T } | { readonly request?: T; readonly limit: T };

export interface RetryOptions {
  /** How often to try again after the first attempt. Default 0, of a `taskQueue` 3. */
  readonly maxRetries?: number;
  /** Before the first retry. Default 1 s. */
  readonly initialDelay?: Duration;
  /** What each further delay is multiplied with. Default 2. */
  readonly backoff?: number;
  /** No delay is longer. Default 60 s. */
  readonly maxDelay?: Duration;
  /** Whether delays are varied at random, so that many callers do not come back at once. Default true. */
  readonly jitter?: boolean;
  /** Only these errors are worth another attempt, subclasses included. Default: every error. */
  readonly on?: readonly ErrorClass[];
}

/** What every kind of function takes, and `new App(name, options)` as a default for its functions. */
export interface CommonOptions {
  /** Cores. Default 1. */
  readonly cpu?: Cpu | RequestAndLimit<Cpu>;
  /** Default 512 MiB. */
  readonly memory?: Memory | RequestAndLimit<Memory>;
  /**
   * The GPU that a container gets, by its name in any case (such as `"T4"`, `"L40S"`, `"RTX4090"`), `"any"`, or a list in
   * order of preference; `"T4:2"` is two of them. A name stands for its sizes too: `"A100"` is also an `A100-80GB`. GPUs
   * are never shared. Where the server has none of these, calls get 503 with that reason. Default: none, also as `[]`.
   *
   * @example
   * fn({ gpu: ["H100", "A100-80GB"], gpuCount: 2 }, handler);
   */
  readonly gpu?: string | readonly string[];
  /** How many of them, 1 or more. Default 1 with `gpu`. */
  readonly gpuCount?: number;
  /** What a container may write, volumes aside, where the driver can limit it. Default 10 GiB. */
  readonly disk?: Memory;
  /**
   * `"host"`: the machine's network. `"isolated"`: a network of its own, out of which it reaches what `allow` lists and
   * nothing else. `"none"`: no network. Calls to the function, and those that its code makes by handles, work in all of them.
   * Default `"host"`.
   *
   * @example
   * fn({ network: "isolated", allow: ["api.example.com", "10.2.0.0/16"] }, handler);
   * fn({ network: { mode: "isolated", allow: ["api.example.com", "10.2.0.0/16"] } }, handler); // the same
   */
  readonly network?: Network;
  /** What an isolated network reaches, as CIDRs and domains, at most 1,000: the same as `network.allow`. Default: nothing. */
  readonly allow?: readonly string[];
  /** Environment variables of the container, as an object or a list of `"K=V"`. An app's and a function's are put together. */
  readonly env?: Readonly<Record<string, string>> | readonly `${string}=${string}`[];
  /** How long one attempt at one input may take, 1 s to 24 h; for a stream the time between items. -1: no limit. Default 300 s. */
  readonly timeout?: Duration;
  /** How long loading the module and all start hooks may take together, 1 s to 24 h. Default 300 s. */
  readonly startupTimeout?: Duration;
  /** How long all stop hooks may take together, 1 s to 24 h; then the process tree is killed. Default 30 s. */
  readonly stopGracePeriod?: Duration;
  /** How long a synchronous input may wait for a free slot, up to 24 h; then 503 `no_capacity`. Default: `startupTimeout`. */
  readonly queueTimeout?: Duration;
  /** How long inputs may go on when the container is told to stop, up to 24 h. Default 300 s. */
  readonly drainTimeout?: Duration;
  /** Further attempts after a failed one, for tasks and `.remote()`; for HTTP calls only with `idempotent`. Default 0, of a `taskQueue` 3. */
  readonly retries?: number | RetryOptions;
  /** A task that no attempt has begun so long after it might have (after its `delay`) expires, 1 s to a year; -1: never. Default -1. */
  readonly ttl?: Duration;
  /** Overrides `retries.maxRetries`, `timeout` and `ttl`. */
  readonly taskPolicy?: { readonly maxRetries?: number; readonly timeout?: Duration; readonly ttl?: Duration };
  /** Processes per container, each with the code loaded and its own hooks run. Default 1. */
  readonly workers?: number;
  /** Inputs that one worker holds at a time; `target` is what scaling aims at. Default 1, with `batch` its `maxBatchSize`. */
  readonly concurrency?: number | { readonly max: number; readonly target?: number };
  /** A worker is replaced after so many inputs. Default: no limit. */
  readonly maxInputsPerWorker?: number;
  /** Every input gets a container of its own, which then stops. Default false. */
  readonly singleUse?: boolean;
  /** Containers that are kept warm from the start on, whether work comes or not. Default 0. */
  readonly minContainers?: number;
  /** Never more containers than this. Default: what the host can hold. */
  readonly maxContainers?: number;
  /** Extra ready containers while the function is active. Default 0. */
  readonly bufferContainers?: number;
  /** How long an idle container is kept, 2 s or longer. -1: for ever. Default 60 s, of a `taskQueue` 10 s. */
  readonly scaledownWindow?: Duration;
  /** Another spelling of `scaledownWindow`. */
  readonly keepWarmSeconds?: number;
  /** Another spelling of `minContainers`, `maxContainers` and `tasksPerContainer`. */
  readonly autoscaler?: QueueDepthAutoscaler;
  /** The demand that one container should answer for; 0, the default: workers × concurrency target. */
  readonly tasksPerContainer?: number;
  /**
   * Inputs that may wait; one more gets 429. Default 1,000 calls, and no limit for tasks, which are on disk; one that is given holds for
   * both, each counted by itself.
   */
  readonly maxPendingTasks?: number;
  /** How long a task's record and result are kept after its end, 1 min to a year. Default 7 d. */
  readonly keepResults?: Duration;
  /**
   * Where the end of every task is posted, whatever it ended with: by the server, signed (`verifyCallback` checks it), and
   * again until it is taken. A call that somebody waits for answers them and is posted nowhere. An http or https URL without user and password. Default: none.
   */
  readonly callbackUrl?: string;
  /** Whether callers need a token. Default true; false makes the function public. */
  readonly authorized?: boolean;
  /** Doing it twice is as good as once, so HTTP calls may be retried too. Default false. */
  readonly idempotent?: boolean;
  /** Goes on when its caller leaves. Default false. */
  readonly headless?: boolean;
}

/** Gathers single inputs into one call. */
export interface BatchOptions {
  /** Most inputs that one call of the handler gets. */
  readonly maxBatchSize: number;
  /** How long the first input of a batch waits for others. */
  readonly wait: Duration;
}
