import { show } from "@samovar/protocol";
import type { Mistake, RawOptions } from "../options/mistakes.ts";
import type { OptionReader } from "../options/option-table.ts";
import { WrongValue } from "../options/parse-values.ts";

const ONCE: readonly (readonly unknown[])[] = [[]];

/** `build`: lists of constructor arguments, which are JSON as those of `.with(…)` are. */
const checkBuild: OptionReader = (value) => {
  if (!Array.isArray(value) || value.length === 0 || !value.every((entry) => Array.isArray(entry))) {
    throw new WrongValue(`build is ${show(value)}, but it takes a list of lists of constructor arguments`, [Array.isArray(value) ? value : [value]]);
  }
};

export const BUILD_OPTION: Readonly<Record<string, OptionReader>> = { build: checkBuild };

/** Read only once the options were found right. */
export function readBuilds(options: RawOptions): readonly (readonly unknown[])[] {
  return (options.build as readonly (readonly unknown[])[] | undefined) ?? ONCE;
}

/** Arguments to build with, and nothing to run with them. */
export function checkBuildsUsed(options: RawOptions, hasBuildHook: boolean): Mistake[] {
  if (options.build === undefined || hasBuildHook) return [];
  return [{ message: "build lists constructor arguments, but the class has no onBuild hook to run with them", mend: (mended) => delete mended.build }];
}

/** A build hook runs on an instance: someone must say with which arguments it is made. */
export function checkBuildsGiven(options: RawOptions, hasBuildHook: boolean, requiresParameters: boolean): Mistake[] {
  if (options.build !== undefined || !hasBuildHook || !requiresParameters) return [];
  return [
    {
      message: "The class has an onBuild hook and required constructor parameters: list the arguments to build it with",
      mend: (mended) => (mended.build = [["small"], ["large"]]),
    },
  ];
}
