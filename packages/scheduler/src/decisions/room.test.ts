import type { GpuDevice } from "@samovar/protocol";
import { describe, expect, test } from "vitest";
import { describeFull, describeImpossible } from "./describe-room.ts";
import { behind, givingWay, type RoomOffer, type RoomWaiter } from "./giving-way.ts";
import { countThatFit, pickGpus, roomOfHost, without, type Room, type RoomNeed } from "./room.ts";

const gpu = (id: string, name = "T4"): GpuDevice => ({ id, name, memoryMib: 16_384 });
const T4S = [gpu("0"), gpu("1")];
const MIXED = [gpu("0", "A10"), gpu("1", "T4"), gpu("2", "A10"), gpu("3", "H100")];

const needs = (memoryMib: number, changes: Partial<RoomNeed> = {}): RoomNeed => ({ memoryMib, cpuMillis: 1_000, gpu: [], gpuCount: 0, ...changes });
const room = (memoryMib: number, changes: Partial<Room> = {}): Room => ({ memoryMib, cpuMillis: 100_000, gpus: [], ...changes });

test("containers share four-fifths of the memory, and four times the cores", () => {
  expect(roomOfHost({ memoryMib: 10_001, cpuMillis: 2_000, gpus: T4S })).toEqual({ memoryMib: 8_000, cpuMillis: 8_000, gpus: T4S });
});

describe("countThatFit is by the scarcest", () => {
  test.each<[string, RoomNeed, Room, number]>([
    ["memory", needs(512), room(4_200), 8],
    ["cpu", needs(512), room(4_200, { cpuMillis: 3_500 }), 3],
    ["GPUs", needs(512, { gpu: ["T4"], gpuCount: 1 }), room(4_200, { gpus: T4S }), 2],
    ["two GPUs each, of one name", needs(512, { gpu: ["any"], gpuCount: 2 }), room(4_200, { gpus: MIXED }), 2],
    ["nothing fits", needs(8_000), room(4_200), 0],
    ["no such GPU", needs(512, { gpu: ["H200"], gpuCount: 1 }), room(4_200, { gpus: MIXED }), 0],
  ])("%s", (_name, need, host, expected) => {
    expect(countThatFit(need, host)).toBe(expected);
  });
});

describe("pickGpus", () => {
  test.each<[string, readonly string[], number, readonly GpuDevice[], readonly string[] | null]>([
    ["none asked", [], 0, MIXED, []],
    ["by name, in any case", ["t4"], 1, MIXED, ["1"]],
    ["the first name that is free", ["H200", "H100", "T4"], 1, MIXED, ["3"]],
    ["the next one where the first has too few", ["T4", "A10"], 2, MIXED, ["0", "2"]],
    ["any takes what is rarest, as long as it is enough", ["any"], 1, MIXED, ["1"]],
    ["any takes two of a name", ["any"], 2, MIXED, ["0", "2"]],
    ["and mixes names only where it must", ["any"], 3, MIXED, ["0", "1", "2"]],
    ["too few", ["T4"], 2, MIXED, null],
    ["not of two names, where names are given", ["T4", "H100"], 2, MIXED, null],
    ["none there", ["any"], 1, [], null],
  ])("%s", (_name, names, gpuCount, free, expected) => {
    const picked = pickGpus(needs(1, { gpu: names, gpuCount }), free);
    expect(picked?.map(({ id }) => id) ?? null).toEqual(expected);
  });
});

test("what is set aside may be more than there is", () => {
  expect(without(room(100, { gpus: T4S }), needs(512, { gpu: ["T4"], gpuCount: 3 }))).toEqual(room(-412, { cpuMillis: 99_000 }));
});

describe("describeImpossible", () => {
  const host = room(6_400, { cpuMillis: 8_000, gpus: MIXED });
  test.each<[RoomNeed, string | null]>([
    [needs(6_400, { cpuMillis: 8_000, gpu: ["A10"], gpuCount: 2 }), null],
    [needs(6_401), "needs 6401 MiB of memory, this host has 6400 MiB for containers"],
    [needs(1, { cpuMillis: 9_500 }), "needs 9.5 cores, this host counts 8 cores"],
    [needs(1, { gpu: ["H200", "L4"], gpuCount: 1 }), "needs 1 GPU (H200 or L4), this host has 2 A10, 1 T4, 1 H100"],
    [needs(1, { gpu: ["any"], gpuCount: 5 }), "needs 5 GPUs, this host has 2 A10, 1 T4, 1 H100"],
    [
      needs(9_000, { gpu: ["T4"], gpuCount: 2 }),
      "needs 9000 MiB of memory, this host has 6400 MiB for containers; needs 2 GPUs (T4), this host has 2 A10, 1 T4, 1 H100",
    ],
  ])("%#", (need, expected) => {
    expect(describeImpossible(need, host)).toBe(expected);
  });
  test("a host without GPUs", () => {
    expect(describeImpossible(needs(1, { gpu: ["any"], gpuCount: 1 }), room(6_400))).toBe("needs 1 GPU, this host has none");
  });
});

