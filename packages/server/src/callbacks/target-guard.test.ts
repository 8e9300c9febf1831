import type { LookupAddress } from "node:dns";
import { describe, expect, onTestFinished, test } from "vitest";
import { FakeClock } from "@samovar/kit";
import { startCallbacks, startReceiver } from "./callbacks.fixture.ts";
import { CallbackConnections, postCallback } from "./post-callback.ts";
import { TargetGuard, TargetRefused } from "./target-guard.ts";
import { createTargetRules } from "./target-rules.ts";

const METADATA = "169.254.169.254";

function createGuard(more: { allow?: string[]; deny?: string[]; ownPort?: number; resolve?: (host: string) => Promise<LookupAddress[]> } = {}): TargetGuard {
  return new TargetGuard({
    rules: createTargetRules(more.allow ?? [], more.deny ?? []),
    ownPort: () => more.ownPort ?? null,
    ownAddresses: () => ["10.9.8.7"],
    ...(more.resolve ? { resolve: more.resolve } : {}),
  });
}

const resolveTo =
  (...addresses: string[]) =>
  async (): Promise<LookupAddress[]> =>
    addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));

/** What the connection would get. */
async function lookUp(guard: TargetGuard, url: string): Promise<LookupAddress[]> {
  const target = guard.check(url);
  const looking = Promise.withResolvers<LookupAddress[]>();
  target.lookup(target.url.hostname, { all: true }, (error, addresses) =>
    error instanceof Error ? looking.reject(error) : looking.resolve(addresses as LookupAddress[]),
  );
  return looking.promise;
}

describe("a URL is refused for good, whatever its spelling", () => {
  test.each([
    ["http://169.254.169.254/", "metadata"],
    ["http://2852039166/", "metadata"],
    ["http://0xA9FEA9FE/", "metadata"],
    ["http://0251.0376.0251.0376/", "metadata"],
    ["http://169.254.43518/", "metadata"],
    ["http://169.0xfe.0251.254/", "metadata"],
    ["http://[::ffff:169.254.169.254]/", "metadata"],
    ["http://[::ffff:a9fe:a9fe]/", "metadata"],
    ["http://[64:ff9b::a9fe:a9fe]/", "metadata"],
    ["http://169.254.169.254./", "metadata"],
    ["http://１６９.254.169.254/", "metadata"],
    ["http://[fd00:ec2::254]/", "metadata"],
    ["http://[fe80::1]/", "link-local"],
    ["http://0/", "unspecified"],
    ["http://0.0.0.0:8700/", "unspecified"],
    ["http://[::]/", "unspecified"],
    ["http://255.255.255.255/", "broadcast"],
    ["http://user@example.com/", "a user or a password"],
    ["http://user:word@example.com/", "a user or a password"],
    ["http://example.com@169.254.169.254/", "a user or a password"],
    ["ftp://example.com/", "http: and https:"],
    ["file:///etc/passwd", "http: and https:"],
    ["unix:/run/x.sock", "http: and https:"],
    ["example.com", "can't be read"],
    ["http://", "can't be read"],
  ])("%s", (url, why) => {
    expect(() => createGuard().check(url)).toThrow(expect.objectContaining({ name: "TargetRefused", isFinal: true, message: expect.stringContaining(why) }));
  });
});

test.each(["http://127.0.0.1:8700/", "http://127.1:8700/", "http://[::1]:8700/", "http://[::ffff:127.0.0.1]:8700/", "http://10.9.8.7:8700/"])(
  "%s is this server: refused unless allowed",
  (url) => {
    expect(() => createGuard({ ownPort: 8700 }).check(url)).toThrow("is this server");
    expect(createGuard({ ownPort: 8701 }).check(url).url.port).toBe("8700");
    expect(createGuard({ ownPort: 8700, allow: ["127.0.0.1", "::1", "10.9.8.7"] }).check(url).url.port).toBe("8700");
  },
);

