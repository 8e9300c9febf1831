import { describe, expect, test } from "vitest";
import { Webhook } from "standardwebhooks";
import { silentLogger, type Logger } from "@samovar/kit";
import { ok, never, sampleTask, startCallbacks, startReceiver, TellingClock, type Received } from "./callbacks.fixture.ts";
import { MemoryCallbackStore } from "./memory-callback-store.fixture.ts";

const idOf = ({ headers }: Received): string => headers["webhook-id"]!;

describe("what is posted", () => {
  test("is the task, signed so that a verifier that isn't ours takes it", async () => {
    const receiver = await startReceiver();
    const { callbacks, store, clock } = startCallbacks();
    store.add("cb_1", `${receiver.url}/done?x=1`, clock.now());
    callbacks.wake();
    await store.untilSettled("cb_1", 1);
    expect(store.rows.get("cb_1")).toMatchObject({ state: "delivered", lastError: null, dueAtMs: null, endedAtMs: clock.now() });

    const { path, headers, body } = receiver.received[0]!;
    expect([path, headers["content-type"], headers["user-agent"], idOf(receiver.received[0]!)]).toEqual([
      "/done?x=1",
      "application/json",
      expect.stringMatching(/^samovar\/\d/),
      "cb_1",
    ]);
    const told = new Webhook(callbacks.secret("shop")).verify(body, headers);
    expect(told).toMatchObject({ type: "task.completed", data: { id: "tk_cb_1", status: "COMPLETE", result: { total: 42 } } });
  });

  test("is not what another app could have signed", async () => {
    const receiver = await startReceiver();
    const { callbacks, store, clock } = startCallbacks();
    store.add("cb_1", receiver.url, clock.now());
    callbacks.wake();
    await store.untilSettled("cb_1", 1);
    const { headers, body } = receiver.received[0]!;
    expect(callbacks.secret("shop")).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(() => new Webhook(callbacks.secret("other")).verify(body, headers)).toThrow("No matching signature");
    expect(() => new Webhook(callbacks.secret("shop")).verify(body.replace("42", "43"), headers)).toThrow("No matching signature");
  });

  test("nothing is, of a task that is gone or was queued once more, also where that has ended since", async () => {
    const receiver = await startReceiver();
    const details = [undefined, sampleTask("tk_again", { status: "PENDING", endedAtMs: null }), sampleTask("tk_since", { endedAtMs: Date.now() + 1 })];
    const detail = async (id: string) => details.find((task) => task?.id === id);
    const { callbacks, store, clock } = startCallbacks({ detail });
    store.add("gone", receiver.url, clock.now());
    store.add("again", receiver.url, clock.now());
    store.add("since", receiver.url, clock.now() - 1);
    callbacks.wake();
    await store.until(() => store.count("failed") === 3);
    expect(["gone", "again", "since"].map((id) => store.rows.get(id)!.lastError)).toEqual([
      "The task is no longer kept",
      expect.stringContaining("it is PENDING"),
      expect.stringContaining("it is COMPLETE"),
    ]);
    expect(receiver.received).toEqual([]);
  });
});

