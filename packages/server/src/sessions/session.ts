import type { SessionEvent, SessionId, SessionRequest } from "@samovar/protocol";
import type { FunctionRuntime } from "@samovar/scheduler";
import type { DeployValues } from "../apps/app-maker.ts";

/** A `run` or `serve` that is going on: its functions end with it. Owned by `Sessions`. */
export interface Session {
  readonly id: SessionId;
  readonly request: SessionRequest;
  readonly emit: (event: SessionEvent) => void;
  functions: readonly FunctionRuntime[];
  /** Lets go of the code of `functions`, once they are closed. */
  release: () => void;
  /** Earlier versions whose containers still drain. */
  readonly leaving: Set<FunctionRuntime>;
  /** Ids of all functions that are or were this session's, also of a version that is only being made. */
  readonly functionIds: Set<string>;
  version: number;
  /** Of the last version. */
  deployed: DeployValues;
  closing: Promise<void> | null;
  /** Ends what is being put, when the session closes meanwhile. */
  readonly abort: AbortController;
  /** One `putApp` after another. */
  turn: Promise<unknown>;
}
