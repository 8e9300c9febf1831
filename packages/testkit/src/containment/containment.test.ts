import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { needDebianPackage } from "../debian-packages.ts";
import { findLeaks } from "../leak-check.ts";
import { listAttempts } from "./attempts.fixture.ts";
import { createJail, type Contained, type Jail } from "./contained.fixture.ts";

const CANARY = "canary-7e1f0b5c";

for (const runtime of ["crun", "runc"] as const) {
  const without = process.platform !== "linux" || process.getuid?.() !== 0 ? "needs root on Linux" : await needDebianPackage(runtime);
  // Skipped where the runtime can't be had, with the reason in its name.
  describe.skipIf(without !== null)(`a container of ${runtime}${without === null ? "" : ` (${without})`}`, () => {
    let folder: string;
    let jail: Jail;
    let one: Contained;
    let neighbour: Contained;
    let bystander: ChildProcess;
    const planted: string[] = [];

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "samovar-test-jail-"));
      // What must not be seen: in homes, in state of services, in the server's own folder, in environments, in a neighbour.
      for (const dir of ["/root", "/var/tmp", "/srv", folder]) {
        const file = join(await mkdtemp(join(dir, "samovar-test-")), "secret");
        await writeFile(file, CANARY);
        planted.push(file);
      }
      bystander = spawn("sleep", ["600"], { env: { SECRET: CANARY }, stdio: "ignore" });
      jail = await createJail(folder, runtime);
      [one, neighbour] = await Promise.all([
        jail.start(),
        jail.start({ env: { SECRET: CANARY }, code: { codeId: "code-2", sourceDir: join(folder, "code"), entry: "index.mjs", nodeModules: [] } }),
      ]);
      await neighbour.sh(`echo ${CANARY} | tee /tmp/secret /home/samovar/secret data/secret`);
    });
    afterAll(async () => {
      bystander?.kill("SIGKILL");
      await jail?.dispose();
      for (const file of planted) await rm(join(file, ".."), { recursive: true, maxRetries: 5 });
      const leaks = folder ? await findLeaks({ folder, empty: ["containers"] }) : [];
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
      if (leaks.length > 0) throw new Error(`Left behind:\n${leaks.join("\n")}`);
    });

    describe.each(["its main process", "a program that is run in it"] as const)("%s can't", (by) => {
      test.each(listAttempts(CANARY))("$what", async ({ script, expected }) => {
        const { out } = await (by === "its main process" ? one.sh(script) : one.exec(script));
        expect(out).toMatch(expected);
      });
    });

    test("it can't signal processes of the host or of a neighbour", async () => {
      const victim = await jail.start();
      await victim.sh(`kill -9 ${bystander.pid} ${process.pid} ${neighbour.container.pid}`);
      // All that it can reach: itself. Only where it has a first process of its own, so that a failure is not the machine's end.
      victim.sh('[ "$(head -c 7 /proc/1/cmdline)" = /bin/sh ] && kill -9 -1').catch(() => {});
      expect(await victim.exit).toEqual({ kind: "signal", code: null, signal: "SIGKILL" });
      expect(bystander.exitCode ?? bystander.signalCode).toBeNull();
      expect((await neighbour.sh("echo here")).out).toBe("here");
      await victim.container.kill();
    });
  });
}
