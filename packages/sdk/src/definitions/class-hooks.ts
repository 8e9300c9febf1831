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
  const marked = (kind: HookKind, isWanted: (mark: Mark) => boolean = () => true): HookDefinition[] =>
    marksByName(Class, kind)
      .filter(isWanted)
      .map((mark) => fromMark(Class, mark));
  const listedOf = (kind: HookKind): HookDefinition[] =>
    (listed[kind] ?? []).map(({ run, key }) => ({
      name: run,
      run: kind === "onDeploy" ? callStatic(Class, run) : callOnInstance(run),
      ...(key ? { key } : {}),
    }));
  const hooksOf = (kind: HookKind): HookDefinition[] => [...marked(kind), ...listedOf(kind)];
  return {
    onBuild: hooksOf("onBuild"),
    onDeploy: hooksOf("onDeploy"),
    // What a snapshot is to hold comes first; within both parts the order is kept.
    onStart: [...marked("onStart", isBeforeSnapshot), ...marked("onStart", (mark) => !isBeforeSnapshot(mark)), ...listedOf("onStart")],
    onStop: hooksOf("onStop"),
    onStartIsList: false,
    onDeployIsList: hooksOf("onDeploy").length > 1,
  };
}

const isBeforeSnapshot = (mark: Mark): boolean => mark.options.snapshot === true;

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

/** The text of a class's build or deploy hook: the override's where there is one. */
export function sourceOfHook(Class: Function, kind: HookKind, hook: HookDefinition): string {
  const mark = marksByName(Class, kind).find((one) => one.private && one.name === hook.name);
  const holder = (kind === "onDeploy" ? Class : (Class.prototype as object)) as Record<string, Function | undefined>;
  return (mark?.value ?? holder[hook.name] ?? hook.run).toString();
}
