import { readFileSync, rmSync } from "node:fs";
import { createRequire, isBuiltin, registerHooks } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import {
  REGISTRY,
  RUNTIME,
  toSerializedError,
  type AppManifest,
  type CallTransport,
  type Registry,
  type Runtime,
  type SerializedError,
} from "@samovar/protocol";
import type { HostConfig, HostMessage, HostRequest, RunMessage } from "./app-host-messages.ts";

/**
 * The process that holds an app on the author's machine: it loads the bundle, tells the manifest, and may then run
 * main. It never outlives its parent.
 *
 * While the module loads nothing here keeps the process alive, so that a top-level await which is never settled
 * ends it with Node's exit code 13 instead of hanging. What the module prints meanwhile goes to stderr, because
 * stdout belongs to main.
 */
const config = JSON.parse(process.argv[2] ?? "{}") as HostConfig;
process.argv.splice(1, 2, config.file);
(globalThis as Record<symbol, unknown>)[Symbol.for("samovar.code-root")] = config.codeRootUrl;

const exitCallbacks: (() => unknown)[] = [];
let transport: CallTransport | null = null;
const runtime: Runtime = {
  remote: false,
  context: () => undefined,
  get transport() {
    return transport;
  },
  onExit: (run) => void exitCallbacks.push(run),
};
(globalThis as Record<symbol, unknown>)[RUNTIME] = runtime;

// The bundle lies in a temporary folder; what it imports is found as if it lay beside its source.
const parents = [config.moduleUrl, ...config.nodeModules.map((folder) => pathToFileURL(path.join(path.dirname(folder), "module.js")).href)];
registerHooks({
  resolve(specifier, context, next) {
    if (context.parentURL !== config.bundleUrl) return next(specifier, context);
    let notFound: unknown;
    for (const parentURL of parents) {
      try {
        // The default for `require` looks from the module that called it, whatever the context says.
        if (context.conditions.includes("require") && !isBuiltin(specifier))
          return { url: pathToFileURL(createRequire(parentURL).resolve(specifier)).href, shortCircuit: true };
        return next(specifier, { ...context, parentURL });
      } catch (error) {
        if (!isNotFound(error)) throw error;
        notFound ??= error;
      }
    }
    throw notFound;
  },
});

const printToStdout = process.stdout.write;
process.stdout.write = process.stderr.write.bind(process.stderr);
process.on("uncaughtException", failToLoad);

let main: unknown;
try {
  const namespace = (await import(config.bundleUrl)) as Record<string, unknown>;
  main = namespace["default"];
  await tell({ type: "loaded", manifest: extractManifest(namespace) });
} catch (error) {
  failToLoad(error);
}
process.off("uncaughtException", failToLoad);
process.stdout.write = printToStdout;

if (!process.connected) leaveOrphaned();
process.once("disconnect", leaveOrphaned);
let interrupts = 0;
process.on("message", (message: HostRequest) => {
  if (message.type === "run") return void runMain(message);
  // Counted apart from signals: a terminal sends Ctrl-C to this process and to its parent, which passes it on.
  if (++interrupts > 1) process.exit(130);
  void end(130);
});

function extractManifest(namespace: Readonly<Record<string, unknown>>): AppManifest {
  const { appName, file } = config;
  const registry = (globalThis as Record<symbol, unknown>)[REGISTRY] as Registry | undefined;
  // A module that never imports samovar has no functions; it may still have a main.
  return registry
    ? registry.extract(namespace, { appName, file, sources: readSources })
    : { manifestVersion: 1, app: appName, functions: [], hasMain: typeof main === "function" };
}

/** From the source map: types are in nothing else, and a class may come from another file. It has no texts of packages. */
function readSources(): string[] {
  const map = JSON.parse(readFileSync(new URL(`${config.bundleUrl}.map`), "utf8")) as { sourcesContent: readonly (string | null)[] };
  return map.sourcesContent.filter((text) => text !== null);
}

function failToLoad(error: unknown): void {
  void tell({ type: "failed", error: toSerializedError(error) }).finally(() => process.exit(1));
}

/** The parent was killed, and can't remove the bundle any more. */
function leaveOrphaned(): never {
  rmSync(new URL(".", config.bundleUrl), { recursive: true, force: true });
  process.exit(1);
}

function tell(message: HostMessage): Promise<void> {
  return new Promise((resolve, reject) => process.send!(message, undefined, {}, (error) => (error ? reject(error) : resolve())));
}

async function runMain(message: RunMessage): Promise<void> {
  // From here on the process lives as long as main has something to wait for.
  process.channel?.unref();
  process.argv.push(...message.args);
  for (const signal of ["SIGINT", "SIGTERM"] as const) onSignal(signal);
  process.once(
    "beforeExit",
    () => void end(1, new Error(`${path.basename(config.file)}: main waits for something that can never happen, and nothing else is left to do`)),
  );
  try {
    if (typeof main !== "function")
      throw new Error(`${path.basename(config.file)} has no default export to run: add export default async function main() { … }`);
    if (message.transport) {
      if (!config.transportUrl) throw new Error("The SDK that samovar came with has no samovar/internal: install samovar again");
      const sdk = (await import(config.transportUrl)) as { createHttpTransport(settings: object): CallTransport };
      transport = sdk.createHttpTransport(message.transport);
    }
    await (main as (...args: readonly string[]) => unknown)(...message.args);
    await end(0);
  } catch (error) {
    await end(1, error);
  }
}

/** The first asks to stop, which runs what was registered for the exit; the second ends it at once. */
function onSignal(signal: "SIGINT" | "SIGTERM"): void {
  const code = signal === "SIGINT" ? 130 : 143;
  process.once(signal, () => {
    process.once(signal, () => process.exit(code));
    void end(code);
  });
}

let ending = false;

async function end(code: number, error?: unknown): Promise<void> {
  if (ending) return;
  ending = true;
  if (error !== undefined) console.error(showError(toSerializedError(error)));
  let result = code;
  for (const run of exitCallbacks) {
    try {
      await run();
    } catch (failure) {
      console.error(showError(toSerializedError(failure)));
      result ||= 1;
    }
  }
  // Pipes are written asynchronously: leaving now would cut off the last lines.
  await Promise.all([flush(process.stdout), flush(process.stderr)]);
  // Where nothing went wrong, with what main has set.
  process.exit(result === 0 ? process.exitCode : result);
}

function flush(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write("", () => resolve()));
}

function showError(error: SerializedError): string {
  const head = `${error.name}: ${error.message}`;
  const frames = (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line) && !/\(?(?:node:|.*app-host-child\.)/.test(line.trim().slice(3)));
  const cause = error.cause ? `\n  [cause] ${showError(error.cause).replaceAll("\n", "\n  ")}` : "";
  return [head, ...frames].join("\n") + cause;
}

function isNotFound(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND";
}
