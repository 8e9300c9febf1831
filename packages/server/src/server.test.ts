import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { silentLogger, systemClock } from "@samovar/kit";
import { createFakeDriver } from "@samovar/runtime";
import { parseServerConfig } from "./config.ts";
import type { SamovarServer } from "./running-server.ts";
import { startServer } from "./server.ts";

let home: string;
let server: SamovarServer | null;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "samovar-server-"));
  server = null;
});
afterEach(async () => {
  server?.shutdown("done");
  await server?.closed;
  await rm(home, { recursive: true, maxRetries: 5 });
});

/** A server in `home` that can start no containers. */
async function start(): Promise<SamovarServer> {
  server = await startServer({
    config: parseServerConfig({ SAMOVAR_HOME: home, SAMOVAR_PORT: "0" }),
    logger: silentLogger,
    createDriver: async () => createFakeDriver({ clock: systemClock, runWorker: () => {}, accept: () => {} }),
  });
  return server;
}

const get = (path: string): Promise<Response> => fetch(server!.url + path, { headers: { authorization: `Bearer ${server!.adminToken}` } });

test("a server begins without the code of an earlier one, and leaves neither its address nor its socket", async () => {
  await start();
  server!.shutdown("done");
  await server!.closed;
  await mkdir(join(home, "code/old"), { recursive: true });
  await writeFile(join(home, "code/old/app.mjs"), "");
  await start();
  expect(await readdir(join(home, "code"))).toEqual([]);
  server!.shutdown("done");
  await server!.closed;
  const left = await readdir(home);
  expect([left.includes("server.json"), await readdir(join(home, "run/workers"))]).toEqual([false, []]);
});

test("code outlives its database: it stays at the start that finds none, and is refused beside an empty one", async () => {
  await mkdir(join(home, "code/old"), { recursive: true });
  await start();
  expect(await readdir(join(home, "code"))).toEqual(["old"]);
  server!.shutdown("done");
  await server!.closed;
  for (const suffix of ["", "-wal", "-shm"]) await rm(join(home, `samovar.db${suffix}`), { force: true });
  await writeFile(join(home, "samovar.db"), "");
  await expect(start()).rejects.toMatchObject({ code: "storage_failed", message: expect.stringContaining("is empty") });
  expect(await readdir(join(home, "code"))).toEqual(["old"]);
  server = null;
});

test("a second server on the home is refused, and the first goes on", async () => {
  const { url } = await start();
  await expect(startServer({ config: parseServerConfig({ SAMOVAR_HOME: home, SAMOVAR_PORT: "0" }), logger: silentLogger })).rejects.toMatchObject({
    code: "home_locked",
    message: expect.stringContaining(url),
  });
  expect((await get("/readyz")).status).toBe(200);
});

test("logs of a name that nobody has are not found", async () => {
  await start();
  expect(await (await get("/api/v1/logs?name=nosuch")).json()).toMatchObject({ status: 404, code: "not_found" });
  expect((await get("/api/v1/logs")).status).toBe(200);
});
