import type { ExitStatus } from "@samovar/protocol";
import type { TerminalSize } from "../driver.ts";
import type { ExecLaunch } from "./exec-launch.ts";

/** Descriptors of a terminal's host: the terminal's bytes both ways, and messages, one JSON line each. */
export const TERMINAL_FD = 3;
export const CONTROL_FD = 4;

/** To the host; `start` comes first and once. The end of the channel ends the terminal. */
export type TerminalOrder =
  | { readonly type: "start"; readonly launch: ExecLaunch; readonly size: TerminalSize }
  | { readonly type: "resize"; readonly size: TerminalSize; readonly innerPid?: number }
  | { readonly type: "signal"; readonly signal: string };

export type TerminalReport =
  | { readonly type: "started"; readonly pid: number }
  | { readonly type: "failed"; readonly code: "unsupported" | "internal"; readonly message: string }
  | { readonly type: "exit"; readonly exit: ExitStatus };
