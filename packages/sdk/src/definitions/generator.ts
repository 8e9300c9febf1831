const GENERATORS = new Set(["GeneratorFunction", "AsyncGeneratorFunction"]);

/** By what kind of function it is, since nothing has run yet. */
export const isGenerator = (run: Function): boolean =>
  GENERATORS.has((Object.getPrototypeOf(run) as { [Symbol.toStringTag]?: string } | null)?.[Symbol.toStringTag] ?? "");
