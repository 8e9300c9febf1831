import { join } from "node:path";
import type { Finding } from "../finding.ts";
import { toSpread } from "../statistics.ts";
import { DockerDaemon, whyNoDocker } from "../targets/docker-daemon.ts";
import { OciFloor, type FloorRuntime } from "../targets/oci-floor.ts";
import { isInstalled } from "../targets/programs.ts";
import { SamovarServer } from "../targets/samovar-server.ts";
import { say, type Progress } from "../terminal.ts";
import { bareTarget, compareGroups, samovarTarget, startInTurns, toColdFindings, type ColdTarget } from "./cold-starts.ts";
import type { Scope } from "./scope.ts";

/** A start takes Docker most of a second. */
const DOCKER_EVERY_TURNS = 4;

/** With the oci driver, beside runtimes that run the bare server in a container like ours, and beside `docker run` of it. */
export async function measureColdStartOci(scope: Scope, progress: Progress): Promise<readonly Finding[]> {
  const runtimes: FloorRuntime[] = [];
  for (const runtime of ["runc", "crun"] as const) if (await isInstalled(runtime)) runtimes.push(runtime);
  if (runtimes.length === 0) {
    say("cold-oci is skipped: no OCI runtime is installed: `apt-get install runc`");
    return [];
  }
  if (!runtimes.includes("runc")) say("cold-oci has no floor: runc is not installed: `apt-get install runc`");

  progress("cold starts with oci: starting the server");
  await using cleanUp = new AsyncDisposableStack();
  let samovar: SamovarServer;
  try {
    samovar = await SamovarServer.start("oci");
  } catch (error) {
    say(`cold-oci is skipped: the server does not start with the driver oci: ${(error as Error).message.replaceAll(/\s+/g, " ")}`);
    return [];
  }
  cleanUp.defer(() => samovar.stop());
  // A container of it is there when it has answered.
  await samovar.greet("hello");
  const { id, pid } = await samovar.readyContainer("hello");
  const floor = await OciFloor.of({ configFile: join(samovar.home, "containers", id, "config.json"), pid: pid!, home: samovar.home });
  cleanUp.defer(() => floor.dispose());
  const targets: ColdTarget[] = [samovarTarget(samovar), ...runtimes.map((runtime) => bareTarget(runtime, 1, () => floor.start(runtime)))];

  const noDocker = await whyNoDocker();
  if (noDocker === null) {
    progress("cold starts with oci: starting a Docker daemon");
    const docker = await DockerDaemon.start();
    cleanUp.defer(() => docker.stop());
    targets.push(bareTarget("docker", DOCKER_EVERY_TURNS, () => docker.run()));
  } else say(`cold-oci has no figures of docker run: ${noDocker}`);

  const figures = await startInTurns(targets, { turns: scope.coldStarts, what: "cold starts with oci", progress });
  const ours = await floor.runtimeOfOurs();
  const findings = toColdFindings({ id: "cold-start-oci", title: `cold start, oci (${ours})`, figures, floor: runtimes.includes("runc") ? "runc" : null });
  return ours === "runc" || !figures[ours] ? findings : [...findings, besideSameRuntime(ours, figures["samovar"]!, figures[ours])];
}

/** The aim is held against runc, which everybody has. What is Samovar's own part shows beside the runtime that it uses. */
function besideSameRuntime(runtime: string, ours: readonly number[], floor: readonly number[]): Finding {
  return {
    id: "cold-start-oci-same-runtime",
    title: "  beside the same runtime",
    unit: "ms",
    figures: { samovar: toSpread(ours), [runtime]: toSpread(floor) },
    judged: { what: `× ${runtime}`, spread: compareGroups(ours, floor) },
    aim: null,
  };
}
