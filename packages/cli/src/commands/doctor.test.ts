import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { serverInfo, startControlServer, TOKEN } from "../control-server.fixture.ts";
import type { Finding } from "../doctor/finding.ts";
import { runCli } from "../run-cli.ts";
import { createTestIo, type TestIo } from "../test-io.fixture.ts";

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

function create(env: Record<string, string> = {}): TestIo {
  const io = createTestIo({ env: { SAMOVAR_PORT: "0", NO_COLOR: "1", ...env } });
  cleanUps.push(io.remove);
  return io;
}

const parse = (io: TestIo): { works: boolean; findings: Finding[] } => JSON.parse(io.out()) as { works: boolean; findings: Finding[] };

test("without a server it tries this machine's driver, and leaves nothing behind", async () => {
  const io = create();
  expect(await runCli(["doctor", "--json"], io)).toBe(0);
  const { works, findings } = parse(io);
  expect(works).toBe(true);
  const driver = findings.find((finding) => finding.title === "Driver" && finding.status === "ok")!;
  expect(driver.detail).toMatch(/^(oci|process) would be chosen; isolation: /);
  expect(findings.find((finding) => finding.title === "Server")!.detail).toBe("none runs: `samovar up -d` starts one");
  expect(readdirSync(io.folder)).toEqual([]);
  expect(readdirSync(tmpdir()).filter((name) => name.startsWith(`samovar-doctor-${process.pid}-`))).toEqual([]);
});

test("with a server of this home it tells of that one's driver", async () => {
  const server = await startControlServer();
  cleanUps.push(() => server.dispose());
  const io = create();
  mkdirSync(io.env.SAMOVAR_HOME!);
  writeFileSync(join(io.env.SAMOVAR_HOME!, "server.json"), JSON.stringify({ pid: process.pid, url: server.url }));
  writeFileSync(join(io.env.SAMOVAR_HOME!, "admin-token"), TOKEN);
  expect(await runCli(["doctor"], io)).toBe(0);
  expect(io.out()).toContain(`holds ${io.env.SAMOVAR_HOME}\n`);
  expect(io.out()).toMatch(/✓ Driver +process of the server; isolation: none/);
  expect(io.out()).toMatch(/! Driver +Memory is measured, not limited by the kernel\n +→ run as root for control groups\n/);
  expect(io.out()).toMatch(/\n\nSamovar works here; what is marked ! would make it better\n$/);
  expect(serverInfo("").driver.missing).toHaveLength(1);
});

test("a server that SAMOVAR_URL names and that does not answer is a problem: exit code 1", async () => {
  const io = create({ SAMOVAR_URL: "http://127.0.0.1:1", SAMOVAR_DRIVER: "process" });
  expect(await runCli(["doctor"], io)).toBe(1);
  expect(io.out()).toMatch(/✗ Server +No server answers at http:\/\/127\.0\.0\.1:1: ECONNREFUSED\n +→ Unset SAMOVAR_URL/);
  expect(io.out()).toContain("Samovar can't work here until what is marked ✗ is mended");
});

test("a home that is a file is a problem, told once", async () => {
  const io = create({ SAMOVAR_DRIVER: "process" });
  writeFileSync(io.env.SAMOVAR_HOME!, "");
  expect(await runCli(["doctor", "--json"], io)).toBe(1);
  expect(parse(io).findings.filter((finding) => finding.status === "problem")).toEqual([
    { title: "SAMOVAR_HOME", status: "problem", detail: `${io.env.SAMOVAR_HOME} is no folder`, fix: "Set SAMOVAR_HOME to a folder of your own" },
  ]);
});

test("a driver that there is none of is a problem", async () => {
  const io = create({ SAMOVAR_DRIVER: "docker" });
  expect(await runCli(["doctor", "--json"], io)).toBe(1);
  expect(parse(io).findings.find((finding) => finding.title === "Driver")).toEqual({
    title: "Driver",
    status: "problem",
    detail: 'SAMOVAR_DRIVER names none: "docker"',
    fix: "Set it to one of auto, oci, process, or unset it",
  });
});
