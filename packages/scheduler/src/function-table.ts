import type { FunctionId, FunctionInfo, FunctionKind, FunctionManifest } from "@samovar/protocol";
import type { InputRequest, InputSink, InputTicket } from "./input.ts";

/** A function that can be called: one version of one deployment (or of a session's app). */
export interface FunctionEntry {
  readonly functionId: FunctionId;
  /** The public name: under `serve` with its `-dev`. */
  readonly name: string;
  readonly app: string;
  readonly version: number;
  readonly manifest: FunctionManifest;
  /** True under `run` and `serve`: callers see stacks. */
  readonly development: boolean;
  /** Changes with every input: what an idle session is measured by. */
  readonly lastUsedAtMs: number;
  /**
   * Gives an input to the pool of these constructor arguments (empty for all but classes). Never throws: what goes
   * wrong reaches `sink.error`.
   */
  submit(parameters: readonly unknown[], input: InputRequest, sink: InputSink): InputTicket;
  info(): FunctionInfo;
}

/** Name → active version, held in memory: what the gateway asks on every request. Reading is one Map lookup. */
export interface FunctionTable {
  /** Names are compared in lower case. */
  byName(kind: FunctionKind, name: string, version?: number): FunctionEntry | undefined;
  byId(functionId: string): FunctionEntry | undefined;
  /** The active version of a name, of whatever kind. */
  holder(name: string): FunctionEntry | undefined;
  /**
   * The function whose host this is: `label` is what stands before the server's own name, in lower case, as `my-api` or
   * `my-api--3` for a version.
   */
  byHost(label: string): FunctionEntry | undefined;
  /** Rises whenever a name gets another function: who looked one up before asks again. */
  readonly generation: number;
  list(): readonly FunctionEntry[];
}