test("describeFull says what is missing, and who has it", () => {
  const none = { busy: 0, starting: 0, kept: 0, leaving: 0 };
  const host = room(6_400, { cpuMillis: 8_000, gpus: T4S });
  expect(describeFull(needs(2_048), { ...host, memoryMib: 512 }, host, none, { ...none, busy: 3 })).toBe(
    "the host is full: needs 2048 MiB of memory, 512 of 6400 MiB are free; 3 containers of other functions are busy",
  );
  expect(
    describeFull(
      needs(1, { gpu: ["T4"], gpuCount: 1, cpuMillis: 2_000 }),
      { ...host, cpuMillis: 500, gpus: [] },
      host,
      { ...none, busy: 1 },
      { busy: 0, starting: 1, kept: 1, leaving: 1 },
    ),
  ).toBe(
    "the host is full: needs 2 cores, 0.5 of 8 (as many as this host counts) are free and needs 1 GPU (T4), 0 of 2 are free; 1 container of its own is busy; " +
      "1 container of other functions is starting; 1 container of other functions is kept by minContainers; 1 container of other functions makes room",
  );
  expect(describeFull(needs(1), host, host, none, none)).toBe("the host is full: what is free is kept for a function that waits longer");
});

const waits = (owner: string, need: RoomNeed, changes: Partial<RoomWaiter> = {}): RoomWaiter => ({
  owner,
  need,
  wanted: 1,
  isPatient: false,
  isBlocked: false,
  ...changes,
});
const idle = (id: string, idleSinceMs: number, memoryMib: number, changes: Partial<Room> = {}): RoomOffer & { id: string } => ({
  id,
  owner: id[0]!,
  idleSinceMs,
  room: { memoryMib, cpuMillis: 1_000, gpus: [], ...changes },
});

describe("behind somebody who waits", () => {
  const free = room(4_000, { gpus: [gpu("0")] });
  const coming = { ...free, gpus: T4S };
  test.each<[string, RoomWaiter, { free: Room; coming: Room }]>([
    [
      "what is coming for it is its own",
      waits("g", needs(1_000, { gpu: ["T4"], gpuCount: 2 })),
      { free: room(3_000, { cpuMillis: 99_000 }), coming: room(3_000, { cpuMillis: 99_000 }) },
    ],
    ["what is not enough is open", waits("large", needs(5_000)), { free, coming }],
    [
      "until it waited for long",
      waits("large", needs(5_000), { isPatient: true }),
      { free: { ...free, memoryMib: -1_000, cpuMillis: 99_000 }, coming: { ...coming, memoryMib: -1_000, cpuMillis: 99_000 } },
    ],
    ["all is open where its turn never comes", waits("never", needs(1_000), { isPatient: true, isBlocked: true }), { free, coming }],
  ])("%s", (_name, waiter, expected) => {
    expect(behind({ free, coming }, waiter)).toEqual(expected);
  });
});

describe("givingWay", () => {
  const gone = (coming: Room, line: readonly RoomWaiter[], offers: readonly (RoomOffer & { id: string })[]): string[] =>
    givingWay(coming, line, offers).map(({ id }) => id);
  test.each<[string, Room, RoomWaiter[], (RoomOffer & { id: string })[], string[]]>([
    ["none where there is room", room(512), [waits("w", needs(512))], [idle("a", 1, 512)], []],
    ["the longest idle first", room(0), [waits("w", needs(512))], [idle("a", 2, 512), idle("b", 1, 512)], ["b"]],
    ["as many as it takes", room(100), [waits("w", needs(1_024))], [idle("a", 2, 512), idle("b", 1, 512), idle("c", 3, 512)], ["b", "a"]],
    ["none where all of them are not enough", room(0), [waits("w", needs(2_048))], [idle("a", 1, 512), idle("b", 2, 512)], []],
    ["but bit by bit for who waited long", room(0), [waits("w", needs(2_048), { isPatient: true })], [idle("a", 1, 512), idle("b", 2, 512)], ["a", "b"]],
    ["not for one whose need floors make impossible", room(0), [waits("w", needs(2_048), { isPatient: true, isBlocked: true })], [idle("a", 1, 512)], []],
    ["none of its own", room(0), [waits("a", needs(512))], [idle("a", 1, 512)], []],
    ["small ones stay where a large one does it alone", room(0), [waits("w", needs(1_024))], [idle("a", 1, 256), idle("b", 2, 1_024)], ["b"]],
    [
      "only those with what is missing",
      room(9_000),
      [waits("w", needs(512, { gpu: ["T4"], gpuCount: 1 }))],
      [idle("a", 1, 512), idle("b", 2, 512, { gpus: [gpu("0")] })],
      ["b"],
    ],
    ["not those with other GPUs", room(9_000), [waits("w", needs(512, { gpu: ["A10"], gpuCount: 1 }))], [idle("b", 2, 512, { gpus: [gpu("0")] })], []],
    ["for each who waits", room(0), [waits("w", needs(512)), waits("v", needs(512))], [idle("a", 1, 512), idle("b", 2, 512), idle("c", 3, 512)], ["a", "b"]],
    ["for all that one waits for", room(0), [waits("w", needs(512), { wanted: 3 })], [idle("a", 1, 512), idle("b", 2, 512)], ["a", "b"]],
    ["first one for each", room(0), [waits("w", needs(512), { wanted: 3 }), waits("v", needs(512))], [idle("v", 1, 512), idle("b", 2, 512)], ["v", "b"]],
    ["what comes by itself counts", room(512), [waits("w", needs(512)), waits("v", needs(512))], [idle("a", 1, 512)], ["a"]],
    [
      "the second is served though the first needs more than there is",
      room(0),
      [waits("large", needs(5_000)), waits("v", needs(512))],
      [idle("a", 1, 512)],
      ["a"],
    ],
    ["but not when the first waited for long", room(600), [waits("large", needs(5_000), { isPatient: true }), waits("v", needs(512))], [], []],
  ])("%s", (_name, coming, line, offers, expected) => {
    expect(gone(coming, line, offers)).toEqual(expected);
  });
});
