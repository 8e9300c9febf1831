import { createServer, type AddressInfo } from "node:net";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { runCli } from "../run-cli.ts";
import { findServer } from "../server-link/find-server.ts";
import { isAlive } from "../server-link/server-file.ts";
import { parseSettings } from "../settings.ts";
import { createTestIo, type TestIo } from "../test-io.fixture.ts";

const made: TestIo[] = [];
afterEach(() => {
  for (const io of made.splice(0)) io.remove();
});

function create(env: Record<string, string | undefined> = {}): TestIo {
  const io = createTestIo({ env: { SAMOVAR_LOG_LEVEL: "silent", ...env } });
  made.push(io);
  return io;
}

test("up -d returns when the server is ready, and down when it is gone", async () => {
  const io = create();
  expect(await runCli(["up", "-d", "--port", "0"], io)).toBe(0);
  expect(io.out()).toMatch(/^Samovar \S+ at http:\/\/127\.0\.0\.1:\d+ /);
  expect(io.out()).toContain(join(io.env.SAMOVAR_HOME!, "admin-token"));
  expect(readFileSync(join(io.env.SAMOVAR_HOME!, "admin-token"), "utf8")).toMatch(/^smv_/);
  const server = await findServer(parseSettings(io));

  const second = create({ SAMOVAR_HOME: io.env.SAMOVAR_HOME });
  expect(await runCli(["up", "-d", "--port", "0"], second)).toBe(1);
  expect(second.err()).toContain(`error (home_locked): Another server (pid ${server!.pid}, ${server!.url})`);

  expect(await runCli(["down"], io)).toBe(0);
  expect(await findServer(parseSettings(io))).toBeNull();
  expect(isAlive(server!.pid!)).toBe(false);
});

test.each([
  ["up", "--port"],
  ["up", "-d", "--port"],
])("%s %s with a port that is taken names it", async (...argv) => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const port = String((other.address() as AddressInfo).port);
  const io = create();
  expect(await runCli([...argv, port], io)).toBe(1);
  expect(io.err()).toContain(`error (port_in_use): Port ${port}`);
  expect(io.err().match(/stop what listens there/gi)).toHaveLength(1);
  expect(await findServer(parseSettings(io))).toBeNull();
  other.close();
});

test("up serves in the foreground until Ctrl-C; --data is its home", async () => {
  const io = create();
  const running = runCli(["up", "--port", "0", "--data", "state"], io);
  const [, url] = await io.sees(/at (http:\S+)[\s\S]*token/);
  expect((await fetch(`${url}/livez`)).status).toBe(200);
  expect(existsSync(join(io.folder, "state", "server.json"))).toBe(true);
  await io.sees(/export SAMOVAR_HOME=\S+state`/);
  expect(io.err()).toContain(`Other commands find it with \`export SAMOVAR_HOME=${join(io.folder, "state")}\``);
  io.signal("SIGINT");
  expect(await running).toBe(0);
  expect(existsSync(join(io.folder, "state", "server.json"))).toBe(false);
});
