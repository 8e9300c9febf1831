import type { ContainerInfo } from "@samovar/protocol";
import type { DeploymentRecord, LivingContainer, VersionRecord } from "@samovar/storage";
import { expect, test } from "vitest";
import { selectReturning } from "./returning.ts";

const deployment = (name: string, more: Partial<DeploymentRecord> = {}): DeploymentRecord => ({
  ...{ name, app: "app", kind: "function", state: "active", activeVersion: 2, scaling: {} },
  ...more,
});
const version = (name: string, number: number): VersionRecord => ({ name, version: number, functionId: `fn_${name}_${number}` }) as VersionRecord;
const container = (id: string, functionId: string, more: Partial<ContainerInfo> = {}): LivingContainer => ({
  info: { id, functionId, state: "ready", ...more } as ContainerInfo,
  facts: { tokenHash: "00", gpus: [] },
});

const stored = {
  deployments: [deployment("Page"), deployment("off", { state: "stopped" }), deployment("torn", { activeVersion: 9 })],
  versions: [version("page", 1), version("page", 2), version("off", 2), version("torn", 1)],
};

test.each<[string, LivingContainer, boolean]>([
  ["ready ones of what is served come back", container("ct_1", "fn_page_2"), true],
  ["so do those of a version that is called by its number", container("ct_1", "fn_page_1"), true],
  ["so do those that the server before had not got back when it was killed, too", container("ct_1", "fn_page_2", { state: "returning" }), true],
  ["not where its processes are gone", container("ct_gone", "fn_page_2"), false],
  ["not those that had not been ready", container("ct_1", "fn_page_2", { state: "starting" }), false],
  ["so do those that were draining, for what they hold", container("ct_1", "fn_page_2", { state: "draining" }), true],
  ["not those that were stopping", container("ct_1", "fn_page_2", { state: "stopping" }), false],
  ["not where nothing is kept to know them by", { ...container("ct_1", "fn_page_2"), facts: null }, false],
  ["those of a deployment that is stopped, which drain", container("ct_1", "fn_off_2"), true],
  ["not those of one that can't be served", container("ct_1", "fn_torn_1"), false],
  ["not those of a session, or of what was deleted", container("ct_1", "fn_other"), false],
])("%s", (_, left, comes) => {
  expect(selectReturning([left], stored, new Set(["ct_1"])).map(({ info }) => info.id)).toEqual(comes ? [left.info.id] : []);
});
