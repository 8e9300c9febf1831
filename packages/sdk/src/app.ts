import { describeNameProblem, show } from "@samovar/protocol";
import type { Define, DefineQueue, DefineSchedule } from "./definitions/callable-types.ts";
import type { DefineClass } from "./definitions/class-types.ts";
import { defineCallable } from "./definitions/define-callable.ts";
import { defineClass } from "./definitions/define-class.ts";
import { throwMistakes, type RawOptions } from "./options/mistakes.ts";
import { suggestName } from "./options/option-table.ts";
import type { CommonOptions } from "./options/option-types.ts";
import { isPlainObject } from "./options/parse-values.ts";
import { SCHEDULE_OPTIONS } from "./options/schedule-options.ts";
import { APP_OPTIONS, readOptions } from "./options/resolve-options.ts";
import { getRegistry } from "./registry.ts";

const OF_A_FUNCTION = Object.fromEntries(
  ["name", "input", "output", "batch", "onBuild", "onDeploy", "onStart", "onStop", "methods", ...Object.keys(SCHEDULE_OPTIONS)].map((key) => [
    key,
    `Unknown option "${key}": it belongs to a function, not to the app`,
  ]),
);

/**
 * The set of functions that one module defines, deployed together. `options` are defaults for all of them; a
 * function's own options stand above them, and `env` is put together. The free functions `endpoint`, `fn`, `taskQueue`,
 * `schedule` and `cls` belong to the module's one app, the same as `app.endpoint` and so on.
 *
 * @example
 * const app = new App("models", { memory: "1Gi" });
 * export const model = app.cls(Model, { concurrency: 8 });
 */
export class App {
  readonly name: string;
  readonly options: RawOptions;
  readonly endpoint: Define<"endpoint">;
  readonly fn: Define<"function">;
  readonly taskQueue: DefineQueue;
  readonly schedule: DefineSchedule;
  readonly cls: DefineClass;

  constructor(name: string, options: CommonOptions = {}) {
    const shape = {
      subject: "new App",
      render: (text: string) =>
        `new App(${JSON.stringify(typeof name === "string" ? (describeNameProblem(name) ? suggestName(name) : name) : "my-app")}${text === "{}" ? "" : `, ${text}`})`,
    };
    const problem = typeof name === "string" ? describeNameProblem(name) : `The name is ${show(name)}, but it takes a string`;
    const raw = (isPlainObject(options) ? options : {}) as RawOptions;
    const { mistakes } = readOptions(raw, APP_OPTIONS, OF_A_FUNCTION);
    throwMistakes(
      [
        ...(problem ? [{ message: problem }] : []),
        ...(raw === options ? [] : [{ message: `The options are ${show(options)}, but it takes an object` }]),
        ...mistakes,
      ],
      raw,
      shape,
      App,
      problem ? "invalid_definition" : "invalid_option",
    );
    this.name = name;
    this.options = Object.freeze({ ...raw });
    this.endpoint = bindApp(this, (app, args, entry) => defineCallable("endpoint", app, args, entry)) as Define<"endpoint">;
    this.fn = bindApp(this, (app, args, entry) => defineCallable("function", app, args, entry)) as Define<"function">;
    this.taskQueue = bindApp(this, (app, args, entry) => defineCallable("taskqueue", app, args, entry)) as DefineQueue;
    this.schedule = bindApp(this, (app, args, entry) => defineCallable("schedule", app, args, entry)) as DefineSchedule;
    this.cls = bindApp(this, defineClass) as DefineClass;
    getRegistry().addApp(this);
  }
}

/** A function by itself, so that stacks of mistakes begin where it is called. */
function bindApp(app: App, define: (app: App, args: readonly unknown[], entry: Function) => object): (...args: never[]) => unknown {
  return function bound(...args) {
    return define(app, args, bound);
  };
}
