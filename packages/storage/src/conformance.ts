import { afterEach, describe, expect, test } from "vitest";
import { describeCallbacks } from "./conformance-callbacks.ts";
import { describeCalls } from "./conformance-calls.ts";
import { containerSample as container, NOW_MS, tokenSample as token } from "./samples.fixture.ts";
import { describeDeployments } from "./conformance-deployments.ts";
import { describeSchedules } from "./conformance-schedules.ts";
import type { ReturnFacts, Storage } from "./storage.ts";
import { describeTasks } from "./task-conformance.ts";

export interface StorageUnderTest {
  readonly storage: Storage;
  /** The same state, opened again: what a restarted server sees. */
  reopen(): Promise<Storage>;
  dispose(): Promise<void>;
}

/** What every adapter is asked to make: history is kept for an hour and for 5 ended containers, by a clock that stands at `nowMs`. */
export interface StorageFactory {
  (limits: { readonly retentionMs: number; readonly maxEndedContainers: number; readonly nowMs: number }): Promise<StorageUnderTest>;
}

const HOUR_MS = 3_600_000;

const facts = (tokenHash: string): ReturnFacts => ({ tokenHash, gpus: [`gpu-of-${tokenHash}`] });

/** The one suite that every adapter of `Storage` runs. */
export function describeStorage(name: string, make: StorageFactory): void {
  describe(`storage in ${name}`, () => {
    const opened: StorageUnderTest[] = [];
    const open = async (): Promise<StorageUnderTest> => {
      const one = await make({ retentionMs: HOUR_MS, maxEndedContainers: 5, nowMs: NOW_MS });
      opened.push(one);
      return one;
    };
    afterEach(async () => {
      for (const one of opened.splice(0)) await one.dispose();
    });

    describe("tokens", () => {
      test("a token is listed as it was inserted, oldest first, and after a restart", async () => {
        const { storage, reopen } = await open();
        const older = token("to_b", { createdAtMs: 1, scopes: ["deploy", "invoke"], app: "text", expiresAtMs: 5 });
        const newer = token("to_a", { createdAtMs: 2, name: "ünï'côde\n" });
        await storage.tokens.insert(newer);
        await storage.tokens.insert(older);
        expect(await storage.tokens.list()).toEqual([older, newer]);
        expect(await (await reopen()).tokens.list()).toEqual([older, newer]);
      });

      test("an id or a hash that is taken is a conflict, and disturbs nobody who came with it", async () => {
        const { storage } = await open();
        await storage.tokens.insert(token("to_1"));
        const results = await Promise.allSettled([
          storage.tokens.insert(token("to_2")),
          storage.tokens.insert(token("to_1", { hash: "other" })),
          storage.tokens.insert(token("to_3", { hash: token("to_1").hash })),
          storage.tokens.insert(token("to_4")),
        ]);
        expect(results.map((result) => (result.status === "rejected" ? (result.reason as { code: string }).code : "ok"))).toEqual([
          "ok",
          "conflict",
          "conflict",
          "ok",
        ]);
        expect((await storage.tokens.list()).map((each) => each.id)).toEqual(["to_1", "to_2", "to_4"]);
      });

      test("deleting says whether there was one", async () => {
        const { storage } = await open();
        await storage.tokens.insert(token("to_1"));
        expect(await storage.tokens.delete("to_1")).toBe(true);
        expect(await storage.tokens.delete("to_1")).toBe(false);
        expect(await storage.tokens.list()).toEqual([]);
      });
    });

    describe("containers", () => {
      test("a container is read as it was recorded, its parameters with their types", async () => {
        const { storage, reopen } = await open();
        const one = container("ct_1", {
          reason: "idle",
          endedAtMs: NOW_MS,
          parameters: [{ size: 3n, at: new Date(5), tags: new Set(["a"]), bytes: new Uint8Array([1, 2]) }, undefined, "x"],
          phases: [{ phase: "start", workerIndex: 0, hook: "load", startedAtMs: 1, durationMs: 2.5, outcome: "failed", detail: "no 'model'" }],
        });
        storage.containers.record(one);
        expect(await storage.containers.get("ct_1")).toEqual(one);
        expect(await storage.containers.get("ct_2")).toBeUndefined();
        expect(await (await reopen()).containers.get("ct_1")).toEqual(one);
      });

      test("a question sees every record made before it, the last of each container", async () => {
        const { storage } = await open();
        for (let turn = 0; turn < 5; turn++) {
          for (const id of ["ct_1", "ct_2"]) storage.containers.record(container(id, { state: `state-${turn}` }));
          const seen = await storage.containers.list({ includeEnded: false, limit: 10 });
          expect(seen.map((each) => each.state)).toEqual([`state-${turn}`, `state-${turn}`]);
        }
      });

      test("the list is newest first, of one function or all, without the ended unless asked, up to the limit", async () => {
        const { storage } = await open();
        storage.containers.record(container("ct_1", { startedAtMs: 1, functionId: "fn_a" }));
        storage.containers.record(container("ct_2", { startedAtMs: 2, functionId: "fn_b" }));
        storage.containers.record(container("ct_3", { startedAtMs: 3, functionId: "fn_a", endedAtMs: NOW_MS }));
        storage.containers.record(container("ct_4", { startedAtMs: 3, functionId: "fn_a" }));
        const ids = async (options: Parameters<Storage["containers"]["list"]>[0]) => (await storage.containers.list(options)).map((each) => each.id);
        expect(await ids({ includeEnded: true, limit: 10 })).toEqual(["ct_4", "ct_3", "ct_2", "ct_1"]);
        expect(await ids({ includeEnded: false, limit: 10 })).toEqual(["ct_4", "ct_2", "ct_1"]);
        expect(await ids({ functionId: "fn_a", includeEnded: true, limit: 10 })).toEqual(["ct_4", "ct_3", "ct_1"]);
        expect(await ids({ functionId: "fn_a", includeEnded: false, limit: 1 })).toEqual(["ct_4"]);
      });

      test("what a dead server left living is ended with the reason, what had ended is not touched", async () => {
        const { storage, reopen } = await open();
        const ended = container("ct_1", { state: "failed", reason: "exit 3", endedAtMs: NOW_MS - 1 });
        storage.containers.record(ended);
        storage.containers.record(container("ct_2"));
        storage.containers.record(container("ct_3"));
        await storage.flush();
        const later = await reopen();
        expect(await later.containers.endAllLiving("server-lost", NOW_MS)).toBe(2);
        expect(await later.containers.endAllLiving("server-lost", NOW_MS)).toBe(0);
        expect(await later.containers.get("ct_1")).toEqual(ended);
        expect(await later.containers.get("ct_2")).toEqual(container("ct_2", { state: "ended", reason: "server-lost", endedAtMs: NOW_MS }));
        expect(await later.containers.list({ includeEnded: false, limit: 10 })).toEqual([]);
      });

      test("what a later server takes back is left living", async () => {
        const { storage } = await open();
        storage.containers.record(container("ct_1"), facts("1"));
        storage.containers.record(container("ct_2"), facts("2"));
        expect(await storage.containers.endAllLiving("server-lost", NOW_MS, new Set(["ct_2", "ct_9"]))).toBe(1);
        expect(await storage.containers.living()).toEqual([{ info: container("ct_2"), facts: facts("2") }]);
        expect(await storage.containers.endAllLiving("server-lost", NOW_MS)).toBe(1);
        expect(await storage.containers.living()).toEqual([]);
      });

      test("what it takes to take one back stays with it through its states, oldest first, and is there after a restart", async () => {
        const { storage, reopen } = await open();
        storage.containers.record(container("ct_2", { startedAtMs: 2, state: "starting" }), facts("2"));
        storage.containers.record(container("ct_2", { startedAtMs: 2, state: "ready", parameters: [3n] }));
        storage.containers.record(container("ct_1", { startedAtMs: 1, state: "starting" }), facts("1"));
        storage.containers.record(container("ct_3", { startedAtMs: 3 }));
        await storage.flush();
        storage.containers.record(container("ct_1", { startedAtMs: 1, state: "ready" }));
        storage.containers.record(container("ct_4", { startedAtMs: 4, endedAtMs: NOW_MS }));
        const expected = [
          { info: container("ct_1", { startedAtMs: 1, state: "ready" }), facts: facts("1") },
          { info: container("ct_2", { startedAtMs: 2, state: "ready", parameters: [3n] }), facts: facts("2") },
          { info: container("ct_3", { startedAtMs: 3 }), facts: null },
        ];
        expect(await storage.containers.living()).toEqual(expected);
        expect(await (await reopen()).containers.living()).toEqual(expected);
      });

      test("nothing of that is kept once it ended, or was taken away", async () => {
        const { storage } = await open();
        for (const id of ["ct_1", "ct_2", "ct_3", "ct_4"]) storage.containers.record(container(id), facts(id));
        await storage.flush();
        storage.containers.record(container("ct_1", { endedAtMs: NOW_MS }));
        storage.containers.record(container("ct_2", { endedAtMs: NOW_MS }), facts("2"));
        storage.containers.record(container("ct_3"), null);
        await storage.containers.endAllLiving("server-lost", NOW_MS, new Set(["ct_3"]));
        // As if they had never ended: what their rows still have would be seen again.
        for (const id of ["ct_1", "ct_2", "ct_4"]) storage.containers.record(container(id));
        expect((await storage.containers.living()).map(({ facts: kept }) => kept)).toEqual([null, null, null, null]);
      });

      test("ended containers leave the history when their time is over, living ones stay", async () => {
        const { storage } = await open();
        storage.containers.record(container("ct_living", { startedAtMs: 1 }));
        storage.containers.record(container("ct_old", { endedAtMs: NOW_MS - HOUR_MS - 1 }));
        storage.containers.record(container("ct_recent", { endedAtMs: NOW_MS - HOUR_MS }));
        const ids = (await storage.containers.list({ includeEnded: true, limit: 10 })).map((each) => each.id);
        expect(ids.toSorted()).toEqual(["ct_living", "ct_recent"]);
      });

      test("the history holds only so many ended containers, the ones that ended last", async () => {
        const { storage } = await open();
        storage.containers.record(container("ct_living", { startedAtMs: 1 }));
        for (let i = 1; i <= 8; i++) {
          storage.containers.record(container(`ct_${i}`, { endedAtMs: NOW_MS - i }));
          await storage.flush();
        }
        const ids = (await storage.containers.list({ includeEnded: true, limit: 100 })).map((each) => each.id);
        expect(ids.toSorted()).toEqual(["ct_1", "ct_2", "ct_3", "ct_4", "ct_5", "ct_living"]);
      });
    });

    describeDeployments(open);
    describeTasks(open);
    describeCalls(open);
    describeCallbacks(open);
    describeSchedules(open);

    test("closing keeps what was recorded, may be repeated, and ends every call after it by name", async () => {
      const { storage, reopen } = await open();
      storage.containers.record(container("ct_1"));
      await Promise.all([storage.close(), storage.close()]);
      await expect(storage.tokens.list()).rejects.toMatchObject({ code: "storage_failed" });
      await expect(storage.flush()).rejects.toMatchObject({ code: "storage_failed" });
      expect(await (await reopen()).containers.get("ct_1")).toEqual(container("ct_1"));
    });
  });
}