describe("a name", () => {
  test("is refused with one bad address among good ones, for now: it may be mended", async () => {
    const looking = lookUp(createGuard({ resolve: resolveTo("93.184.215.14", METADATA) }), "http://evil.example/");
    await expect(looking).rejects.toMatchObject({
      name: "TargetRefused",
      isFinal: false,
      message: expect.stringContaining(`evil.example leads to ${METADATA}`),
    });
  });

  test("of this server's own address and port is refused", async () => {
    const looking = lookUp(createGuard({ ownPort: 80, resolve: resolveTo("127.0.0.1") }), "http://localtest.example/");
    await expect(looking).rejects.toThrow("is this server");
  });

  test("that is allowed may lead anywhere, and one that is denied nowhere", async () => {
    expect(await lookUp(createGuard({ allow: ["meta.example"], resolve: resolveTo(METADATA) }), "http://meta.example/")).toEqual([
      { address: METADATA, family: 4 },
    ]);
    expect(() => createGuard({ deny: ["*.example"] }).check("http://meta.example/")).toThrow(TargetRefused);
  });

  test("without addresses says so", async () => {
    await expect(lookUp(createGuard({ resolve: resolveTo() }), "http://none.example/")).rejects.toThrow("none.example has no address");
  });

  test("is asked for once by those who ask together, and not more than two names at once", async () => {
    const asked: string[] = [];
    const answers = new Map<string, () => void>();
    const resolve = (host: string): Promise<LookupAddress[]> => {
      asked.push(host);
      return new Promise((done) => answers.set(host, () => done([{ address: "10.0.0.1", family: 4 }])));
    };
    const guard = createGuard({ resolve });
    const looking = ["a", "a", "b", "c", "a"].map((name) => lookUp(guard, `http://${name}.example/`));
    await new Promise((done) => setImmediate(done));
    expect(asked).toEqual(["a.example", "b.example"]);
    answers.get("b.example")!();
    await looking[2];
    await new Promise((done) => setImmediate(done));
    expect(asked).toEqual(["a.example", "b.example", "c.example"]);
    answers.get("a.example")!();
    answers.get("c.example")!();
    await Promise.all(looking);
  });
});

test("a name that answers otherwise the second time gains nothing: it is not asked a second time", async () => {
  const [receiver, secret] = [await startReceiver(), await startReceiver()];
  const answers = ["127.0.0.1", METADATA];
  const guard = createGuard({ resolve: async () => [{ address: answers.shift()!, family: 4 }] });
  const connections = new CallbackConnections();
  onTestFinished(() => connections.dispose());
  const answer = await postCallback({
    connections,
    target: guard.check(`http://rebinding.example:${receiver.port}/`),
    headers: {},
    body: Buffer.from("{}"),
    timeoutMs: 15_000,
    clock: new FakeClock(),
    signal: new AbortController().signal,
  });
  expect([answer?.kind, answers, receiver.received[0]!.headers["host"], secret.received]).toEqual([
    "answered",
    [METADATA],
    `rebinding.example:${receiver.port}`,
    [],
  ]);
});

test("callbacks that are refused fail: by their URL at once, by their name when they never come right", async () => {
  const { callbacks, store, clock } = startCallbacks({ resolve: resolveTo(METADATA), url: () => "http://127.0.0.1:8700" });
  store.add("literal", `http://${METADATA}/`, clock.now());
  store.add("own", "http://localhost:8700/api/v1/shutdown", clock.now());
  store.add("name", "http://evil.example/", clock.now());
  callbacks.wake();
  await store.until(() => [...store.rows.values()].every(({ attempts }) => attempts === 1));
  expect(["literal", "own", "name"].map((id) => store.rows.get(id)!.state)).toEqual(["failed", "pending", "pending"]);
  expect(store.rows.get("name")!.lastError).toContain("SAMOVAR_CALLBACK_ALLOW");
});
