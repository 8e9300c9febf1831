import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { needDebianPackage } from "../debian-packages.ts";
import { findLeaks } from "../leak-check.ts";
import { createJail, type Contained, type Jail } from "./contained.fixture.ts";

for (const runtime of ["crun", "runc"] as const) {
  const without = process.platform !== "linux" || process.getuid?.() !== 0 ? "needs root on Linux" : await needDebianPackage(runtime);
  // Skipped where the runtime can't be had, with the reason in its name.
  describe.skipIf(without !== null)(`what a container of ${runtime} does to itself${without === null ? "" : ` (${without})`}`, () => {
    let folder: string;
    let jail: Jail;
    let neighbour: Contained;

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), "samovar-test-jail-"));
      jail = await createJail(folder, runtime);
      neighbour = await jail.start();
    });
    afterAll(async () => {
      await jail?.dispose();
      const leaks = folder ? await findLeaks({ folder, empty: ["containers"] }) : [];
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
      if (leaks.length > 0) throw new Error(`Left behind:\n${leaks.join("\n")}`);
    });

    const expectUndisturbed = async (): Promise<void> => {
      expect((await neighbour.sh("echo one > /tmp/one && cat /tmp/one")).out).toBe("one");
      const another = await jail.start();
      expect((await another.sh("echo two")).out).toBe("two");
      await another.container.kill();
    };

    test("a fork bomb is held at its limit; others answer and start; it ends at once", async () => {
      const bomber = await jail.start({ limits: { maxProcesses: 40 } });
      // Each fork that fails is told; one that goes on trying all the same is held.
      const { out } = await bomber.sh(
        `perl -e 'my @kids; while (1) { my $kid = fork; if (!defined $kid) { print "$!\n"; last } if ($kid == 0) { sleep 600; exit } push @kids, $kid } kill 9, @kids'`,
      );
      expect(out).toBe("Resource temporarily unavailable");
      await bomber.sh("(perl -e 'fork while 1' >/dev/null 2>&1 &)");
      await expectUndisturbed();
      expect((await bomber.container.stats()).processes).toBeLessThanOrEqual(40);
      await bomber.container.kill();
      await expectUndisturbed();
    });

    test("a full disk is told to who fills it, leaves others theirs, and is given back", async (context) => {
      if (jail.driver.info.capabilities.diskLimit !== "enforced") context.skip(`needs diskLimit enforced: ${jail.driver.info.missing.join("; ")}`);
      const filler = await jail.start({ limits: { diskMib: 64 } });
      for (const place of ["/samovar/code/fill", "/tmp/fill", "/home/samovar/fill", "/fill", "/var/fill"]) {
        const { status, out } = await filler.sh(`head -c 200M /dev/zero > ${place}`);
        expect([status, out]).toEqual([1, expect.stringContaining("No space left on device")]);
        await expectUndisturbed();
        expect((await filler.sh(`rm ${place} && echo more > /tmp/more && cat /tmp/more`)).out).toBe("more");
      }
      // Neither in memory that isn't counted, nor by names alone.
      expect((await filler.sh("head -c 200M /dev/zero > /dev/fill; head -c 200M /dev/zero > /dev/shm/fill; rm -f /dev/fill /dev/shm/fill")).out).toMatch(
        /No space left on device[^]*No space left on device|Killed/,
      );
      expect((await filler.sh('cd /tmp && perl -e \'for (my $i = 0; $i < 1_000_000; $i++) { open(my $f, ">", "n$i") or die "$!\\n" }\'')).out).toContain(
        "No space left on device",
      );
      await expectUndisturbed();
      await filler.container.kill();
      await expectUndisturbed();
    });

    test.each([
      ["at once", "my $x = q(x) x (600 << 20); sleep 600"],
      ["slowly", "my @kept; while (1) { push @kept, q(x) x (1 << 20); select undef, undef, undef, 0.001 }"],
      ["in many processes", "for (1 .. 20) { next if fork; my $x = q(x) x (64 << 20); sleep 600 } sleep 600"],
      ["in files of memory", "open my $f, q(>), q(/dev/shm/fill); for (1 .. 60) { print $f q(x) x (1 << 20) } close $f; my $x = q(x) x (100 << 20); sleep 600"],
    ])("memory that is taken %s ends who takes it, and is told", async (_how, script) => {
      const eater = await jail.start({ limits: { memoryMib: 128 } });
      eater.sh(`perl -e '${script}'`).catch(() => {});
      // The kernel chooses one of the container's processes; whichever it is, it is told.
      let told = false;
      while (!told) {
        await expectUndisturbed();
        told = await eater.container.tookOom();
      }
      await eater.container.kill();
    });

    test("a neighbour that computes on every core leaves others their share", async () => {
      const hog = await jail.start({ limits: { cpuMillis: 500 } });
      await hog.sh("for i in 1 2 3 4 5 6 7 8; do (perl -e '1 while 1' >/dev/null 2>&1 &); done");
      await expectUndisturbed();
      const [before, startedMs] = [(await hog.container.stats()).cpuMs, performance.now()];
      await neighbour.probe.order("compute", 1_000);
      const share = ((await hog.container.stats()).cpuMs - before) / (performance.now() - startedMs);
      expect(share).toBeLessThan(0.75);
      await hog.container.kill();
    });

    test("nothing of the user's runs before its code is whole, and no link leads the copy out of the folder", async () => {
      const code = join(folder, "hostile");
      await mkdir(join(code, "data"), { recursive: true });
      await writeFile(join(code, "index.mjs"), "");
      await Promise.all(Array.from({ length: 3_000 }, (_, index) => writeFile(join(code, "data", `f${index}`), "planted")));
      const victim = await mkdtemp(join(folder, "victim-"));
      // Runs with Node's first steps, before the runner.
      const script = `import fs from "node:fs"; console.log("saw", fs.readdirSync("data").length); fs.renameSync("data", "gone"); fs.symlinkSync(${JSON.stringify(victim)}, "data");`;
      const saw = Promise.withResolvers<string>();
      const spec = jail.specify({
        env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(script)}` },
        code: { codeId: "hostile", sourceDir: code, entry: "index.mjs", nodeModules: [] },
      });
      const container = await jail.driver.start(spec, { output: (_stream, chunk) => saw.resolve(chunk.toString().trim()), mainExited: () => {} });
      expect(await saw.promise).toBe("saw 3000");
      await container.kill();
      expect(await readdir(victim)).toEqual([]);
      expect(await readdir(folder)).toContain(victim.slice(folder.length + 1));
    });

    test("links that it plants in its folders are removed and not followed", async () => {
      const victim = await mkdtemp(join(folder, "victim-"));
      await writeFile(join(victim, "precious"), "kept");
      const planter = await jail.start();
      await planter.sh(
        `for at in . data /tmp /home/samovar; do ln -s ${victim} $at/link; ln -s ${victim}/precious $at/file; done; rm -rf data; ln -s ${victim} data; mkdir -p deep/er; ln -s / deep/er/root; chmod 000 deep`,
      );
      await planter.container.kill();
      expect(await readdir(victim)).toEqual(["precious"]);
      await expectUndisturbed();
    });
  });
}
