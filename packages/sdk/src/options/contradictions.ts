import { show } from "@samovar/protocol";
import { findGpuContradictions } from "./gpu-option.ts";
import { findNetworkContradictions } from "./network-option.ts";
import type { Draft } from "./option-table.ts";
import type { Mistake, RawOptions } from "./mistakes.ts";
import { QueueDepthAutoscaler } from "./queue-depth-autoscaler.ts";

/** Options that can't both hold. Each names both; the later one gives way in the corrected code. */
export function findContradictions(raw: RawOptions, draft: Draft): Mistake[] {
  return [
    ...findDoubleSpellings(raw),
    ...findGpuContradictions(raw, draft),
    ...findNetworkContradictions(raw, draft),
    ...findScalingContradictions(raw, draft),
    ...findWorkerContradictions(raw, draft),
  ];
}

function findDoubleSpellings(raw: RawOptions): Mistake[] {
  const mistakes: Mistake[] = [];
  if (has(raw, "scaledownWindow") && has(raw, "keepWarmSeconds")) {
    mistakes.push({ message: "scaledownWindow and keepWarmSeconds are two spellings of one option: give one of them", mend: without("keepWarmSeconds") });
  }
  for (const key of ["minContainers", "maxContainers", "tasksPerContainer"]) {
    if (has(raw, "autoscaler") && has(raw, key))
      mistakes.push({ message: `autoscaler and ${key} contradict each other: say it in one place`, mend: unfoldAutoscaler });
  }
  return mistakes;
}

function findScalingContradictions(raw: RawOptions, draft: Draft): Mistake[] {
  const mistakes: Mistake[] = [];
  const { minContainers = 0, maxContainers, bufferContainers = 0 } = draft.options;
  if (typeof maxContainers === "number" && minContainers > maxContainers) {
    mistakes.push({
      message: `minContainers (${minContainers}) is above maxContainers (${maxContainers})`,
      mend: (options) => has(raw, "maxContainers") && (options.maxContainers = minContainers),
    });
  } else if (typeof maxContainers === "number" && bufferContainers > maxContainers) {
    mistakes.push({
      message: `bufferContainers (${bufferContainers}) is above maxContainers (${maxContainers})`,
      mend: (options) => has(raw, "maxContainers") && (options.maxContainers = bufferContainers),
    });
  }
  return mistakes;
}

function findWorkerContradictions(raw: RawOptions, draft: Draft): Mistake[] {
  const mistakes: Mistake[] = [];
  const { singleUse, concurrencyMax, workers = 1, maxInputsPerWorker } = draft.options;
  if (draft.batch && concurrencyMax !== undefined && concurrencyMax < draft.batch.maxBatchSize) {
    mistakes.push({
      message: `concurrency (${show(raw.concurrency)}) is below batch.maxBatchSize (${draft.batch.maxBatchSize}): no batch could ever fill`,
      mend: (options) => (options.concurrency = draft.batch!.maxBatchSize),
    });
  }
  if (!singleUse) return mistakes;
  if (concurrencyMax !== undefined && concurrencyMax > 1) {
    mistakes.push({
      message: `singleUse and concurrency (${show(raw.concurrency)}) contradict each other: a container for one input holds one`,
      mend: without("concurrency"),
    });
  }
  if (workers > 1)
    mistakes.push({
      message: `singleUse and workers (${workers}) contradict each other: a container for one input needs one worker`,
      mend: without("workers"),
    });
  if (typeof maxInputsPerWorker === "number" && maxInputsPerWorker > 1) {
    mistakes.push({
      message: `singleUse and maxInputsPerWorker (${maxInputsPerWorker}) contradict each other: a container for one input gets one`,
      mend: without("maxInputsPerWorker"),
    });
  }
  if (draft.batch && draft.batch.maxBatchSize > 1) {
    mistakes.push({
      message: `singleUse and batch.maxBatchSize (${draft.batch.maxBatchSize}) contradict each other: a container for one input has no batches`,
      mend: without("singleUse"),
    });
  }
  return mistakes;
}

function unfoldAutoscaler(options: Record<string, unknown>): void {
  const { autoscaler, ...rest } = options;
  const folded = autoscaler instanceof QueueDepthAutoscaler ? autoscaler.options : {};
  delete options.autoscaler;
  Object.assign(options, { ...folded, ...rest });
}

const has = (raw: RawOptions, key: string): boolean => raw[key] !== undefined;

const without =
  (key: string) =>
  (options: Record<string, unknown>): void => {
    delete options[key];
  };
