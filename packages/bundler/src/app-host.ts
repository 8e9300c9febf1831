import { spawn, type ChildProcess, type StdioOptions } from "node:child_process";
import { once } from "node:events";
import { rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath, pathToFileURL } from "node:url";
import { systemClock, type Clock } from "@samovar/kit";
import { fromSerializedError, SamovarError, type AppManifest } from "@samovar/protocol";
import type { Bundle } from "./bundle.ts";
import type { HostConfig, HostMessage, HostRequest, TransportSettings } from "./app-host-messages.ts";
import { toLoadError } from "./load-failure.ts";
import { findProject } from "./project.ts";
import { toLocalMap } from "./source-map.ts";
import { makeTempFolder } from "./temp-folder.ts";

export interface AppHostOptions {
  readonly bundle: Bundle;
  /** The SDK's main module: its `samovar/internal` has the transport that main's calls use. */
  readonly sdkEntry: string;
  /** From `--app`: the app's name unless the module says `new App(name)`. By default the package's or file's. */
  readonly appName?: string | undefined;
  /** Variables that the module sees; by default those of this process, because this is the author's own machine. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /** Working folder; by default this process's. */
  readonly cwd?: string | undefined;
  /** Standard input, output and error of the module; by default this process's own. `pipe` for tests; `stderr`: to where errors go. */
  readonly stdio?: readonly ["inherit" | "ignore" | "pipe", "inherit" | "ignore" | "pipe" | "stderr", "inherit" | "ignore" | "pipe"] | undefined;
  /** How long the module may take to load; by default 60 s. */
  readonly loadTimeoutMs?: number | undefined;
  /** Ends the load. */
  readonly signal?: AbortSignal | undefined;
  readonly clock?: Clock | undefined;
}

export interface RunMainOptions {
  readonly args: readonly string[];
  /** Null: no server; `.remote()` fails as under plain node. */
  readonly transport: TransportSettings | null;
}

/** A process that holds the loaded module on the author's machine. */
export interface AppHost {
  readonly manifest: AppManifest;
  /** With `pipe`. */
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  /**
   * Runs the default export, once. Resolves to the exit code when the process ended: 0, 1 after an error, which was
   * printed to stderr, 128 + n after a signal, or what the module exited with.
   */
  runMain(options: RunMainOptions): Promise<number>;
  /**
   * Asks main to end: it runs its stop hooks and exits with 130. A second time ends it at once. Safe to call for a
   * Ctrl-C that the terminal sent to the process of main as well.
   */
  interrupt(): void;
  /** Ends the process, gently while main runs, and removes what was written. Idempotent. */
  dispose(): Promise<void>;
}

const LOAD_TIMEOUT_MS = 60_000;
const MAIN_GRACE_MS = 5_000;

/**
 * Loads a bundle in a process of its own.
 *
 * Rejects with what the SDK says of a wrong definition (`invalid_definition` and its kin), or with `load_failed`
 * when the module throws, exits or never finishes.
 */
