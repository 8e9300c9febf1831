import { dirname, join, sep } from "node:path";
import { SamovarError, type AppManifest, type AppResponse, type CodeObject, type ScheduleInfo } from "@samovar/protocol";
import type { AppLoader, BuiltApp } from "../app/app-loader.ts";
import { toAppRequest } from "../app/app-request.ts";
import { sendCode } from "../app/send-code.ts";
import type { CommandContext } from "../command-context.ts";
import { formatDuration } from "../output/durations.ts";
import { renderError } from "../output/error-report.ts";
import type { Progress } from "../output/screen.ts";
import { selectFunction } from "../select-function.ts";
import type { OpenServer } from "../server-link/open-server.ts";
import type { Target } from "../target.ts";
import { findSchedules, renderNextRuns } from "../tasks/next-runs.ts";
import { FolderWatcher } from "./folder-watcher.ts";
import { ReloadBrake } from "./reload-brake.ts";
import { renderServed } from "./served-functions.ts";
import { TypeChecks } from "./type-checks.ts";

export interface ReloaderOptions {
  readonly loader: AppLoader;
  readonly server: OpenServer;
  readonly target: Target;
  readonly env: Readonly<Record<string, string>>;
  /** For the first version of the session; edits keep what was built. */
  readonly forceBuild: boolean;
  readonly onEdit: () => void;
  /** What no edit of these files mends, before anything was served. */
  readonly onHopeless: (error: SamovarError) => void;
}

/**
 * Keeps a session's app the same as the files. Everything that goes wrong is shown where it happened, and the last
 * good code goes on serving.
 *
 * States: idle → (a file changed) → working → idle. A change while working ends what can be ended (the load of a
 * module that is out of date) and makes it work once more. → (dispose) → ended.
 */
export class Reloader {
  readonly #context: CommandContext;
  readonly #options: ReloaderOptions;
  readonly #watcher: FolderWatcher;
  readonly #types: TypeChecks;
  readonly #brake: ReloadBrake;
  readonly #ended = new AbortController();
  #working: AbortController | null = null;
  #again = false;
  #progress: Progress | null = null;
  /** What was tried last, so that a change that changes nothing is no reload. */
  #triedCodeId: string | null = null;
  #triedCode: CodeObject | null = null;
  #checkedCodeId: string | null = null;
  #ids: ReadonlySet<string> = new Set();
  #shown = "";
  #folders: ReadonlySet<string> = new Set();

