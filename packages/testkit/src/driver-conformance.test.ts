import { dirname } from "node:path";
import { silentLogger, systemClock } from "@samovar/kit";
import { createFakeDriver, createOciDriver, createProcessDriver } from "@samovar/runtime";
import { describeDriver } from "./driver-conformance.ts";
import { needDebianPackage } from "./debian-packages.ts";
import { playProbe, writeProbe } from "./driver-probe.ts";

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
      }),
    missing: await needDebianPackage(runtime),
  });
}