export async function startAppHost(options: AppHostOptions): Promise<AppHost> {
  const { bundle, clock = systemClock } = options;
  const outDir = path.dirname(bundle.file);
  const dir = await makeTempFolder("host");
  const bundleFile = path.join(dir, path.posix.basename(bundle.entry));
  await writeFile(bundleFile, bundle.code);
  await writeFile(`${bundleFile}.map`, toLocalMap(bundle.map, outDir));

  const config: HostConfig = {
    bundleUrl: pathToFileURL(bundleFile).href,
    moduleUrl: pathToFileURL(bundle.file).href,
    codeRootUrl: pathToFileURL(`${bundle.root}/`).href,
    nodeModules: bundle.nodeModules,
    file: bundle.file,
    appName: options.appName ?? findProject(bundle.file).defaultAppName,
    transportUrl: transportUrl(options.sdkEntry),
  };
  const child = spawnHost(config, options);
  const exited = new Promise<number>((resolve) => child.once("exit", (code, signal) => resolve(code ?? 128 + signalNumber(signal))));
  const failed = new Promise<never>((_, reject) => child.once("error", reject));
  failed.catch(() => {});

  // A host that just died says so by its exit.
  const send = (request: HostRequest): void => void (child.connected && child.send(request, () => {}));
  let running = false;
  let disposed: Promise<void> | undefined;
  const dispose = (): Promise<void> =>
    (disposed ??= (async () => {
      if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
        child.kill(running ? "SIGTERM" : "SIGKILL");
        const cancel = clock.after(MAIN_GRACE_MS, () => child.kill("SIGKILL"));
        await Promise.race([exited, failed.catch(() => {})]);
        cancel();
      }
      await rm(dir, { recursive: true, force: true });
    })());

  try {
    const manifest = await Promise.race([failed, load(child, exited, options)]);
    return {
      manifest,
      stdout: child.stdout,
      stderr: child.stderr,
      async runMain({ args, transport }) {
        if (running) throw new Error("Main runs once in a host: start another one");
        running = true;
        send({ type: "run", args, transport });
        return await exited;
      },
      interrupt: () => send({ type: "interrupt" }),
      dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** Loads a bundle only to learn what it defines. Rejects as `startAppHost` does. */
export async function extractManifest(options: AppHostOptions): Promise<AppManifest> {
  const host = await startAppHost({ stdio: ["ignore", "inherit", "inherit"], ...options });
  await host.dispose();
  return host.manifest;
}

function load(child: ChildProcess, exited: Promise<number>, options: AppHostOptions): Promise<AppManifest> {
  const name = path.basename(options.bundle.file);
  const timeoutMs = options.loadTimeoutMs ?? LOAD_TIMEOUT_MS;
  const { promise, resolve, reject } = Promise.withResolvers<AppManifest>();
  const fail = (message: string): void => reject(new SamovarError("load_failed", message));
  const cancel = (options.clock ?? systemClock).after(timeoutMs, () =>
    fail(`${name} did not finish loading within ${timeoutMs / 1_000} s: something at its top level waits or never ends. Move it into a hook such as onStart`),
  );
  const onAbort = (): void => reject(options.signal!.reason);
  options.signal?.addEventListener("abort", onAbort, { once: true });
  if (options.signal?.aborted) onAbort();
  child.once("message", (message: HostMessage) => {
    if (message.type === "loaded") return resolve(message.manifest);
    const { error } = message;
    reject(error.code === undefined ? toLoadError(error, options.bundle) : fromSerializedError(error));
  });
  void exited.then(async (code) => {
    // What it told before it ended may still be on its way: the channel's end comes after it.
    if (child.connected) await once(child, "disconnect");
    if (code === 13) fail(`${name} never finished loading: it awaits something at its top level that can never happen`);
    else
      fail(`${name} ended the process with exit code ${code} while it loaded: a module that defines functions must not call process.exit() at its top level`);
  });
  return promise.finally(() => {
    cancel();
    options.signal?.removeEventListener("abort", onAbort);
  });
}

function spawnHost(config: HostConfig, options: AppHostOptions): ChildProcess {
  const fromSource = import.meta.url.endsWith(".ts");
  const script = fromSource ? new URL("./app-host-child.ts", import.meta.url) : new URL("./app-host-child.js", import.meta.url);
  const [input, output, error] = options.stdio ?? (["inherit", "inherit", "inherit"] as const);
  const stdio: StdioOptions = [input, output === "stderr" ? 2 : output, error, "ipc"];
  const flags = ["--enable-source-maps", "--disable-warning=ExperimentalWarning", ...(fromSource ? ["--conditions=samovar-source"] : [])];
  return spawn(process.execPath, [...flags, fileURLToPath(script), JSON.stringify(config)], {
    stdio,
    env: options.env ?? process.env,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
}

/** The SDK's own exports say where `samovar/internal` is. */
function transportUrl(sdkEntry: string): string | null {
  try {
    return pathToFileURL(createRequire(sdkEntry).resolve("samovar/internal")).href;
  } catch {
    return null;
  }
}

function signalNumber(signal: NodeJS.Signals | null): number {
  return signal === "SIGINT" ? 2 : signal === "SIGTERM" ? 15 : signal === "SIGKILL" ? 9 : signal === "SIGSEGV" ? 11 : signal === "SIGABRT" ? 6 : 1;
}