  constructor(context: CommandContext, options: ReloaderOptions) {
    this.#context = context;
    this.#options = options;
    const { screen } = context;
    this.#watcher = new FolderWatcher(
      () => this.#changed(),
      (message) => screen.note(screen.noteColors.yellow(message)),
      context.io.outputFiles,
    );
    this.#brake = new ReloadBrake(context.io.clock);
    this.#types = new TypeChecks(options.target.file, screen.noteColors.enabled, (result) => {
      // A terminal's Ctrl-C reaches the compiler too: that is no failure of it.
      if (context.interrupt.signal.aborted) return;
      if ("failed" in result) this.#tellError(result.failed);
      else if (result.ok) screen.note(screen.noteColors.green("Types are right again"));
      else screen.note(`${result.text}\n${screen.noteColors.dim("Type errors don't stop the code from being served")}`);
    });
  }

  begin(): void {
    void this.#work();
  }

  showProgress(message: string): void {
    this.#progress?.update(message);
  }

  /** Whether inputs wait or run now. */
  async isBusy(): Promise<boolean> {
    try {
      const functions = await this.#options.server.client.functions();
      return functions.some((fn) => this.#ids.has(fn.id) && fn.pending + fn.running > 0);
    } catch {
      // The server is gone: the end of the session says so.
      return false;
    }
  }

  async dispose(): Promise<void> {
    this.#ended.abort();
    this.#watcher.dispose();
    this.#progress?.done();
    await this.#types.dispose();
  }

  #changed(): void {
    this.#options.onEdit();
    if (!this.#working) return void this.#work();
    this.#again = true;
    this.#working.abort();
  }

  async #work(): Promise<void> {
    const { screen, io } = this.#context;
    do {
      this.#again = false;
      const outdated = new AbortController();
      this.#working = outdated;
      const startedMs = io.clock.monotonic();
      this.#progress = screen.progress(this.#triedCodeId === null ? `Loading ${this.#options.target.label}` : "Reloading");
      try {
        const done = await this.#reload(AbortSignal.any([outdated.signal, this.#ended.signal]));
        this.#progress.done();
        if (done && !this.#ended.signal.aborted) this.#tellDone(done, io.clock.monotonic() - startedMs);
      } catch (error) {
        this.#progress.done();
        if (outdated.signal.aborted || this.#ended.signal.aborted) continue;
        if (this.#shown === "" && error instanceof SamovarError && error.code === "conflict") this.#options.onHopeless(error);
        else this.#tellError(error);
      }
      this.#checkTypes(outdated.signal);
    } while (this.#again && !this.#ended.signal.aborted);
    this.#working = null;
  }

  /** Null: the code is what it was. */
  async #reload(outdated: AbortSignal): Promise<Reloaded | null> {
    const { loader, server, target, env, forceBuild } = this.#options;
    const isFirst = this.#triedCodeId === null;
    let built: BuiltApp;
    try {
      built = await loader.build();
    } catch (error) {
      this.#triedCodeId = "";
      this.#watch(null);
      throw error;
    }
    this.#watch(built);
    if (built.code.object.codeId === this.#triedCodeId) return null;
    if (!this.#isWorthReload(built.code.object)) return null;
    outdated.throwIfAborted();
    this.#triedCode = built.code.object;
    this.#triedCodeId = built.code.object.codeId;
    if (isFirst) for (const note of built.notes) this.#context.screen.note(this.#context.screen.noteColors.dim(note));
    let manifest: AppManifest;
    try {
      const host = await loader.start(built.bundle, outdated, (note) => this.#context.screen.note(this.#context.screen.noteColors.yellow(note)));
      host.stderr?.on("data", (chunk: Buffer) => this.#context.screen.writeError(chunk));
      manifest = host.manifest;
      await host.dispose();
    } catch (error) {
      // Not what the code is worth: it is tried again, also when the next edit undoes this one.
      if (outdated.aborted) this.#triedCodeId = "";
      throw error;
    }
    if (target.name !== null) selectFunction(manifest, target);
    await sendCode(server.client, built.code, this.#ended.signal);
    const response = await server.client.putApp(
      server.session.id,
      toAppRequest(manifest, built.code.object, { env, forceBuild: forceBuild && this.#ids.size === 0 }),
      this.#ended.signal,
    );
    this.#ids = new Set(response.functions.map((fn) => fn.id));
    return { manifest, response, schedules: await findSchedules(server.client, response.functions, this.#ended.signal) };
  }

  /** False where a file that isn't code keeps changing: told once. */
  #isWorthReload(code: CodeObject): boolean {
    if (!this.#triedCode) return true;
    const changed = changedFiles(this.#triedCode, code);
    // The same code once more: its load was cut short.
    if (changed.length === 0) return true;
    const isCode = changed.some((file) => file === code.entry || file === `${code.entry}.map`);
    const { reload, tooOften } = this.#brake.judge(changed, isCode);
    const { screen } = this.#context;
    if (tooOften)
      screen.note(
        screen.noteColors.yellow(
          `${tooOften.join(", ")} changed again and again, maybe because of the reloads: changes there are no longer reloaded. Name it in .samovarignore if the code doesn't need it`,
        ),
      );
    return reload;
  }

  /** After the reload: the compiler takes every core, and the code should be served first. */
  #checkTypes(outdated: AbortSignal): void {
    if (this.#triedCodeId === this.#checkedCodeId || !this.#triedCodeId || outdated.aborted || this.#ended.signal.aborted) return;
    this.#checkedCodeId = this.#triedCodeId;
    this.#types.start();
  }

  #tellDone({ manifest, response, schedules }: Reloaded, durationMs: number): void {
    const { screen, settings, io } = this.#context;
    const { target } = this.#options;
    const served = renderServed(manifest, response, target.name === null ? null : selectFunction(manifest, target), settings, screen.colors);
    const version = response.functions[0]?.version;
    screen.print(
      `${screen.colors.green(this.#shown === "" ? "Serving" : "Reloaded")} ${target.label}${version === undefined ? "" : ` as version ${version}`} ${screen.colors.dim(`in ${formatDuration(durationMs)}`)}\n`,
    );
    // The next run is another one at each reload: it is told again only where something else is new.
    const shown = `${served}${schedules.map((schedule) => schedule.when).join()}`;
    if (shown !== this.#shown) screen.print(`${served}${renderNextRuns(schedules, io.clock.now(), screen.colors)}`);
    this.#shown = shown;
  }

  #tellError(error: unknown): void {
    const { screen, settings } = this.#context;
    screen.note(renderError(error, { colors: screen.noteColors, debug: settings.debug }));
    screen.note(screen.noteColors.dim(this.#shown === "" ? "Waiting for an edit" : "The last good code goes on serving; waiting for an edit"));
  }

  /** The folders of what the build read and of what travels with it; while nothing could be built, those known before stay. */
  #watch(built: BuiltApp | null): void {
    if (this.#ended.signal.aborted) return;
    const folders = new Set<string>();
    for (const file of this.#options.loader.watchFiles()) if (!file.includes(`${sep}node_modules${sep}`)) folders.add(dirname(file));
    if (built) {
      const { root, syncs } = built.bundle;
      if (syncs) {
        folders.add(root);
        for (const file of built.code.object.files) folders.add(dirname(join(root, file.path)));
      }
      // Edits between the build's reading and this are seen by building once more, which is cheap when there were none.
      if (!folders.isSubsetOf(this.#folders)) this.#again = true;
      this.#folders = folders;
    } else {
      for (const folder of this.#folders) folders.add(folder);
    }
    this.#watcher.update(folders);
  }
}

function changedFiles(before: CodeObject, after: CodeObject): string[] {
  const old = new Map(before.files.map((file) => [file.path, `${file.sha256} ${file.mode}`]));
  const changed = after.files.filter((file) => old.get(file.path) !== `${file.sha256} ${file.mode}`).map((file) => file.path);
  const kept = new Set(after.files.map((file) => file.path));
  return [...changed, ...[...old.keys()].filter((path) => !kept.has(path))];
}

interface Reloaded {
  readonly manifest: AppManifest;
  readonly response: AppResponse;
  readonly schedules: readonly ScheduleInfo[];
}
