import { assertParentheses, decorate } from "./check-decoration.ts";
import { checkHookOptions } from "./decorator-options.ts";
import type { OnBuild, OnDeploy, OnStart, OnStop } from "./decorator-types.ts";
import type { MarkOptions } from "./marks.ts";

type HookKind = "onBuild" | "onDeploy" | "onStart" | "onStop";

function createHookDecorator(kind: HookKind): never {
  const hook = function hook(...args: unknown[]): (...decorated: unknown[]) => void {
    assertParentheses(kind, args, hook);
    checkHookOptions(kind, args[0], hook);
    const decoration = { kind, written: `@${kind}()`, options: (args[0] ?? {}) as MarkOptions };
    return function decorator(...decorated) {
      decorate(decoration, decorated, decorator);
    };
  };
  return hook as never;
}

/**
 * Marks a protected method that runs while the image is built, on an instance made with the default arguments; what it
 * writes becomes part of the image. `key`: what the result depends on beyond the method's text. May be stacked
 * with `@onStart()`.
 *
 * @example
 * class Model { @onBuild({ key: [MODEL_ID] }) protected async download() { await fetchWeights(MODEL_ID); } }
 */
export const onBuild: OnBuild = /* @__PURE__ */ createHookDecorator("onBuild");

/**
 * Marks a static method that runs once per deployed version, before any worker of it. It returns JSON, which every
 * worker has as `ctx.onDeployValue`.
 *
 * @example
 * class Model { @onDeploy() protected static async prepare() { await migrate(); } }
 */
export const onDeploy: OnDeploy = /* @__PURE__ */ createHookDecorator("onDeploy");

/**
 * Marks a protected method that runs in each worker before its first input. Hooks of a base class run first, then in
 * the order in which they are written, one after another. `snapshot: true` puts it before the point at which a
 * snapshot of the worker can be taken: such hooks run before all others (as Modal's `enter(snap=True)` do); where no
 * snapshot can be taken, which is everywhere today, they are ordinary start hooks.
 *
 * @example
 * class Model { @onStart() protected async load() { this.session = await open(); } }
 */
export const onStart: OnStart = /* @__PURE__ */ createHookDecorator("onStart");

/**
 * Marks a protected method that runs in each worker after its last input, if its start hooks completed.
 *
 * @example
 * class Model { @onStop() protected async close() { await this.session.close(); } }
 */
export const onStop: OnStop = /* @__PURE__ */ createHookDecorator("onStop");
