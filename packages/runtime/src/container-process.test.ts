import { expect, test } from "vitest";
import { toContainerFolder } from "./container-folder.ts";
import { heapMib, toArguments, toEnvironment } from "./container-process.ts";
import type { ContainerSpec } from "./driver.ts";

const spec: ContainerSpec = {
  containerId: "ct_1",
  functionName: "answer",
  serverAddress: "/run/s",
  token: "secret",
  code: { codeId: "c", sourceDir: "/code", entry: "a.mjs", nodeModules: [] },
  env: {},
  serverUrl: "http://127.0.0.1:8700",
  network: { mode: "host", allow: [] },
  gpus: [],
  limits: { cpuMillis: 1_000, memoryMib: 512, maxProcesses: 64, diskMib: 1_024, workers: 2 },
};

test("workers share the memory: each gets its part of three quarters", () => {
  expect(heapMib(spec.limits)).toBe(192);
  expect(heapMib({ ...spec.limits, memoryMib: 64, workers: 8 })).toBe(32);
});

test("the heap flag stands before the runner, whose arguments are labels", () => {
  expect(toArguments(spec, ["--conditions=x"], "/runner.js")).toEqual(["--max-old-space-size=192", "--conditions=x", "/runner.js", "answer", "ct_1"]);
});

test("a heap limit that the user sets is left alone", () => {
  expect(toArguments({ ...spec, env: { NODE_OPTIONS: "--max-old-space-size=300" } }, [], "/runner.js")[0]).toBe("/runner.js");
});

test("the user may replace defaults but not who the container is", () => {
  const env = toEnvironment({ ...spec, env: { TZ: "Europe/Paris", SAMOVAR_CONTAINER_ID: "ct_2" } }, toContainerFolder("/home", "ct_1"), "/opt/node/bin/node");
  expect(env).toMatchObject({ TZ: "Europe/Paris", SAMOVAR_CONTAINER_ID: "ct_1", HOME: "/home/ct_1/home" });
  expect(env["PATH"]).toMatch(/^\/opt\/node\/bin:/);
});