describe("tries", () => {
  test("one whose end was taken back while it was sent is not told as failed, and keeps back no other", async () => {
    const warned: string[] = [];
    const logger: Logger = { ...silentLogger, warn: (_: object, message: string) => void warned.push(message), child: () => logger };
    const receiver = await startReceiver();
    const store = new MemoryCallbackStore();
    // The task is queued once more in the moment in which its end is looked up.
    const detail = async (id: string) => {
      if (id === "tk_cb_1") store.rows.delete("cb_1");
      return sampleTask(id, id === "tk_cb_1" ? { status: "PENDING", endedAtMs: null } : { endedAtMs: store.rows.get("cb_2")!.createdAtMs });
    };
    const { callbacks, clock } = startCallbacks({ store, detail, logger, limits: { total: 1 } });
    store.add("cb_1", receiver.url, clock.now());
    // Behind it, so that it is sent when the other is through.
    store.add("cb_2", receiver.url, clock.now());
    callbacks.wake();
    await store.untilSettled("cb_2", 1);
    expect(receiver.received.map(idOf)).toEqual(["cb_2"]);
    expect(warned).toEqual([]);
  });

  test("a receiver that is down is tried again until it is up, always with the same id", async () => {
    const receiver = await startReceiver((_, response) => void response.writeHead(503).end("down"));
    const { callbacks, store, clock } = startCallbacks();
    const { port, url } = receiver;
    store.add("cb_1", url, clock.now());
    callbacks.wake();
    await store.untilSettled("cb_1", 1);
    expect(store.rows.get("cb_1")).toMatchObject({ state: "pending", lastError: "503: down", dueAtMs: clock.now() + 5_000 });

    await receiver.close();
    await clock.untilSet(5_000);
    clock.advance(5_000);
    await store.untilSettled("cb_1", 2);
    expect(store.rows.get("cb_1")).toMatchObject({ state: "pending", lastError: expect.stringContaining("ECONNREFUSED"), dueAtMs: clock.now() + 30_000 });

    await receiver.listen(port);
    receiver.answer = ok;
    await clock.untilSet(30_000);
    // Not before its time.
    clock.advance(29_999);
    expect(store.rows.get("cb_1")!.attempts).toBe(2);
    clock.advance(1);
    await store.untilSettled("cb_1", 3);
    expect(store.rows.get("cb_1")!.state).toBe("delivered");
    expect(receiver.received.map(idOf)).toEqual(["cb_1", "cb_1"]);
    const [first, last] = receiver.received.map(({ headers }) => headers);
    expect(Number(last!["webhook-timestamp"]) - Number(first!["webhook-timestamp"])).toBe(35);
    expect(clock.pending).toBe(0);
  });

  test("the last of twelve fails for good, which is shown, and can be tried once more from the beginning", async () => {
    const receiver = await startReceiver((_, response) => void response.writeHead(500).end());
    const { callbacks, store, clock } = startCallbacks();
    store.add("cb_1", receiver.url, clock.now());
    callbacks.wake();
    for (const minutes of [1 / 12, 1 / 2, 2, 10, 60, 360, 720, 720, 720, 720, 720]) {
      await clock.untilSet(minutes * 60_000);
      clock.advance(minutes * 60_000);
    }
    await store.untilSettled("cb_1", 12);
    expect(await callbacks.list({ state: "failed", limit: 10 })).toEqual([expect.objectContaining({ id: "cb_1", attempts: 12, lastError: "500" })]);

    receiver.answer = ok;
    expect(await callbacks.retry("cb_1")).toMatchObject({ state: "pending", attempts: 0 });
    await store.untilSettled("cb_1", 1);
    expect((await callbacks.get("cb_1"))!.state).toBe("delivered");
    await expect(callbacks.retry("cb_1")).rejects.toMatchObject({ code: "conflict", message: expect.stringContaining("is delivered") });
    await expect(callbacks.retry("cb_9")).rejects.toMatchObject({ code: "not_found" });
  });

  test("all that failed for good are sent once more, or those of one app or time", async () => {
    const { callbacks, store, clock } = startCallbacks();
    for (let i = 0; i < 1_100; i++) {
      store.add(`cb_${i}`, "http://127.0.0.1:9", clock.now());
      const row = store.rows.get(`cb_${i}`)!;
      store.rows.set(row.id, { ...row, state: i === 7 ? "delivered" : "failed", app: i === 0 ? "other" : row.app, dueAtMs: null, createdAtMs: i });
    }
    const pending = (): number => [...store.rows.values()].filter(({ state }) => state === "pending").length;
    expect([await callbacks.retryFailed({ createdAfterMs: 1_095 }), pending()]).toEqual([4, 4]);
    expect([await callbacks.retryFailed({ app: "other" }), store.rows.get("cb_0")!.state]).toEqual([1, "pending"]);
    expect([await callbacks.retryFailed({}), pending()]).toEqual([1_094, 1_099]);
    expect(await callbacks.retryFailed({})).toBe(0);
  });

  test("410 ends it at once", async () => {
    const receiver = await startReceiver((_, response) => void response.writeHead(410).end());
    const { callbacks, store, clock } = startCallbacks();
    store.add("cb_1", receiver.url, clock.now());
    callbacks.wake();
    await store.untilSettled("cb_1", 1);
    expect([store.rows.get("cb_1")!.state, clock.pending]).toEqual(["failed", 0]);
  });

  test("a redirect to a metadata address is not followed", async () => {
    const location = "http://169.254.169.254/latest/meta-data/";
    const receiver = await startReceiver((_, response) => void response.writeHead(307, { location }).end());
    const { callbacks, store, clock } = startCallbacks();
    store.add("cb_1", receiver.url, clock.now());
    callbacks.wake();
    await store.untilSettled("cb_1", 1);
    expect(store.rows.get("cb_1")).toMatchObject({ state: "pending", lastError: expect.stringContaining("307: redirects are not followed") });
  });

  test("one who never answers is given up after 15 s", async () => {
    const receiver = await startReceiver(never);
    const { callbacks, store, clock } = startCallbacks();
    store.add("cb_1", receiver.url, clock.now());
    callbacks.wake();
    await receiver.until(1);
    clock.advance(14_999);
    expect(store.rows.get("cb_1")!.attempts).toBe(0);
    clock.advance(1);
    await store.untilSettled("cb_1", 1);
    expect(store.rows.get("cb_1")!.lastError).toBe("No answer within 15 s");
  });
});

