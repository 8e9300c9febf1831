import { availableParallelism, release, totalmem } from "node:os";
import type { CommandContext, ExitCode } from "../command-context.ts";
import { checkHome, checkNode, checkPlatform, checkPort } from "../doctor/basics.ts";
import { checkDriver, checkGpus, checkNetwork, judgeDriver } from "../doctor/driver-check.ts";
import type { Finding } from "../doctor/finding.ts";
import { checkCgroups, checkRuntimes, checkUserNamespaces } from "../doctor/isolation.ts";
import { thisMachine } from "../doctor/machine.ts";
import { checkServer } from "../doctor/server-check.ts";
import type { JsonFlag } from "../flags.ts";
import type { Colors } from "../output/colors.ts";
import { displayWidth, padDisplay } from "../output/display-width.ts";

/** What this machine can do, and what would make it do more. Exit code 1 where nothing works until something is mended. */
export async function doctor(context: CommandContext, options: JsonFlag): Promise<ExitCode> {
  const { screen, interrupt } = context;
  // Not left in the middle: what it made in order to try is taken away again.
  const findings = await screen.during("Looking at this machine", () => examine(context));
  interrupt.signal.throwIfAborted();
  const works = findings.every((finding) => finding.status !== "problem");
  if (options.json) screen.print(`${JSON.stringify({ works, findings })}\n`);
  else screen.print(renderFindings(findings, screen.colors));
  return works ? 0 : 1;
}

async function examine({ io, settings, interrupt }: CommandContext): Promise<readonly Finding[]> {
  const machine = thisMachine({
    platform: process.platform,
    release: release(),
    arch: process.arch,
    nodeVersion: process.versions.node,
    uid: process.getuid?.() ?? null,
    cores: availableParallelism(),
    memoryBytes: totalmem(),
  });
  const { finding: server, info } = await checkServer(settings, interrupt.signal);
  // A server of this home has its driver already.
  const driver = info && settings.url === null ? judgeDriver(info.driver, "of the server") : checkDriver(io.env.SAMOVAR_DRIVER || "auto");
  const [home, port, runtimes, namespaces, groups, networks, gpus, ofDriver] = await Promise.all([
    checkHome(machine, settings.home),
    checkPort(machine, { host: io.env.SAMOVAR_HOST, port: io.env.SAMOVAR_PORT, serverUrl: info?.url ?? null }),
    checkRuntimes(machine),
    checkUserNamespaces(machine),
    checkCgroups(machine),
    checkNetwork(),
    checkGpus(),
    driver,
  ]);
  const found = [checkNode(machine), checkPlatform(machine), ...home, server, port, runtimes, namespaces, ...groups, ...networks, ...gpus, ...ofDriver];
  return withoutRepeats(found.filter((finding) => finding !== null));
}

/** The driver names some of what its parts were asked for, too. */
function withoutRepeats(findings: readonly Finding[]): readonly Finding[] {
  return findings.filter(({ status, detail, fix }, at) => status === "ok" || findings.findIndex((each) => each.detail === detail && each.fix === fix) === at);
}

function renderFindings(findings: readonly Finding[], colors: Colors): string {
  const width = Math.max(...findings.map((finding) => displayWidth(finding.title)));
  const marks = { ok: colors.green("✓"), missing: colors.yellow("!"), problem: colors.red("✗") };
  const lines = findings.flatMap(({ status, title, detail, fix }) => [
    `${marks[status]} ${padDisplay(title, width)}  ${detail}`,
    ...(fix === null ? [] : [`  ${" ".repeat(width)}  ${colors.cyan("→")} ${fix}`]),
  ]);
  const count = (status: Finding["status"]): number => findings.filter((finding) => finding.status === status).length;
  const problems = count("problem");
  const less = count("missing");
  const end =
    problems > 0
      ? colors.red(`Samovar can't work here until what is marked ✗ is mended`)
      : less > 0
        ? `Samovar works here; what is marked ! would make it better`
        : colors.green("Samovar works here, with everything it can make use of");
  return `${lines.join("\n")}\n\n${end}\n`;
}
