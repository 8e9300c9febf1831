import { execFile } from "node:child_process";
import { chmod, chown, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { DriverInfo } from "@samovar/protocol";
import { expect, test } from "vitest";
import { needDebianPackage } from "../debian-packages.ts";
import { failOnLeaks } from "../leak-check.ts";

const run = promisify(execFile);
const NOBODY = 65_534;
const folder = failOnLeaks({ empty: ["containers"] });

/** Why an ordinary user can't be tried here. */
async function reasonToSkip(): Promise<string | null> {
  if (process.getuid?.() !== 0) return "needs root, to become another user";
  const asNobody = ["--reuid", String(NOBODY), "--regid", String(NOBODY), "--clear-groups"];
  const readable = await run("setpriv", [...asNobody, "test", "-r", import.meta.filename]).catch(() => null);
  if (!readable) return "needs a checkout that any user may read";
  const namespaces = await run("setpriv", [...asNobody, "unshare", "--user", "--mount", "true"]).catch(() => null);
  return namespaces ? await needDebianPackage("runc") : "needs user namespaces for ordinary users";
}

const skipped = await reasonToSkip();

// The reason stands in the name.
test.skipIf(skipped !== null)(
  `an ordinary user has isolated containers, and is told what limits are not held${skipped === null ? "" : ` (${skipped})`}`,
  async () => {
    const options = { home: join(folder(), "containers"), nodePath: process.execPath, runnerFile: join(folder(), "runner.mjs") };
    await mkdir(join(folder(), "code"));
    await mkdir(join(folder(), "server"), { recursive: true });
    await writeFile(join(folder(), "server/s"), "");
    await writeFile(
      options.runnerFile,
      `import { readdirSync } from "node:fs"; console.log(JSON.stringify({ uid: process.getuid(), root: readdirSync("/") }));`,
    );
    const spec = {
      containerId: "ct_1",
      functionName: "rootless",
      serverAddress: join(folder(), "server/s"),
      token: "token",
      code: { codeId: "code", sourceDir: join(folder(), "code"), entry: "index.mjs", nodeModules: [] },
      env: {},
      serverUrl: "",
      network: { mode: "none", allow: [] },
      gpus: [],
      limits: { cpuMillis: 1_000, memoryMib: 256, maxProcesses: 64, diskMib: 64, workers: 1 },
    };
    const script = join(folder(), "server.ts");
    await writeFile(
      script,
      `import { createOciDriver } from ${JSON.stringify(import.meta.resolve("@samovar/runtime"))};
     import { silentLogger, systemClock } from ${JSON.stringify(import.meta.resolve("@samovar/kit"))};
     const driver = await createOciDriver({ ...${JSON.stringify(options)}, clock: systemClock, logger: silentLogger });
     let output = "";
     const exit = Promise.withResolvers();
     const container = await driver.start(${JSON.stringify(spec)}, { output: (_, chunk) => (output += chunk), mainExited: exit.resolve });
     const ended = await exit.promise;
     await container.kill();
     await driver.dispose();
     console.log(JSON.stringify({ info: driver.info, output, ended }));`,
    );
    for (const path of [folder(), join(folder(), "server"), join(folder(), "server/s")]) await chown(path, NOBODY, NOBODY);
    await chmod(folder(), 0o755);
    const { stdout } = await run(
      "setpriv",
      ["--reuid", String(NOBODY), "--regid", String(NOBODY), "--clear-groups", process.execPath, "--conditions=samovar-source", script],
      { env: { PATH: process.env["PATH"] } },
    );
    const { info, output, ended } = JSON.parse(stdout) as { info: DriverInfo; output: string; ended: unknown };
    expect(ended).toEqual({ kind: "exit", code: 0, signal: null });
    const seen = JSON.parse(output) as { uid: number; root: string[] };
    expect(seen.uid).toBe(0);
    expect(seen.root).not.toContain("boot");
    expect(info.capabilities).toMatchObject({ isolation: "namespaces", ownRoot: true, userNamespace: true, diskLimit: "none" });
    for (const part of [/CPU limits are not held: /, /number of processes is not limited: /, /disk is not limited: run the server as root/])
      expect(info.missing.join("\n")).toMatch(part);
  },
);