describe("many at once", () => {
  test("10,000 are due, most of them for a host that never answers: the others arrive meanwhile", async () => {
    const [dead, living] = [await startReceiver(never), await startReceiver()];
    const { callbacks, store, clock } = startCallbacks();
    // The dead host's are the oldest, and stand before all others in the store.
    for (let at = 0; at < 9_000; at++) store.add(`dead_${at}`, dead.url, clock.now() - 10_000 + at);
    for (let at = 0; at < 1_000; at++) store.add(`living_${at}`, `${living.url}/${at % 3}`, clock.now());
    callbacks.wake();
    await living.until(1_000);
    await store.until(() => store.count("delivered") === 1_000);
    expect([new Set(living.received.map(idOf)).size, living.received.length, dead.received.length]).toEqual([1_000, 1_000, 4]);

    clock.advance(15_000);
    await store.until(() => [0, 1, 2, 3].every((at) => store.rows.get(`dead_${at}`)!.attempts === 1));
    await dead.until(5);
    expect(dead.received).toHaveLength(5);
  });

  test("no host gets more than four, and all hosts together no more than the total", async () => {
    let [open, most] = [0, 0];
    const count = (_: Received, response: import("node:http").ServerResponse): void => {
      most = Math.max(most, ++open);
      setImmediate(() => {
        open -= 1;
        response.end();
      });
    };
    const receivers = await Promise.all(Array.from({ length: 4 }, () => startReceiver(count)));
    const { callbacks, store, clock } = startCallbacks({ limits: { total: 6, laneLength: 8, held: 16 } });
    for (let at = 0; at < 200; at++) store.add(`cb_${at}`, receivers[at % 4]!.url, clock.now());
    callbacks.wake();
    await store.until(() => store.count("delivered") === 200);
    expect([most <= 6, receivers.map(({ received }) => received.length)]).toEqual([true, [50, 50, 50, 50]]);
  });

  test("a wake while the store is asked is not lost", async () => {
    const receiver = await startReceiver();
    const { callbacks, store, clock } = startCallbacks();
    const gate = Promise.withResolvers<void>();
    store.gate = gate.promise;
    callbacks.wake();
    await store.until(() => store.asked.length === 1);
    store.add("cb_1", receiver.url, clock.now());
    callbacks.wake();
    gate.resolve();
    await store.untilSettled("cb_1", 1);
    expect(store.rows.get("cb_1")!.state).toBe("delivered");
  });

  test("what is settled while the store is asked is not sent again, though its answer still has it", async () => {
    const receiver = await startReceiver(never);
    const { callbacks, store, clock } = startCallbacks();
    store.add("cb_1", receiver.url, clock.now());
    let answer = (): void => {};
    receiver.answer = (_, response) => (answer = () => void response.end());
    callbacks.wake();
    await receiver.until(1);

    const gate = Promise.withResolvers<void>();
    store.gate = gate.promise;
    callbacks.wake();
    await store.until(() => store.asked.length === 2);
    answer();
    await store.untilSettled("cb_1", 1);
    receiver.answer = ok;
    store.add("cb_2", receiver.url, clock.now());
    callbacks.wake();
    gate.resolve();
    await store.untilSettled("cb_2", 1);
    expect(receiver.received.map(idOf)).toEqual(["cb_1", "cb_2"]);
  });
});

describe("ends of the server", () => {
  test("what was posted and not yet settled when the server died is posted again, with the same id", async () => {
    const receiver = await startReceiver();
    const store = new MemoryCallbackStore();
    const clock = new TellingClock(Date.now());
    store.add("cb_1", receiver.url, clock.now());
    // It dies before the settlement is on disk: until the end of the test that one has not come there.
    const death = Promise.withResolvers<boolean>();
    const dying = new MemoryCallbackStore(store.rows);
    dying.settle = () => death.promise;
    const first = startCallbacks({ store: dying, clock });
    first.callbacks.wake();
    await receiver.until(1);

    const second = startCallbacks({ store, clock });
    second.callbacks.wake();
    await store.untilSettled("cb_1", 1);
    expect(receiver.received.map(idOf)).toEqual(["cb_1", "cb_1"]);
    death.resolve(false);
  });

  test("what is in flight is given up at the end, and goes on at the next start", async () => {
    const receiver = await startReceiver(never);
    const { callbacks, store, clock } = startCallbacks();
    for (let at = 0; at < 10; at++) store.add(`cb_${at}`, receiver.url, clock.now());
    callbacks.wake();
    await receiver.until(4);
    await Promise.all([callbacks.dispose(), callbacks.dispose()]);
    callbacks.wake();
    expect([store.count("pending"), clock.pending, store.rows.get("cb_0")!.attempts]).toEqual([10, 0, 0]);

    receiver.answer = ok;
    const next = startCallbacks({ store, clock });
    next.callbacks.wake();
    await store.until(() => store.count("delivered") === 10);
  });

  test("a store that fails is asked again, and what was answered is not sent twice", async () => {
    const receiver = await startReceiver();
    const { callbacks, store, clock } = startCallbacks();
    store.add("cb_1", receiver.url, clock.now());
    store.failure = new Error("disk I/O error");
    callbacks.wake();
    await clock.untilSet(5_000);
    store.failure = null;
    receiver.answer = (request, response) => {
      store.failure = new Error("database or disk is full");
      ok(request, response);
    };
    clock.advance(5_000);
    await receiver.until(1);
    await clock.untilSet(5_000);
    store.failure = null;
    clock.advance(5_000);
    await store.untilSettled("cb_1", 1);
    expect([store.rows.get("cb_1")!.state, receiver.received.length]).toEqual(["delivered", 1]);
  });
});
