import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FakeClock } from "@samovar/kit";
import { createCountingIds, type LogLine, type SessionEvent } from "@samovar/protocol";
import { createNoServing, createMaker, type TestMaker } from "../testing/app.fixture.ts";
import { FunctionRegistry } from "../apps/function-registry.ts";
import { Sessions } from "./sessions.ts";

let root: string;
let made: TestMaker;
let registry: FunctionRegistry;
let clock: FakeClock;
let sessions: Sessions;
let lasts: number;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "samovar-sessions-"));
  made = createMaker(root);
  registry = new FunctionRegistry();
  clock = new FakeClock();
  lasts = 0;
  const ids = createCountingIds();
  sessions = new Sessions({
    registry,
    maker: made.maker,
    serving: createNoServing(),
    clock,
    newSessionId: () => ids("session"),
    url: () => "http://here",
    onLast: () => lasts++,
  });
});
afterEach(() => rm(root, { recursive: true, maxRetries: 5 }));

function open(kind: "run" | "serve" = "serve", label = "app.ts") {
  const events: SessionEvent[] = [];
  const { sessionId, close } = sessions.open({ kind, label }, (event) => void events.push(event));
  return { sessionId, close, events, types: () => events.map((event) => event.type) };
}

const folders = async (): Promise<string[]> => {
  // Versions without containers are closed within this turn.
  await turn();
  await made.code.settled();
  return readdir(join(root, "code")).catch(() => []);
};

test("serve gives its functions routes that end in -dev, run calls them by id", async () => {
  const request = await made.request(["hello"]);
  const served = await sessions.putApp(open("serve").sessionId, request);
  expect(served).toEqual({ app: "app", functions: [{ name: "hello-dev", kind: "function", version: 1, id: "fn_1", url: "http://here/function/hello-dev" }] });
  const run = await sessions.putApp(open("run").sessionId, request);
  expect(run.functions).toMatchObject([{ name: "hello", url: "http://here/function/id/fn_2" }]);
  expect(registry.byName("function", "hello")).toBeUndefined();
  await sessions.closeAll("done", 0);
});

test("apps that are put at once come one after another, each a version", async () => {
  const { sessionId } = open();
  const release = Promise.withResolvers<void>();
  made.blobs.gate = release.promise;
  const puts = ["a", "b", "c"].map(async (source) => sessions.putApp(sessionId, await made.request(["hello"], source)));
  release.resolve();
  const versions = (await Promise.all(puts)).map((response) => response.functions[0]!.version);
  expect(versions.toSorted()).toEqual([1, 2, 3]);
  expect(registry.list().map((entry) => entry.version)).toEqual([3]);
  await sessions.closeAll("done", 0);
});

test("a put that fails changes nothing, and the next goes on", async () => {
  const { sessionId } = open();
  const good = await made.request(["hello"]);
  await sessions.putApp(sessionId, good);
  const before = registry.list();
  await expect(sessions.putApp(sessionId, { ...good, code: { ...good.code, codeId: "wrong" } })).rejects.toMatchObject({ code: "invalid_request" });
  await expect(sessions.putApp(sessionId, await made.request(["id"]))).rejects.toMatchObject({ code: "invalid_definition" });
  expect(registry.list()).toEqual(before);
  expect(await sessions.putApp(sessionId, good)).toMatchObject({ functions: [{ version: 2 }] });
  await sessions.closeAll("done", 0);
});

test("a name that another session serves is refused with that session named, until it ends", async () => {
  const [first, second] = [open("serve", "one.ts"), open("serve", "two.ts")];
  const request = await made.request(["hello"]);
  await sessions.putApp(first.sessionId, request);
  await sessions.putApp(first.sessionId, request);
  await expect(sessions.putApp(second.sessionId, request)).rejects.toMatchObject({ code: "conflict", message: expect.stringContaining("one.ts") });
  await sessions.close(first.sessionId, "done", 0);
  expect(await sessions.putApp(second.sessionId, request)).toMatchObject({ functions: [{ name: "hello-dev", version: 1 }] });
  await sessions.closeAll("done", 0);
});

test("a session that is closed while its app is put: the put is told, and nothing of it stays", async () => {
  const { sessionId, types } = open();
  const request = await made.request(["hello"]);
  const release = Promise.withResolvers<void>();
  made.blobs.gate = release.promise;
  const put = sessions.putApp(sessionId, request);
  const closed = sessions.close(sessionId, "interrupt", 0);
  release.resolve();
  await expect(put).rejects.toMatchObject({ code: "cancelled" });
  await closed;
  expect([registry.list(), sessions.size, lasts, types()]).toEqual([[], 0, 1, ["opened", "closing"]]);
  expect(await folders()).toEqual([]);
  await expect(sessions.putApp(sessionId, request)).rejects.toMatchObject({ code: "not_found" });
});

test("a version's code goes when the version is closed; what two versions share stays", async () => {
  const { sessionId } = open();
  const [one, two] = [await made.request(["hello"], "one"), await made.request(["hello"], "two")];
  await sessions.putApp(sessionId, one);
  expect(await folders()).toEqual([one.code.codeId]);
  await sessions.putApp(sessionId, one);
  expect(await folders()).toEqual([one.code.codeId]);
  await sessions.putApp(sessionId, two);
  expect(await folders()).toEqual([two.code.codeId]);
  const other = open("run");
  await sessions.putApp(other.sessionId, two);
  await sessions.close(sessionId, "done", 0);
  expect(await folders()).toEqual([two.code.codeId]);
  await sessions.close(other.sessionId, "done", 0);
  expect(await folders()).toEqual([]);
});

test("hanging up ends a session; closing it again, or one that never was, is harmless; the last one is told", async () => {
  const [first, second] = [open(), open()];
  first.close();
  await sessions.close(first.sessionId, "stop", 10);
  expect([sessions.size, lasts, first.events.at(-1)]).toEqual([1, 0, { type: "closing", reason: "interrupt" }]);
  await Promise.all([sessions.close(second.sessionId, "done", 0), sessions.close(second.sessionId, "stop", 0), sessions.close("ss_99", "stop", 0)]);
  expect([sessions.size, lasts, second.types()]).toEqual([0, 1, ["opened", "closing"]]);
});

test("a session hears of its own functions only, also of a version that has left", async () => {
  const [first, second] = [open("run"), open("run")];
  const request = await made.request(["hello"]);
  const [old] = (await sessions.putApp(first.sessionId, request)).functions;
  await sessions.putApp(first.sessionId, request);
  await sessions.putApp(second.sessionId, request);
  const line = { text: "hi" } as LogLine;
  sessions.logged(line, old!.id);
  sessions.logged(line, "fn_of_nobody");
  expect([first.events.at(-1), second.types()]).toEqual([{ type: "log", line }, ["opened"]]);
  await sessions.closeAll("done", 0);
});

test("use of its functions is told once a second at most", async () => {
  const { sessionId, types } = open("run");
  const { functions } = await sessions.putApp(sessionId, await made.request(["hello"]));
  const entry = registry.byId(functions[0]!.id)!;
  // Refused by the function, as it is no class: an input all the same.
  const use = (): void => void entry.submit(["argument"], {} as never, { error() {} } as never);
  use();
  use();
  expect(types()).toEqual(["opened", "activity"]);
  clock.advance(1_000);
  use();
  expect(types()).toEqual(["opened", "activity", "activity"]);
  await sessions.closeAll("done", 0);
});
