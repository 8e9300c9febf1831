import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { silentLogger, systemClock } from "@samovar/kit";
import { createFakeDriver, createOciDriver, createProcessDriver } from "@samovar/runtime";
import { afterAll } from "vitest";
import { describeDriver } from "./driver-conformance.ts";
import { needDebianPackage } from "./debian-packages.ts";
import { playProbe, writeProbe } from "./driver-probe.ts";

/** Each case has a driver of its own, and the first one of each runtime tries the machine for all. */
const verdicts = await mkdtemp(join(tmpdir(), "samovar-test-verdicts-"));
afterAll(() => rm(verdicts, { recursive: true, maxRetries: 5 }));

describeDriver("fake", {
  make: async ({ accept }) => createFakeDriver({ clock: systemClock, accept, runWorker: playProbe }),
  withoutProcesses: "its containers are played by the test",
});

for (const cgroups of ["auto", "off"] as const) {
  describeDriver(`process, control groups ${cgroups}`, {
    make: async ({ home }) =>
      createProcessDriver({
        home,
        cgroups,
        nodePath: process.execPath,
        runnerFile: await writeProbe(dirname(home)),
        clock: systemClock,
        logger: silentLogger,
      }),
  });
}

for (const runtime of ["crun", "runc"] as const) {
  describeDriver(`oci, ${runtime}`, {
    make: async ({ home }) =>
      createOciDriver({
        home,
        nodePath: process.execPath,
        runnerFile: await writeProbe(dirname(home)),
        clock: systemClock,
        logger: silentLogger,
        runtimes: [runtime],
        verdictFile: join(verdicts, `${runtime}.json`),
      }),
    missing: await needDebianPackage(runtime),
  });
}
