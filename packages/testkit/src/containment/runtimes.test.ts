import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { needDebianPackage } from "../debian-packages.ts";
import { findLeaks } from "../leak-check.ts";

const without = process.platform !== "linux" || process.getuid?.() !== 0 ? "needs root on Linux" : await needDebianPackage("runc");

// Skipped where runc can't be had, with the reason in its name.
describe.skipIf(without !== null)(`a machine whose runtime${without === null ? "" : ` (${without})`}`, () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "samovar-test-runtimes-"));
  });
  afterEach(async () => {
    const leaks = await findLeaks({ folder, empty: ["containers"] });
    await rm(folder, { recursive: true, maxRetries: 5 });
    if (leaks.length > 0) throw new Error(`Left behind:\n${leaks.join("\n")}`);
  });

  /** Makes a driver where runc is this script; `$real` is the real one. Null: a runc that is not a program at all. */
  const attempt = async (kind: string, script: string | null, started = ""): Promise<Record<string, any>> => {
    const stand = join(folder, "runc");
    await writeFile(stand, script === null ? "" : `#!/bin/sh\nreal=${folder}/real\n${script}\n`, { mode: script === null ? 0o644 : 0o755 });
    // In a mount table of its own, so that the machine's own programs stay as they are.
    const setUp = `PATH=/usr/sbin:/usr/bin:/sbin:/bin; cp "$(command -v runc)" ${folder}/real && for at in /usr/sbin/runc /usr/bin/runc; do if [ -e $at ]; then mount --bind ${stand} $at; fi; done && exec "$@"`;
    const fixture = fileURLToPath(new URL("runtimes.fixture.ts", import.meta.url));
    const child = spawn("unshare", ["--mount", "sh", "-c", setUp, "sh", process.execPath, "--conditions=samovar-source", fixture, kind, folder, started], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [out, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
    if (out === "") throw new Error(errors);
    return JSON.parse(out) as Record<string, any>;
  };

  test("is not there: oci is refused with what to install, auto goes on with processes and says so", async () => {
    expect(await attempt("oci", null)).toMatchObject({ code: "unsupported", message: expect.stringContaining("`apt-get install runc`") });
    const auto = await attempt("auto", null);
    expect(auto).toMatchObject({ driver: "process", exit: { kind: "exit", code: 5 } });
    expect(auto["missing"][0]).toMatch(/^Containers are not isolated\. .*apt-get install/);
  });

  test("is broken: what it said is the reason", async () => {
    const broken = "echo 'runc: cannot allocate a thing' >&2; exit 1";
    expect(await attempt("oci", broken)).toMatchObject({ code: "unsupported", message: expect.stringContaining("runc: runc: cannot allocate a thing") });
    const auto = await attempt("auto", broken);
    expect(auto).toMatchObject({ driver: "process", exit: { kind: "exit", code: 5 } });
    expect(auto["missing"][0]).toContain("cannot allocate a thing");
  });

  test("is slow: containers start all the same", async () => {
    expect(await attempt("oci", 'sleep 1; exec "$real" "$@"')).toMatchObject({ driver: "oci", exit: { kind: "exit", code: 5 } });
  });

  test("breaks after the driver was made: the start fails with what it said, and leaves nothing", async () => {
    const flag = join(folder, "broken");
    const told = await attempt("oci", `[ -e ${flag} ] && { echo 'runc: out of luck' >&2; exit 1; }; exec "$real" "$@"`, flag);
    expect(told).toMatchObject({ driver: "oci", code: "start_failed" });
    expect(await readdir(join(folder, "containers"))).toEqual([]);
  });
});
