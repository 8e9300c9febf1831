import type { HookKind } from "@samovar/protocol";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { BatchOptions } from "../options/option-types.ts";

export type MarkKind = HookKind | "method";

export interface MarkOptions {
  readonly route?: string;
  readonly timeout?: unknown;
  readonly batch?: BatchOptions;
  readonly input?: StandardSchemaV1;
  readonly output?: StandardSchemaV1;
  readonly key?: readonly unknown[];
  readonly snapshot?: boolean;
}

/** That a method of a class was decorated. */
export interface Mark {
  readonly kind: MarkKind;
  readonly name: string | symbol;
  readonly private: boolean;
  readonly value: Function;
  /** The method of an instance: the only way to a `#private` one. */
  readonly get: (self: object) => Function;
  readonly options: MarkOptions;
}

const MARKS = Symbol.for("samovar.marks");

// Transforms look Symbol.metadata up when a class is made, and leave metadata out where there is no such symbol.
(Symbol as { metadata?: symbol }).metadata ??= Symbol.for("Symbol.metadata");

export const METADATA: symbol = (Symbol as unknown as { readonly metadata: symbol }).metadata;

type Metadata = Record<symbol, readonly Mark[] | undefined>;

export function addMark(metadata: object, mark: Mark): void {
  const own = Object.hasOwn(metadata, MARKS) ? (metadata as Metadata)[MARKS]! : [];
  (metadata as Metadata)[MARKS] = [...own, mark];
}

/** What this class itself marked so far, without its bases. */
export const ownMarks = (metadata: object): readonly Mark[] => (Object.hasOwn(metadata, MARKS) ? (metadata as Metadata)[MARKS]! : []);

/** The marks of a class: its bases' first, each in the order in which it is written. */
export function marksOf(Class: Function): readonly Mark[] {
  const chain: (readonly Mark[])[] = [];
  let metadata = (Class as unknown as Record<symbol, object | null | undefined>)[METADATA] ?? null;
  while (metadata) {
    chain.unshift(ownMarks(metadata));
    metadata = Object.getPrototypeOf(metadata) as object | null;
  }
  return chain.flat();
}
