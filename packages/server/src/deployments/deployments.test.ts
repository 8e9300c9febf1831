import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FakeClock, silentLogger } from "@samovar/kit";
import { createCountingIds, type DeployEvent, type DeployRequest } from "@samovar/protocol";
import type { FunctionRuntime } from "@samovar/scheduler";
import { openSqliteStorage, type Storage } from "@samovar/storage";
import { FunctionRegistry } from "../apps/function-registry.ts";
import { createNoServing, createMaker, type TestMaker } from "../testing/app.fixture.ts";
import { Deployments } from "./deployments.ts";

/** Containers can't be started here: deploys don't wait for them. With containers: testkit's end-to-end tests. */
let root: string;
let made: TestMaker;
let storage: Storage;
let registry: FunctionRegistry;
let deployments: Deployments;
const ids = createCountingIds();
const NEVER = new AbortController().signal;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "samovar-deployments-"));
  made = createMaker(root);
  await begin();
});
afterEach(async () => {
  await end();
  await rm(root, { recursive: true, maxRetries: 5 });
});

async function begin(embedded = false, serving = createNoServing()): Promise<void> {
  registry = new FunctionRegistry();
  const clock = new FakeClock(Date.now());
  storage = await openSqliteStorage({ file: join(root, "samovar.db"), logger: silentLogger, clock });
  deployments = new Deployments({
    store: storage.deployments,
    registry,
    maker: made.maker,
    serving,
    code: made.code,
    ids,
    clock,
    logger: silentLogger,
    url: () => "http://here",
    describeImpossible: ({ memoryMib }) => (memoryMib > 1_000_000 ? "needs more than there is" : null),
    hostCeiling: () => 4,
    embedded,
  });
  deployments.restore(await storage.deployments.load());
}

async function end(): Promise<void> {
  await deployments.closeAll("done", 0);
  await storage.close();
}

async function deploy(names: readonly string[], options: Partial<DeployRequest> & { app?: string; source?: string } = {}) {
  const { app = "app", source, ...rest } = options;
  const request = await made.request(names, source);
  const events: DeployEvent[] = [];
  const manifest = { ...request.manifest, app };
  return deployments.deploy({ ...request, manifest, noWait: true, ...rest }, (event) => events.push(event), NEVER);
}

const folders = async (): Promise<string[]> => {
  await turn();
  await made.code.settled();
  return readdir(join(root, "code")).catch(() => []);
};
const active = (name: string): number | undefined => registry.byName("function", name)?.version;

test("a deploy makes version 1, the next one version 2; both can be called, the last one by name", async () => {
  expect(await deploy(["hello"])).toMatchObject({
    app: "app",
    functions: [{ name: "hello", kind: "function", version: 1, url: "http://here/function/hello" }],
  });
  expect(await deploy(["hello"])).toMatchObject({ functions: [{ version: 2 }] });
  expect(active("HELLO")).toBe(2);
  expect(registry.byName("function", "hello", 1)?.version).toBe(1);
  expect(registry.byHost("hello")?.version).toBe(2);
  expect(registry.byHost("hello--1")?.version).toBe(1);
  expect(deployments.get("hello")).toMatchObject({
    activeVersion: 2,
    versions: [
      { version: 2, active: true },
      { version: 1, active: false },
    ],
  });
});

test("functions that left the module stay and are listed; prune stops them", async () => {
  await deploy(["hello", "old"]);
  expect(await deploy(["hello"])).toMatchObject({ left: [{ name: "old", version: 1 }], pruned: [] });
  expect(active("old")).toBe(1);
  expect(await deploy(["hello"], { prune: true })).toMatchObject({ left: [], pruned: ["old"] });
  expect(deployments.get("old").state).toBe("stopped");
});

test("only the functions that are asked for are deployed, and no others pruned", async () => {
  await deploy(["hello", "other"]);
  expect(await deploy(["hello", "other"], { only: ["hello"], prune: true })).toMatchObject({ functions: [{ name: "hello", version: 2 }], pruned: [] });
  expect(active("other")).toBe(1);
});

test("a name of another app is refused, and taken on purpose", async () => {
  await deploy(["hello"], { app: "one" });
  await expect(deploy(["hello"], { app: "two" })).rejects.toMatchObject({ code: "conflict", message: expect.stringContaining("the app one") });
  await deploy(["hello"], { app: "two", takeOver: true });
  expect(deployments.get("hello")).toMatchObject({ app: "two", activeVersion: 2 });
});

test("names that would share a host are refused", async () => {
  await deploy(["my_api"]);
  await expect(deploy(["my-api"], { app: "two" })).rejects.toMatchObject({ code: "conflict", message: expect.stringContaining("my-api.localhost") });
  await expect(deploy(["same_host", "same-host"])).rejects.toMatchObject({ code: "conflict" });
});

test("a deploy that fails, or is given up, changes nothing; its number is not given again", async () => {
  await deploy(["hello"]);
  const before = await folders();
  const broken = await made.request(["hello"], "other source");
  await expect(deployments.deploy({ ...broken, code: { ...broken.code, codeId: "wrong" }, noWait: true }, () => {}, NEVER)).rejects.toThrow();
  const gone = new AbortController();
  made.blobs.onAsked = () => gone.abort();
  const givenUp = deployments.deploy({ ...broken, noWait: true }, () => {}, gone.signal);
  await expect(givenUp).rejects.toMatchObject({ code: "cancelled" });
  expect([active("hello"), await folders()]).toEqual([1, before]);
  expect(await deploy(["hello"])).toMatchObject({ functions: [{ version: 4 }] });
});

