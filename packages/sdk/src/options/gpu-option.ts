import { show } from "@samovar/protocol";
import type { Mistake, RawOptions } from "./mistakes.ts";
import type { Draft } from "./option-table.ts";
import { integerIn, WrongValue } from "./parse-values.ts";

/** A name as inventories have it, and behind a colon how many. */
const GPU = /^([A-Za-z0-9][A-Za-z0-9 ._-]{0,63})(?::(.*))?$/;
const TAKES = 'a name such as "T4", "T4:2" for two of them, or a list of names in order of preference';

export function readGpu(value: unknown, draft: Draft, name: string): void {
  if (typeof value !== "string" && !Array.isArray(value)) throw new WrongValue(`${name} is ${show(value)}, but it takes ${TAKES}`);
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  const verb = Array.isArray(value) ? "holds" : "is";
  const read = list.map((item) => readOne(item, `${name} ${verb} ${show(item)}`));
  const wrong = read.flatMap((one) => one.problem ?? []);
  if (wrong.length > 0) {
    const right = read.flatMap((one) => one.instead ?? []);
    throw new WrongValue(wrong, Array.isArray(value) ? (right.length > 0 ? right : undefined) : right[0]);
  }
  const names = read.map((one) => one.name!);
  const counts = new Set(read.map((one) => one.count));
  if (counts.size > 1) {
    throw new WrongValue(
      `${name} lists ${list.map(show).join(" and ")}, but a container gets the same number of whichever it gets: list names alone, and give gpuCount`,
      names,
    );
  }
  draft.options.gpu = names;
  const [count] = counts;
  if (count !== undefined) draft.gpuNameCount = count;
}

export function readGpuCount(value: unknown, draft: Draft, name: string): void {
  draft.options.gpuCount = integerIn(value, name, 1);
}

/** Whether `gpu` alone says how many there are: with `:2`, or by asking for none. */
export function tellsGpuCount(value: unknown): boolean {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.length === 0 || list.some((item) => typeof item === "string" && item.includes(":"));
}

export function findGpuContradictions(raw: RawOptions, draft: Draft): Mistake[] {
  const { gpu, gpuCount } = draft.options;
  if (gpuCount === undefined) return [];
  if (raw.gpu === undefined || gpu?.length === 0) {
    return [
      {
        message: `gpuCount (${gpuCount}) needs gpu, which says of what: a name, or "any"`,
        mend: (options) => (options.gpu = "any"),
      },
    ];
  }
  if (draft.gpuNameCount === undefined || draft.gpuNameCount === gpuCount) return [];
  return [
    {
      message: `gpu (${show(raw.gpu)}) and gpuCount (${gpuCount}) contradict each other: say in one place how many`,
      mend: (options) => void delete options.gpuCount,
    },
  ];
}

/** How many GPUs a container gets: what was said, else one of what was named. */
export function completeGpuCount({ options, gpuNameCount }: Draft): number {
  if ((options.gpu ?? []).length === 0) return 0;
  return options.gpuCount ?? gpuNameCount ?? 1;
}

interface ReadGpu {
  readonly name?: string;
  readonly count?: number | undefined;
  readonly problem?: string;
  /** The item as it would be right. */
  readonly instead?: string;
}

function readOne(item: unknown, seen: string): ReadGpu {
  const match = typeof item === "string" ? GPU.exec(item) : null;
  if (!match) return { problem: `${seen}, but it takes ${TAKES}` };
  const [, name, count] = match;
  if (count === undefined) return { name: name!, instead: name! };
  if (!/^[1-9]\d{0,3}$/.test(count)) return { problem: `${seen}, but behind the colon stands how many, 1 or more`, instead: name! };
  return { name: name!, count: Number(count), instead: item as string };
}
