import { show, type HookDefinition, type HookDefinitions, type HookKind, type HookManifest } from "@samovar/protocol";
import { hashText } from "../hash.ts";
import { WrongValue, isPlainObject } from "../options/parse-values.ts";
import type { OptionReader } from "../options/option-table.ts";
import type { RawOptions } from "../options/mistakes.ts";

export const HOOK_KINDS: readonly HookKind[] = ["onBuild", "onDeploy", "onStart", "onStop"];

/** Checks a hook as an option: a function or a list of them. It is read by `readHooks`. */
const checkHook: OptionReader = (value, _draft, name) => {
  const list = Array.isArray(value) ? value : [value];
  for (const [i, item] of list.entries()) {
    const what = Array.isArray(value) ? `${name}[${i}]` : name;
    if (typeof item === "function") continue;
    if (name === "onBuild" && isPlainObject(item) && typeof item.run === "function") {
      const unknown = Object.keys(item).find((key) => key !== "run" && key !== "key");
      if (unknown) throw new WrongValue(`Unknown option "${what}.${unknown}": it has run and key`, { run: item.run, key: item.key });
      if (item.key !== undefined && !Array.isArray(item.key))
        throw new WrongValue(`${what}.key is ${show(item.key)}, but it takes a list`, { run: item.run, key: [item.key] });
      continue;
    }
    throw new WrongValue(
      `${what} is ${show(item)}, but it takes a function${name === "onBuild" ? ", or { run, key }" : ""}${Array.isArray(value) ? "" : ", or a list of them"}`,
    );
  }
};

export const HOOK_OPTIONS: Readonly<Record<string, OptionReader>> = Object.fromEntries(HOOK_KINDS.map((kind) => [kind, checkHook]));

/** The hooks of a function. Called only once its options were found right. */
export function readHooks(options: RawOptions): HookDefinitions {
  return {
    onBuild: readList(options.onBuild, "onBuild"),
    onDeploy: readList(options.onDeploy, "onDeploy"),
    onStart: readList(options.onStart, "onStart"),
    onStop: readList(options.onStop, "onStop"),
    onStartIsList: Array.isArray(options.onStart),
    onDeployIsList: Array.isArray(options.onDeploy),
  };
}

type HookFunction = HookDefinition["run"];

function readList(value: unknown, kind: HookKind): HookDefinition[] {
  if (value === undefined) return [];
  const isList = Array.isArray(value);
  return (isList ? value : [value]).map((item: HookFunction | { run: HookFunction; key?: readonly unknown[] }, i) => {
    const run = typeof item === "function" ? item : item.run;
    const key = typeof item === "function" ? undefined : item.key;
    // A literal `{ run: () => … }` names its function "run", which says nothing.
    const name = run.name && run.name !== "run" ? run.name : isList ? `${kind}[${i}]` : kind;
    return { name, run, ...(key ? { key } : {}) };
  });
}

/** Hooks as the manifest shows them. `sourceOf`: the text that decides whether a build is still good, or a deploy hook changed. */
export function describeHooks(
  hooks: HookDefinitions,
  sourceOf: (kind: HookKind, hook: HookDefinition) => string,
): Readonly<Record<HookKind, readonly HookManifest[]>> {
  const plain = (list: readonly HookDefinition[]): HookManifest[] => list.map((hook) => ({ name: hook.name, cacheKey: "" }));
  const keyed = (kind: HookKind): HookManifest[] =>
    hooks[kind].map((hook) => ({ name: hook.name, cacheKey: hashText(JSON.stringify([sourceOf(kind, hook), hook.key ?? []])) }));
  return { onBuild: keyed("onBuild"), onDeploy: keyed("onDeploy"), onStart: plain(hooks.onStart), onStop: plain(hooks.onStop) };
}
