import { describe, expect, test } from "vitest";
import type { StorageUnderTest } from "./conformance.ts";
import { versionSample as version } from "./samples.fixture.ts";
import type { DeploymentRecord, Storage, VersionRecord } from "./storage.ts";

/** The part of the suite of `Storage` that is about deployments. */
export function describeDeployments(open: () => Promise<StorageUnderTest>): void {
  describe("deployments", () => {
    test("what is activated is loaded as it was, and after a restart", async () => {
      const { storage, reopen } = await open();
      expect(await storage.deployments.begin(["predict", "train"])).toEqual([1, 1]);
      const versions = [version("predict", 1), version("train", 1, { manifest: { ...version("train", 1).manifest, kind: "cls" }, onDeployValue: null })];
      await storage.deployments.activate("text", versions, []);
      const kept = { deployments: [deployed("predict", 1), deployed("train", 1, { kind: "cls" })], versions };
      expect(await storage.deployments.load()).toEqual(kept);
      expect(await (await reopen()).deployments.load()).toEqual(kept);
    });

    test("a deploy that was only begun does not exist, and its numbers are not given again, also after a restart", async () => {
      const { storage, reopen } = await open();
      expect(await storage.deployments.begin(["a", "b"])).toEqual([1, 1]);
      expect(await storage.deployments.begin(["b"])).toEqual([2]);
      expect(await storage.deployments.load()).toEqual({ deployments: [], versions: [] });
      const later = await reopen();
      expect(await later.deployments.load()).toEqual({ deployments: [], versions: [] });
      expect(await later.deployments.begin(["b", "a"])).toEqual([3, 2]);
    });

    test("deploys that begin side by side get different numbers", async () => {
      const { storage } = await open();
      const given = await Promise.all(Array.from({ length: 20 }, () => storage.deployments.begin(["a", "b"])));
      for (const place of [0, 1])
        expect(given.map((numbers) => numbers[place]!).toSorted((x, y) => x - y)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    });

    test("a number stays given when its version is removed, and starts at 1 again when the name is", async () => {
      const { storage, reopen } = await open();
      for (const number of [1, 2]) await deploy(storage, [version("a", number)]);
      expect(await storage.deployments.setActive([{ name: "a", version: 1 }])).toBeUndefined();
      expect(await storage.deployments.removeVersion("a", 2)).toBe(true);
      const later = await reopen();
      expect(await later.deployments.begin(["a"])).toEqual([3]);
      expect(await later.deployments.remove("a")).toBe(true);
      expect(await later.deployments.load()).toEqual({ deployments: [], versions: [] });
      expect(await later.deployments.begin(["a"])).toEqual([1]);
    });

    test("a name that is removed while its deploy is under way does not give that deploy's number again", async () => {
      const { storage } = await open();
      await deploy(storage, [version("a", 1)]);
      expect(await storage.deployments.begin(["a"])).toEqual([2]);
      await storage.deployments.remove("a");
      await storage.deployments.activate("text", [version("a", 2)], []);
      expect(await storage.deployments.begin(["a"])).toEqual([3]);
    });

    test("the next version becomes the active one, belongs to its app, is active and has no scaling; the one before is kept", async () => {
      const { storage } = await open();
      await deploy(storage, [version("a", 1)]);
      await storage.deployments.setScaling("a", { minContainers: 2, maxContainers: null });
      await storage.deployments.setState("a", "stopped");
      expect((await storage.deployments.load()).deployments).toEqual([
        deployed("a", 1, { state: "stopped", scaling: { minContainers: 2, maxContainers: null } }),
      ]);
      await deploy(storage, [version("a", 2)], "other");
      expect(await storage.deployments.load()).toEqual({
        deployments: [deployed("a", 2, { app: "other" })],
        versions: [version("a", 1), version("a", 2)],
      });
    });

    test("names are compared in lower case and keep the spelling of their first deploy", async () => {
      const { storage } = await open();
      await deploy(storage, [version("Predict", 1)]);
      expect(await storage.deployments.begin(["PREDICT"])).toEqual([2]);
      await storage.deployments.activate("text", [version("PREDICT", 2)], []);
      const names = async () => {
        const { deployments, versions } = await storage.deployments.load();
        return [deployments.map((each) => each.name), versions.map((each) => `${each.name} ${each.version} ${each.manifest.name}`)];
      };
      expect(await names()).toEqual([["Predict"], ["Predict 1 Predict", "Predict 2 PREDICT"]]);
      await storage.deployments.setState("predict", "stopped");
      await storage.deployments.setScaling("predicT", { bufferContainers: 1 });
      await storage.deployments.setActive([{ name: "pREDICT", version: 1 }]);
      expect((await storage.deployments.load()).deployments).toEqual([deployed("Predict", 1, { state: "stopped", scaling: { bufferContainers: 1 } })]);
      expect(await storage.deployments.removeVersion("predict", 2)).toBe(true);
      expect(await storage.deployments.remove("preDict")).toBe(true);
    });

    test("pruned names are stopped with the deploy that left them out, those that are gone meanwhile are no obstacle", async () => {
      const { storage } = await open();
      await deploy(storage, [version("a", 1), version("b", 1), version("c", 1)]);
      await storage.deployments.activate("text", [version("a", 2)], ["B", "gone"]);
      expect((await storage.deployments.load()).deployments).toEqual([deployed("a", 2), deployed("b", 1, { state: "stopped" }), deployed("c", 1)]);
    });

    test("a deploy of which one version can't be kept changes nothing", async () => {
      const { storage } = await open();
      await deploy(storage, [version("a", 1), version("b", 1), version("c", 1)]);
      const before = await storage.deployments.load();
      const taken = storage.deployments.activate("other", [version("a", 2), version("b", 1)], ["c"]);
      await expect(taken).rejects.toMatchObject({ code: "conflict" });
      expect(await storage.deployments.load()).toEqual(before);
    });

    test("versions are made active together, or none when one is not kept", async () => {
      const { storage } = await open();
      for (const number of [1, 2]) await deploy(storage, [version("a", number), version("b", number)]);
      const active = async () => (await storage.deployments.load()).deployments.map((each) => each.activeVersion);
      await storage.deployments.setActive([
        { name: "a", version: 1 },
        { name: "b", version: 1 },
      ]);
      expect(await active()).toEqual([1, 1]);
      const missing = storage.deployments.setActive([
        { name: "a", version: 2 },
        { name: "b", version: 7 },
      ]);
      await expect(missing).rejects.toMatchObject({ code: "not_found", message: 'Version 7 of "b" is not kept' });
      expect(await active()).toEqual([1, 1]);
    });

    test("a deployment is of the kind that its active version is", async () => {
      const { storage } = await open();
      await deploy(storage, [version("a", 1)]);
      await deploy(storage, [version("a", 2, { manifest: { ...version("a", 2).manifest, kind: "endpoint" } })]);
      const kind = async () => (await storage.deployments.load()).deployments[0]!.kind;
      expect(await kind()).toBe("endpoint");
      await storage.deployments.setActive([{ name: "a", version: 1 }]);
      expect(await kind()).toBe("function");
    });

    test("the active version can't be removed, another can, and what is not there is told", async () => {
      const { storage } = await open();
      for (const number of [1, 2]) await deploy(storage, [version("a", number)]);
      await expect(storage.deployments.removeVersion("A", 2)).rejects.toMatchObject({ code: "conflict" });
      expect(await storage.deployments.removeVersion("a", 1)).toBe(true);
      expect(await storage.deployments.removeVersion("a", 1)).toBe(false);
      expect(await storage.deployments.removeVersion("b", 1)).toBe(false);
      expect((await storage.deployments.load()).versions).toEqual([version("a", 2)]);
      expect(await storage.deployments.remove("a")).toBe(true);
      expect(await storage.deployments.remove("a")).toBe(false);
    });

    test("state and scaling of a name that is not deployed are refused by name", async () => {
      const { storage } = await open();
      await storage.deployments.begin(["a"]);
      const refused = { code: "not_found", message: 'Nothing is deployed as "a"' };
      await expect(storage.deployments.setState("a", "stopped")).rejects.toMatchObject(refused);
      await expect(storage.deployments.setScaling("a", {})).rejects.toMatchObject(refused);
    });
  });
}

async function deploy(storage: Storage, versions: readonly VersionRecord[], app = "text"): Promise<void> {
  await storage.deployments.begin(versions.map((each) => each.name));
  await storage.deployments.activate(app, versions, []);
}

function deployed(name: string, activeVersion: number, changes: Partial<DeploymentRecord> = {}): DeploymentRecord {
  return { name, app: "text", kind: "function", state: "active", activeVersion, scaling: {}, ...changes };
}