test("a version whose container doesn't start is never activated", async () => {
  await deploy(["hello"]);
  await expect(deploy(["hello"], { noWait: false, source: "broken" })).rejects.toMatchObject({ code: "start_failed" });
  expect(active("hello")).toBe(1);
  expect(registry.list()).toHaveLength(1);
  expect(await folders()).toHaveLength(1);
});

test("a function that the host could never hold is refused before anything is made", async () => {
  const request = await made.request(["hello"]);
  const [hello] = request.manifest.functions;
  const functions = [{ ...hello!, options: { ...hello!.options, memoryMib: 2_000_000 } }];
  const events: DeployEvent[] = [];
  await expect(deployments.deploy({ ...request, manifest: { ...request.manifest, functions } }, (event) => events.push(event), NEVER)).rejects.toMatchObject({
    code: "no_capacity",
    message: "A container of hello can never run on this host: it needs more than there is",
  });
  expect(await deploy(["hello"])).toMatchObject({ functions: [{ version: 1 }] });
});

test("two deploys of one app come one after another, each a version of its own", async () => {
  const versions = (await Promise.all([deploy(["hello"]), deploy(["hello"]), deploy(["hello"])])).map(({ functions }) => functions[0]!.version);
  expect(versions.toSorted()).toEqual([1, 2, 3]);
  expect(active("hello")).toBe(3);
});

test("what is deployed is served again by the next server, with its code, state and scaling", async () => {
  await deploy(["hello", "off"]);
  await deploy(["hello"], { source: "second" });
  await deployments.scale("hello", { maxContainers: 7 });
  await deployments.stop("off");
  const before = deployments.list();
  await end();
  made = createMaker(root);
  await begin();
  expect(deployments.list()).toEqual(before);
  expect([active("hello"), registry.byName("function", "hello", 1)?.version]).toEqual([2, 1]);
  expect(registry.byName("function", "hello")?.functionId).toBe(before.find(({ name }) => name === "hello")?.id);
  expect(await folders()).toHaveLength(2);
});

test("an embedded server serves nothing that is deployed, keeps it, and takes no deploys", async () => {
  await deploy(["hello"]);
  await end();
  await begin(true);
  expect(deployments.list()).toEqual([]);
  await expect(deploy(["hello"])).rejects.toMatchObject({ code: "unsupported", message: expect.stringContaining("samovar up -d") });
  await end();
  await begin();
  expect(active("hello")).toBe(1);
});

test("stop refuses calls until start; a deploy starts it, too", async () => {
  await deploy(["hello"]);
  const refusal = (): Promise<string> =>
    new Promise((resolve) =>
      registry.byName("function", "hello")!.submit([], {} as never, { error: ({ error }: { error: { code: string } }) => resolve(error.code) } as never),
    );
  expect((await deployments.stop("hello")).state).toBe("stopped");
  expect(await refusal()).toBe("stopped");
  expect((await deployments.start("hello")).state).toBe("active");
  await deployments.stop("hello");
  await deploy(["hello"]);
  expect(deployments.get("hello").state).toBe("active");
});

test("a rollback to a version that was deleted is refused; code that no version uses is removed", async () => {
  await deploy(["hello"], { source: "one" });
  await deploy(["hello"], { source: "two" });
  await expect(deployments.delete("hello", 2)).rejects.toMatchObject({ code: "conflict", message: expect.stringContaining("active") });
  await deployments.delete("hello", 1);
  await expect(deployments.rollback("hello", 1)).rejects.toMatchObject({ code: "not_found" });
  expect(await folders()).toHaveLength(1);
  await deployments.delete("hello", null);
  expect([active("hello"), deployments.list(), await folders()]).toEqual([undefined, [], []]);
  await expect(deployments.delete("hello", null)).rejects.toMatchObject({ code: "not_found" });
});

test("what is deleted is found by nobody while its tasks are being cancelled: none can come", async () => {
  const ended: (string | undefined)[] = [];
  const look = async (runtime: FunctionRuntime): Promise<void> => void ended.push(`${runtime.version} ${registry.byId(runtime.functionId)?.name ?? "gone"}`);
  await end();
  await begin(false, { ...createNoServing(), ended: look, versionEnded: look });
  for (const source of ["one", "two", "three"]) await deploy(["hello"], { source });
  await deployments.delete("hello", 2);
  expect(ended).toEqual(["2 gone"]);
  await deployments.delete("hello", null);
  expect(ended.toSorted()).toEqual(["1 gone", "2 gone", "3 gone", "3 gone"]);
});

test("a floor above the ceiling is refused and nothing is kept of it", async () => {
  await deploy(["hello"]);
  await deployments.scale("hello", { maxContainers: 2 });
  await expect(deployments.scale("hello", { minContainers: 3 })).rejects.toMatchObject({ code: "invalid_option" });
  expect(deployments.get("hello").scaling).toEqual({ maxContainers: 2 });
  await deploy(["hello"]);
  expect(deployments.get("hello").scaling).toEqual({});
});
