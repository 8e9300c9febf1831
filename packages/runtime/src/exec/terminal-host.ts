import { Socket } from "node:net";
import { closeSync, constants, openSync } from "node:fs";
import { constants as os } from "node:os";
import { createInterface } from "node:readline";
import { ReadStream } from "node:tty";
import type { ExecLaunch } from "./exec-launch.ts";
import { OutputPump } from "./output-pump.ts";
import { loadPtyBinding, type PtyBinding } from "./pty-binding.ts";
import { signalGroup } from "./signals.ts";
import { CONTROL_FD, TERMINAL_FD, type TerminalOrder, type TerminalReport } from "./terminal-host-messages.ts";
import { TerminalInput } from "./terminal-input.ts";

/**
 * The process that holds one terminal: what is started in a process that has a terminal inherits its descriptor and
 * with it what is typed there, so the server, which starts containers, may have none. It also keeps native code
 * out of the server. It ends with its program, when all was read; and when the server goes, the program is hung up.
 */

/** After its program has ended, something else may write to the terminal; this long a silence is taken as the end. */
const QUIET_MS = 50;
/** A reader that takes nothing of the last output for this long does not want it. */
const READER_TIMEOUT_MS = 30_000;

const data = new Socket({ fd: TERMINAL_FD, readable: true, writable: true, allowHalfOpen: true });
const control = new Socket({ fd: CONTROL_FD, readable: true, writable: true });
const report = (message: TerminalReport): void => void control.write(`${JSON.stringify(message)}\n`);
let running: { readonly pid: number; readonly fd: number; readonly binding: PtyBinding } | null = null;

data.on("error", () => {});
control.on("error", () => {});
control.on("close", () => {
  // Closing the terminal hangs up whoever has it; the program may be of another mind about that.
  if (running) signalGroup(running.pid, "SIGHUP");
  process.exit(0);
});
createInterface({ input: control })
  .on("line", (line) => obey(JSON.parse(line) as TerminalOrder))
  .on("error", () => {});

function obey(order: TerminalOrder): void {
  if (order.type === "start") return start(order.launch, order.size.columns, order.size.rows);
  if (!running) return;
  if (order.type === "signal") return signalGroup(running.pid, order.signal);
  const { columns, rows } = order.size;
  try {
    running.binding.resize(running.fd, columns, rows);
    if (order.innerPid !== undefined) resizeInner(running.binding, order.innerPid, columns, rows);
  } catch {
    // The terminal is closing.
  }
}

/** A terminal's size may be set from either of its ends. */
function resizeInner(binding: PtyBinding, pid: number, columns: number, rows: number): void {
  const fd = openSync(`/proc/${pid}/fd/0`, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
  try {
    binding.resize(fd, columns, rows);
  } finally {
    closeSync(fd);
  }
}

function start({ file, args, env, cwd }: ExecLaunch, columns: number, rows: number): void {
  const loaded = loadPtyBinding();
  if (!loaded) {
    report({
      type: "failed",
      code: "unsupported",
      message: `Terminals need the package @lydell/node-pty-${process.platform}-${process.arch}, which is not installed here: install it beside Samovar, or run the program without a terminal`,
    });
    return void control.end();
  }
  const { binding, helperPath } = loaded;
  const variables = Object.entries({ TERM: "xterm-256color", ...env, PWD: cwd }).map(([name, value]) => `${name}=${value}`);
  let terminal: ReturnType<PtyBinding["fork"]>;
  try {
    terminal = binding.fork(file, args, variables, cwd, columns, rows, -1, -1, true, helperPath, onExit);
  } catch (error) {
    report({ type: "failed", code: "internal", message: `No terminal can be opened: ${(error as Error).message}` });
    return void control.end();
  }
  const { fd, pid } = terminal;
  // Programs may close their end shortly before they exit. Ours would then end, too, and its end would hang them up.
  const held = openSync(terminal.pty, constants.O_RDWR | constants.O_NOCTTY);
  running = { pid, fd, binding };
  report({ type: "started", pid });
  const pump = new OutputPump(new ReadStream(fd), () => new Promise((resolve) => setTimeout(resolve, QUIET_MS)));
  pump.output.pipe(data);
  // With nobody to read it, what the program writes is dropped.
  data.on("close", () => pump.output.resume());
  data.pipe(new TerminalInput(fd)).on("error", () => data.resume());

  function onExit(code: number, signal: number): void {
    const name = Object.entries(os.signals).find(([, number]) => number === signal)?.[0];
    running = null;
    closeSync(held);
    report({ type: "exit", exit: signal > 0 ? { kind: "signal", code: null, signal: name ?? `signal ${signal}` } : { kind: "exit", code, signal: null } });
    // Whether it was all read or nobody reads any more: nothing is left to be done here.
    for (const event of ["finish", "close"]) data.once(event, () => process.exit(0));
    if (data.destroyed) process.exit(0);
    const timer = setTimeout(() => process.exit(0), READER_TIMEOUT_MS);
    pump.output.on("data", () => timer.refresh());
    pump.finish();
  }
}
