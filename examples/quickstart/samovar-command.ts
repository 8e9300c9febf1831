import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { watch } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The `samovar` command with a home of its own, as one would type it. */
export class SamovarCommand {
  readonly #home: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #running = new Set<ChildProcess>();

  constructor(home: string) {
    const { SAMOVAR_URL: _url, SAMOVAR_TOKEN: _token, ...rest } = process.env;
    // First on the path under `npm run` already; this is for whoever starts the file by hand.
    const bin = fileURLToPath(new URL("../../node_modules/.bin", import.meta.url));
    this.#home = home;
    this.#env = { ...rest, SAMOVAR_HOME: home, PATH: `${bin}${delimiter}${rest.PATH ?? ""}` };
  }

  /** Runs it to its end and returns what it printed; `onLine` has each line as it comes. Throws what it wrote to stderr when it fails. */
  async run(args: readonly string[], onLine?: (line: string) => void): Promise<string> {
    const child = this.#spawn(args);
    const exited = once(child, "exit") as Promise<[number | null]>;
    const [printed, errors] = await Promise.all([collect(child.stdout!, onLine), collect(child.stderr!)]);
    const [code] = await exited;
    if (code !== 0) throw new Error(`samovar ${args.join(" ")} ended with ${code}:\n${errors}`);
    return printed;
  }

  /** Starts `samovar serve` and resolves with the URLs that it prints, by name. */
  async serve(file: string): Promise<ReadonlyMap<string, string>> {
    const child = this.#spawn(["serve", file, "--timeout", "5m"]);
    const urls = new Map<string, string>();
    const ready = Promise.withResolvers<void>();
    const errors = collect(child.stderr!);
    // A table of names and URLs, and below it a line for the shell.
    const ended = collect(child.stdout!, (line) => {
      const [, name, url] = /^(\S+)\s.*\s(http:\S+)$/.exec(line) ?? [];
      if (name && url) urls.set(name, url);
      if (line.trim().startsWith("curl ")) ready.resolve();
    });
    await Promise.race([ready.promise, ended.then(async () => Promise.reject(new Error(`samovar serve ended:\n${await errors}`)))]);
    return urls;
  }

  /** Ctrl-C for every command that still runs; resolves when they and the embedded server have ended. */
  async stop(): Promise<void> {
    const ends = [...this.#running].map(async (child) => {
      child.kill("SIGINT");
      await once(child, "exit");
    });
    await Promise.all(ends);
    await untilGone(this.#home, "server.json");
  }

  #spawn(args: readonly string[]): ChildProcess {
    const child = spawn("samovar", args, { env: this.#env, stdio: ["ignore", "pipe", "pipe"] });
    this.#running.add(child);
    child.once("exit", () => this.#running.delete(child));
    return child;
  }
}

async function collect(stream: AsyncIterable<Buffer>, onLine?: (line: string) => void): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let shown = 0;
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true });
    for (let end = text.indexOf("\n", shown); end >= 0; end = text.indexOf("\n", shown)) {
      onLine?.(text.slice(shown, end));
      shown = end + 1;
    }
  }
  return text;
}

/** A server removes this file last. */
async function untilGone(folder: string, name: string): Promise<void> {
  const changes = watch(folder, { signal: AbortSignal.timeout(10_000) });
  if (!existsSync(join(folder, name))) return;
  for await (const _change of changes) if (!existsSync(join(folder, name))) return;
}
