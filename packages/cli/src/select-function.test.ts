import { expect, test } from "vitest";
import { DEFAULT_OPTIONS, type AppManifest, type FunctionManifest, type SamovarError } from "@samovar/protocol";
import { selectCallable } from "./select-function.ts";

const callable = { streaming: false, batch: null, inputSchema: null, outputSchema: null };
const base = {
  options: DEFAULT_OPTIONS,
  hooks: { onBuild: [], onDeploy: [], onStart: [], onStop: [] },
  schedule: null,
  requiresParameters: false,
  builds: [[]],
};
const predict: FunctionManifest = { ...base, name: "predict", kind: "endpoint", exportName: "predictEndpoint", handler: callable, methods: {} };
const model: FunctionManifest = {
  ...base,
  name: "model",
  kind: "cls",
  exportName: "model",
  handler: null,
  methods: { run: { ...callable, route: null, timeoutMs: undefined } },
};
const manifest: AppManifest = { manifestVersion: 1, app: "a", functions: [model, predict], hasMain: false };

const select = (name: string, method: string | null = null) => selectCallable(manifest, { label: "app.ts", name, method });
const fixOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    return `${(error as Error).message} → ${String((error as SamovarError).fields.fix)}`;
  }
  throw new Error("Nothing was thrown");
};

test("a function is found by its name or by its export", () => {
  expect(select("predict").fn).toBe(predict);
  expect(select("predictEndpoint").fn).toBe(predict);
});

test("a method of a class is found", () => {
  expect(select("model", "run")).toMatchObject({ fn: model, method: "run" });
});

test("an unknown name lists what there is, the nearest first", () => {
  expect(fixOf(() => select("predcit"))).toBe('app.ts has no function "predcit" → Did you mean predict? There are predict, model');
});

test("a class alone lists its methods as they are called", () => {
  expect(fixOf(() => select("model"))).toBe("model is a class: say which method to call → One of app.ts:model.run");
});

test("an unknown method lists the class's own; what every object has is no method", () => {
  expect(fixOf(() => select("model", "toString"))).toBe('model has no method "toString" → There is run');
});

test("a method of what is no class is refused", () => {
  expect(fixOf(() => select("predict", "run"))).toBe("predict has no methods: it is an endpoint, not a class → Call it as app.ts:predict");
});
