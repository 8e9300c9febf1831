import { show, type HookKind } from "@samovar/protocol";
import type { RawOptions } from "../options/mistakes.ts";
import { findNearest } from "../options/nearest.ts";
import type { OptionReader } from "../options/option-table.ts";
import { isPlainObject, WrongValue } from "../options/parse-values.ts";
import type { ListedHook } from "./class-hooks.ts";
import { marksByName, methodNamesOf } from "./class-members.ts";
import { HOOK_KINDS } from "./hook-options.ts";

/** The options of the form without decorators: `methods` and the hooks, each a list of names of this class's methods. */
export function createListOptions(Class: Function): Readonly<Record<string, OptionReader>> {
  const methods = methodNamesOf(Class);
  const statics = staticMethodNamesOf(Class);
  let listed: readonly unknown[] = [];
  const readMethods: OptionReader = (value, _draft, name) => {
    const marked = marksByName(Class, "method");
    if (marked.length > 0) throw new WrongValue(`methods and @method() contradict each other: ${String(marked[0]!.name)} is marked. Say it in one place`);
    listed = assertNames(value, name, methods);
  };
  const readHooks: OptionReader = (value, _draft, name) => {
    const list = assertNames(value, name, name === "onDeploy" ? statics : methods, name === "onBuild");
    const both = name === "onDeploy" ? undefined : list.find((hook) => listed.includes(hook));
    if (both !== undefined) throw new WrongValue(`methods and ${name} both list ${show(both)}: callers call methods, Samovar calls hooks. Make it two methods`);
    const marked = marksByName(Class, name as HookKind).find((mark) => list.includes(mark.name as string));
    if (marked) throw new WrongValue(`${name} lists ${show(marked.name)}, which is marked with @${name}() already: say it in one place`);
  };
  return { methods: readMethods, ...Object.fromEntries(HOOK_KINDS.map((kind) => [kind, readHooks])) };
}

/** The names that the options list, once they were found right. */
export function readListedHooks(options: RawOptions): Partial<Record<HookKind, readonly ListedHook[]>> {
  return Object.fromEntries(
    HOOK_KINDS.map((kind) => [kind, ((options[kind] ?? []) as (string | ListedHook)[]).map((hook) => (typeof hook === "string" ? { run: hook } : hook))]),
  );
}

function assertNames(value: unknown, option: string, known: readonly string[], keyed = false): string[] {
  if (!Array.isArray(value))
    throw new WrongValue(`${option} is ${show(value)}, but a class lists names of its methods`, typeof value === "string" ? [value] : undefined);
  const what = option === "onDeploy" ? "static method" : "method";
  const messages: string[] = [];
  const mended: unknown[] = [];
  const names = value.map((item: unknown): string => {
    const name = keyed && isPlainObject(item) ? item.run : item;
    if (typeof name === "string" && known.includes(name)) {
      mended.push(item);
      return name;
    }
    const nearest = typeof name === "string" ? findNearest(name, known) : undefined;
    messages.push(
      `${option} lists ${show(name)}, but the class has no such ${what}${nearest ? `: did you mean "${nearest}"?` : known.length ? `: it has ${known.join(", ")}` : ""}`,
    );
    if (nearest !== undefined && !mended.includes(nearest)) mended.push(nearest);
    return "";
  });
  if (messages.length > 0) throw new WrongValue(messages, mended);
  return names;
}

function staticMethodNamesOf(Class: Function): string[] {
  const names = new Set<string>();
  for (let one: Function | null = Class; one && one !== Function.prototype; one = Object.getPrototypeOf(one) as Function | null) {
    for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(one)))
      if (typeof property.value === "function" && name !== "prototype") names.add(name);
  }
  return [...names];
}
