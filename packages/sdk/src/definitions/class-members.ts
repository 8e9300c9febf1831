import { marksOf, type Mark } from "../decorators/marks.ts";
import { needsParameters } from "./constructor-source.ts";

/** The methods that instances have, base classes' first, overridden ones in the base's place. */
export function methodNamesOf(Class: Function): readonly string[] {
  const names = new Set<string>();
  for (const prototype of prototypesOf(Class)) {
    for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
      if (name !== "constructor" && typeof property.value === "function") names.add(name);
    }
  }
  return [...names];
}

function prototypesOf(Class: Function): object[] {
  const chain: object[] = [];
  for (
    let prototype = Class.prototype as object | null;
    prototype && prototype !== Object.prototype;
    prototype = Object.getPrototypeOf(prototype) as object | null
  )
    chain.unshift(prototype);
  return chain;
}

/**
 * The marks of one kind. A mark is a method name: the one of a derived class takes the base's place (its options
 * too), and what runs is what `this[name]` is, an override that is not decorated included. Private methods have no overrides.
 */
export function marksByName(Class: Function, kind: Mark["kind"]): readonly Mark[] {
  const marks = new Map<unknown, Mark>();
  for (const mark of marksOf(Class)) if (mark.kind === kind) marks.set(mark.private ? mark.value : mark.name, mark);
  return [...marks.values()];
}

/** Whether the constructor has parameters that must be given. `sources`: the texts of the modules, as far as they can be read. */
export function requiresParameters(Class: Function, sources: () => readonly string[]): boolean {
  if (Class.length > 0) return needsParameters(sources(), Class.name, Class.length);
  const parent = Object.getPrototypeOf(Class) as Function;
  return parent !== Function.prototype && inheritsConstructor(Class) && requiresParameters(parent, sources);
}

/** A class without a constructor of its own, or with the one that transforms write for decorators, hands all on to its base. */
function inheritsConstructor(Class: Function): boolean {
  const text = Class.toString();
  return (
    !/\bconstructor\s*\(/.test(text) ||
    /\bconstructor\s*\(\s*(?:\)\s*\{\s*super\s*\(\s*\.\.\.\s*arguments|\.\.\.\s*(\w+)\s*\)\s*\{\s*super\s*\(\s*\.\.\.\s*\1)/.test(text)
  );
}
