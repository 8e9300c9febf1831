import { silentLogger, systemClock } from "@samovar/kit";
import { createFakeDriver, createProcessDriver } from "@samovar/runtime";
import { describeDriver } from "./driver-conformance.ts";
import { playProbe, probeFile } from "./driver-probe.ts";

describeDriver("fake", {
  make: async ({ accept }) => createFakeDriver({ clock: systemClock, accept, runWorker: playProbe }),
  withoutProcesses: "its containers are played by the test",
});

for (const cgroups of ["auto", "off"] as const) {
  describeDriver(`process, control groups ${cgroups}`, {
    make: ({ home }) => createProcessDriver({ home, cgroups, nodePath: process.execPath, runnerFile: probeFile, clock: systemClock, logger: silentLogger }),
  });
}
