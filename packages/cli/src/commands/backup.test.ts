import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { startControlServer, TOKEN, type ControlServerData } from "../control-server.fixture.ts";
import { runCli } from "../run-cli.ts";
import { createTestIo, type TestIo } from "../test-io.fixture.ts";

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

/** The server is that of the home, as one on this machine is. */
async function setUp(data: ControlServerData, env: (url: string) => Record<string, string> = () => ({})): Promise<TestIo> {
  const server = await startControlServer(data);
  const io = createTestIo({ env: { SAMOVAR_TOKEN: TOKEN, ...env(server.url) } });
  const home = io.env.SAMOVAR_HOME!;
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, "server.json"), JSON.stringify({ pid: process.pid, url: server.url, startedAtMs: 1 }));
  cleanUps.push(() => server.dispose(), io.remove);
  return io;
}

test("backup sends an absolute path, and tells size and time", async () => {
  const io = await setUp({ backup: (to) => writeFileSync(to, Buffer.alloc(1_500_000)) });
  expect(await runCli(["backup", "monday.tar"], io)).toBe(0);
  const file = join(io.folder, "monday.tar");
  expect(io.out()).toMatch(new RegExp(`^Wrote ${file}: 1\\.4 MiB in [\\d.]+ m?s\n$`));
  expect(await runCli(["backup", "tuesday.tar", "--json"], io)).toBe(0);
  expect(JSON.parse(io.out().split("\n")[1]!)).toEqual({ file: join(io.folder, "tuesday.tar"), bytes: 1_500_000, durationMs: expect.any(Number) as number });
});

test("a file that is there is refused, as the server says", async () => {
  const io = await setUp({
    backup: (to) => {
      throw new Error(`${to} is there already: choose another name, or remove it first`);
    },
  });
  expect(await runCli(["backup", "monday.tar"], io)).toBe(1);
  expect(io.err()).toContain("error (conflict):");
  expect(io.err()).toContain("monday.tar is there already");
});

test("a server that may be elsewhere needs an absolute path, and its file's size isn't known here", async () => {
  const io = await setUp({}, (url) => ({ SAMOVAR_URL: url }));
  expect(await runCli(["backup", "monday.tar"], io)).toBe(1);
  expect(io.err()).toContain("→ Give an absolute path on the server's machine");
  expect(await runCli(["backup", "/backups/monday.tar"], io)).toBe(0);
  expect(io.out()).toMatch(/^Wrote \/backups\/monday\.tar in [\d.]+ m?s\n$/);
});

test("restore of a file that is gone or is no backup changes nothing", async () => {
  const io = createTestIo();
  cleanUps.push(io.remove);
  expect(await runCli(["restore", "gone.tar"], io)).toBe(1);
  expect(io.err()).toContain("→ Give the path of a file that `samovar backup` wrote");
  writeFileSync(join(io.folder, "notes.txt"), "hello ".repeat(200));
  expect(await runCli(["restore", "notes.txt", "--data", "elsewhere"], io)).toBe(1);
  expect(io.err()).toContain("is no tar archive. Nothing was changed");
  expect(readdirSync(join(io.folder, "elsewhere")).filter((name) => /db|partial|replaced/.test(name))).toEqual([]);
});
