import { show, type Duration, type ScalingPatch } from "@samovar/protocol";
import { throwMistakes, type CodeShape, type RawOptions } from "./mistakes.ts";
import { COMMON_OPTIONS, type OptionReader } from "./option-table.ts";
import { integerIn, isPlainObject, WrongValue } from "./parse-values.ts";
import { readOptions, toMistakes } from "./resolve-options.ts";

/** What `updateAutoscaler` changes; what is left out stays as it is. */
export interface AutoscalerOptions {
  /** Containers that are kept warm, whether work comes or not. */
  readonly minContainers?: number;
  /** Never more containers than this. Null: what the host can hold. */
  readonly maxContainers?: number | null;
  /** Extra ready containers while the function is active. */
  readonly bufferContainers?: number;
  /** How long an idle container is kept, 2 s or longer. -1: for ever. */
  readonly scaledownWindow?: Duration;
  /** The demand that one container should answer for; 0: workers × concurrency target. */
  readonly tasksPerContainer?: number;
}

const { minContainers, bufferContainers, scaledownWindow, tasksPerContainer } = COMMON_OPTIONS as Readonly<Record<keyof AutoscalerOptions, OptionReader>>;

const SCALING_OPTIONS: Readonly<Record<keyof AutoscalerOptions, OptionReader>> = {
  minContainers,
  maxContainers: (value, draft, name) => {
    if (value === null) draft.options.maxContainers = null;
    else COMMON_OPTIONS.maxContainers!(value, draft, name);
  },
  bufferContainers,
  scaledownWindow,
  tasksPerContainer,
};

const OF_THE_DEFINITION = Object.fromEntries(
  Object.keys(COMMON_OPTIONS)
    .filter((key) => !Object.hasOwn(SCALING_OPTIONS, key))
    .map((key) => [key, `Unknown option "${key}": it belongs to the definition, and changes with the next deploy`]),
);

/**
 * Reads what the user gave to `updateAutoscaler`, by the same rules as a definition's options. Throws `invalid_option` with
 * all mistakes and the corrected code. `call` is how it is written, such as `square.updateAutoscaler`; `entry` where stacks begin.
 */
export function readScaling(value: unknown, call: string, entry: Function): ScalingPatch {
  const shape: CodeShape = { subject: call, render: (text) => `await ${call}(${text})` };
  if (!isPlainObject(value))
    throwMistakes(
      [{ message: `The first argument is ${show(value)}, but it takes an object of ${Object.keys(SCALING_OPTIONS).join(", ")}` }],
      { minContainers: 1 },
      shape,
      entry,
    );
  const raw = value as RawOptions;
  const { draft, mistakes } = readOptions(raw, SCALING_OPTIONS, OF_THE_DEFINITION);
  throwMistakes(mistakes, raw, shape, entry);
  // Of these options the names and values of the draft are those of the patch.
  return draft.options;
}

/** The argument of `keepWarm`: a floor and nothing else. */
export function readFloor(value: unknown, call: string, entry: Function): ScalingPatch {
  const shape: CodeShape = { subject: call, render: (text) => `await ${call}(${/\d+/.exec(text)?.[0] ?? "1"})` };
  try {
    return { minContainers: integerIn(value, "containers", 0) };
  } catch (error) {
    if (error instanceof WrongValue) throwMistakes(toMistakes(error, "containers"), { containers: value }, shape, entry);
    throw error;
  }
}
