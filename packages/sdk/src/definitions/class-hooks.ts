import type { HookDefinition, HookDefinitions, HookKind } from "@samovar/protocol";
import type { Mark } from "../decorators/marks.ts";
import { marksByName } from "./class-members.ts";

type AnyClass = Function & Record<PropertyKey, unknown>;
type HookFunction = HookDefinition["run"];

/** A hook by its name, as the form without decorators lists it. */
export interface ListedHook {
  readonly run: string;
  readonly key?: readonly unknown[];
}

/** The hooks of a class: those that its decorators mark, then those that the options list. */
export function readClassHooks(Class: Function, listed: Readonly<Partial<Record<HookKind, readonly ListedHook[]>>>): HookDefinitions {
  const hooksOf = (kind: HookKind): HookDefinition[] => [
    ...marksByName(Class, kind).map((mark) => fromMark(Class, mark)),
    ...(listed[kind] ?? []).map(({ run, key }) => ({
      name: run,
      run: kind === "onDeploy" ? callStatic(Class, run) : callOnInstance(run),
      ...(key ? { key } : {}),
    })),
  ];
  return {
    onBuild: hooksOf("onBuild"),
    onDeploy: hooksOf("onDeploy"),
    onStart: hooksOf("onStart"),
    onStop: hooksOf("onStop"),
    onStartIsList: false,
    onDeployIsList: hooksOf("onDeploy").length > 1,
  };
}

function fromMark(Class: Function, mark: Mark): HookDefinition {
  const run: HookFunction =
    mark.kind === "onDeploy"
      ? mark.private
        ? (ctx) => mark.get(Class).call(Class, ctx) as unknown
        : callStatic(Class, mark.name)
      : mark.private
        ? function (this: unknown, ctx) {
            return mark.get(this as object).call(this, ctx) as unknown;
          }
        : callOnInstance(mark.name);
  return {
    name: typeof mark.name === "symbol" ? (mark.name.description ?? mark.kind) : mark.name,
    run,
    ...(mark.options.key ? { key: mark.options.key } : {}),
  };
}

/** By name, so that a derived class's override runs in the base's place. */
const callOnInstance = (name: PropertyKey): HookFunction =>
  function (this: unknown, ctx) {
    return (this as Record<PropertyKey, (ctx: unknown) => unknown>)[name]!(ctx);
  };

const callStatic =
  (Class: Function, name: PropertyKey): HookFunction =>
  (ctx) =>
    ((Class as AnyClass)[name] as (ctx: unknown) => unknown).call(Class, ctx);

/** The text of a class's build hook: the override's where there is one. */
export function sourceOfHook(Class: Function, hook: HookDefinition): string {
  const mark = marksByName(Class, "onBuild").find((one) => one.private && one.name === hook.name);
  return (mark?.value ?? (Class.prototype as Record<string, Function>)[hook.name] ?? hook.run).toString();
}
