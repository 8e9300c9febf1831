import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger, systemClock } from "@samovar/kit";
import { createFakeDriver } from "@samovar/runtime";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parseServerConfig } from "../config.ts";
import type { SamovarServer } from "../running-server.ts";
import { startServer } from "../server.ts";
import { functionOf } from "../testing/app.fixture.ts";
import { parseScrape } from "./metrics.fixture.ts";
import { Metrics } from "./metrics.ts";

let home: string;
let server: SamovarServer | null = null;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "samovar-metrics-"));
});
afterEach(async () => {
  server?.shutdown("done");
  await server?.closed;
  server = null;
  await rm(home, { recursive: true, maxRetries: 5 });
});

test("a server's scrape is what Prometheus reads, and has no token in it", async () => {
  server = await startServer({
    config: parseServerConfig({ SAMOVAR_HOME: home, SAMOVAR_PORT: "0" }),
    logger: silentLogger,
    createDriver: async () => createFakeDriver({ clock: systemClock, runWorker: () => {}, accept: () => {} }),
  });
  const response = await fetch(`${server.url}/metrics`);
  const body = await response.text();
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/plain; version=0.0.4; charset=utf-8"]);
  expect(parseScrape(body).get("samovar_build_info")!.samples.size).toBe(1);
  expect(body).not.toContain(server.adminToken);
});

test("docs/metrics.md lists every metric with its type and labels, and no other", async () => {
  const page = await readFile(new URL("../../../../docs/metrics.md", import.meta.url), "utf8");
  const documented = new Map<string, string>();
  for (const [, names, type, labels] of page.matchAll(/^\| (`[a-z].*?`) \| (\w+) \| (.*?) ?\|/gm))
    for (const name of names!.split(", ")) documented.set(name.replaceAll("`", ""), `${type} ${labels}`.trim());

  const metrics = new Metrics({ version: "1", driver: "fake", functions: () => [functionOf("predict").info()] });
  metrics.callEnded(functionOf("predict"), 200, 1);
  metrics.taskAttemptEnded({ app: "app", function: "predict", status: "COMPLETE", waitedMs: 1, ranMs: 1 });
  const changed = (endedAtMs: number | null): void =>
    metrics.containerChanged({
      id: "ct_1",
      function: "predict",
      functionId: "fn_1",
      app: "app",
      version: 1,
      driver: "fake",
      state: "ended",
      reason: "idle",
      startedAtMs: 0,
      endedAtMs,
      pid: null,
      workers: 1,
      inputs: { running: 0, done: 0, failed: 0 },
      parameters: [],
      phases: [{ phase: "ready", workerIndex: null, hook: null, startedAtMs: 0, durationMs: 1, outcome: "ok", detail: null }],
    });
  changed(null);
  changed(1);
  // The event loop's delay is there as soon as its timer has fired once between two scrapes.
  let families = parseScrape((await metrics.scrape()).body);
  while (!families.has("nodejs_eventloop_lag_max_seconds")) {
    await new Promise((resolve) => setImmediate(resolve));
    families = parseScrape((await metrics.scrape()).body);
  }
  metrics.dispose();
  const told = [...families].map(([name, { type, samples }]) => {
    const labels = [...samples.keys()][0]!.matchAll(/(\w+)="/g);
    return [
      name,
      `${type} ${Array.from(labels, ([, label]) => label)
        .filter((label) => label !== "le")
        .join(", ")}`.trim(),
    ] as const;
  });
  expect(new Map(told)).toEqual(documented);
});
