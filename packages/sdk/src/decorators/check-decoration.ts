import { SamovarError } from "@samovar/protocol";
import { addMark, ownMarks, type MarkKind, type MarkOptions } from "./marks.ts";

interface Decoration {
  readonly kind: MarkKind;
  /** As it was written, `@onStart({ snapshot: true })` without its options: `@onStart()`. */
  readonly written: string;
  readonly options: MarkOptions;
}

/** The first call of a decorator gets its options. Getting anything else means that its parentheses are missing. */
export function assertParentheses(kind: MarkKind, args: readonly unknown[], entry: Function): void {
  const [first, second] = args;
  if (isLegacyCall(args))
    throw mistake(
      entry,
      `@${kind} was called the legacy way, and without its parentheses. Remove "experimentalDecorators" from tsconfig.json and write`,
      example(kind, second as string | symbol),
    );
  if (typeof first === "function" || isDecoratorContext(second)) {
    throw mistake(entry, `@${kind} needs its parentheses. Write`, example(kind, isDecoratorContext(second) ? second.name : undefined));
  }
}

/** The second call gets the method. Throws for what it can't mark; else the class remembers it. */
export function decorate(decoration: Decoration, args: readonly unknown[], entry: Function): void {
  const { kind, written } = decoration;
  const [value, context] = args as [unknown, ClassMethodDecoratorContext];
  if (isLegacyCall(args))
    throw mistake(
      entry,
      `${written} was called the legacy way. Remove "experimentalDecorators" from tsconfig.json: these are standard decorators. Then this is right`,
      example(kind, args[1] as string | symbol),
    );
  if (!isDecoratorContext(context)) throw mistake(entry, `${written} decorates methods of classes. Write`, example(kind, undefined));
  assertPlace(decoration, context, entry);
  if (!context.metadata)
    throw mistake(
      entry,
      `${written} needs decorator metadata, which what compiled this file leaves out. Compile with esbuild, TypeScript 5.2 or later, or in Vitest with the plugin`,
      'import samovar from "samovar/vitest"',
    );
  assertCompatible(decoration, context, entry);
  addMark(context.metadata, {
    kind,
    name: context.name,
    private: context.private,
    value: value as Function,
    get: (self) => context.access.get(self) as Function,
    options: decoration.options,
  });
}

function assertPlace({ kind, written }: Decoration, context: ClassMethodDecoratorContext, entry: Function): void {
  const name = context.name;
  const what = context.kind as string;
  if (what === "class") throw mistake(entry, `${written} stands on the class ${String(name)}, but it marks a method. Write`, example(kind, undefined));
  if (what !== "method") throw mistake(entry, `${written} stands on the ${what} ${String(name)}, but it marks a method. Write`, example(kind, name));
  if (kind === "onDeploy" && !context.static) {
    throw mistake(
      entry,
      `@onDeploy() stands on the instance method ${String(name)}, but it runs once per version, where there is no instance. Write`,
      example(kind, name),
    );
  }
  if (kind !== "onDeploy" && context.static) {
    const why = kind === "method" ? "callers call methods of an instance" : "it runs in each worker, on its instance";
    throw mistake(entry, `${written} stands on the static method ${String(name)}, but ${why}. Write`, example(kind, name));
  }
  if (kind === "method" && context.private)
    throw mistake(
      entry,
      `@method() stands on the private method ${String(name)}, but public methods are what callers see. Write`,
      example(kind, String(name).slice(1)),
    );
  if (kind === "method" && typeof name === "symbol")
    throw mistake(entry, `@method() stands on ${String(name)}, but callers call methods by names that fit in a URL. Write`, example(kind, undefined));
}

/** One method can't be both what callers call and a hook, and needs each mark once. */
function assertCompatible({ kind, written }: Decoration, context: ClassMethodDecoratorContext, entry: Function): void {
  const others = ownMarks(context.metadata).filter(
    (mark) => mark.name === context.name && mark.private === context.private && (mark.kind === "onDeploy") === context.static,
  );
  if (others.some((mark) => mark.kind === kind)) throw mistake(entry, `${written} stands twice on ${String(context.name)}. Write`, example(kind, context.name));
  const clash = others.find((mark) => kind === "method" || mark.kind === "method");
  if (clash)
    throw mistake(
      entry,
      `@${clash.kind}() and @${kind}() contradict each other on ${String(context.name)}: callers call methods, Samovar calls hooks. Make it two methods`,
      example(kind === "method" ? clash.kind : kind, "prepare"),
    );
}

function example(kind: MarkKind, name: string | symbol | undefined): string {
  const text = typeof name === "symbol" ? `[${String(name)}]` : name;
  switch (kind) {
    case "method":
      return `@method() ${text ?? "predict"}(input, ctx) { … }`;
    case "onDeploy":
      return `@onDeploy() protected static async ${text ?? "prepare"}(ctx) { … }`;
    default:
      return `@${kind}() protected async ${text ?? "load"}(ctx) { … }`;
  }
}

function mistake(entry: Function, message: string, code: string): SamovarError {
  const error = new SamovarError("invalid_definition", `${message}:\n  ${code}`);
  Error.captureStackTrace(error, entry);
  return error;
}

/** `experimentalDecorators` calls with the prototype (or class), the name and, for methods, the property descriptor. */
const isLegacyCall = (args: readonly unknown[]): boolean =>
  args.length >= 2 &&
  (typeof args[0] === "object" || typeof args[0] === "function") &&
  args[0] !== null &&
  (typeof args[1] === "string" || typeof args[1] === "symbol");

const isDecoratorContext = (value: unknown): value is ClassMethodDecoratorContext =>
  typeof value === "object" && value !== null && typeof (value as { kind?: unknown }).kind === "string" && "name" in value;
