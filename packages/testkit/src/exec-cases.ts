import { once } from "node:events";
import { text } from "node:stream/consumers";
import type { ExecCommand, ExecProcess, RunningContainer, RuntimeDriver } from "@samovar/runtime";
import { expect, test, type TestContext } from "vitest";

export interface ExecSetting {
  driver(): RuntimeDriver;
  /** A container whose user variables are these. */
  start(env?: Record<string, string>): Promise<RunningContainer>;
}

const SIZE = { columns: 100, rows: 30 };

/** What programs that are run in a container see and do, and how they end. Skipped without the capability `exec`. */
export function describeExec({ driver, start }: ExecSetting): void {
  const need = (context: TestContext): void => {
    if (!driver().info.capabilities.exec) context.skip("needs exec true, has false");
  };
  const command = (argv: readonly string[], more: Partial<ExecCommand> = {}): ExecCommand => ({ argv, env: {}, cwd: null, terminal: null, ...more });
  const sh = (script: string, more: Partial<ExecCommand> = {}): ExecCommand => command(["sh", "-c", script], more);

  test("without the capability exec a program is refused", async (context) => {
    if (driver().info.capabilities.exec) return context.skip("needs exec false, has true");
    const container = await start();
    await expect(container.exec(command(["true"]))).rejects.toMatchObject({ code: "unsupported" });
  });

  test("exec: output comes by stream, and the exit code after it", async (context) => {
    need(context);
    const container = await start();
    const exec = await container.exec(sh("echo to out; echo to err >&2; exit 3"));
    expect(await Promise.all([text(exec.stdout), text(exec.stderr!)])).toEqual(["to out\n", "to err\n"]);
    expect(await exec.exited).toEqual({ kind: "exit", code: 3, signal: null });
    // Harmless by now.
    exec.kill("SIGTERM");
    exec.resize(SIZE);
  });

  test("exec: arguments are given as they are, without a shell", async (context) => {
    need(context);
    const container = await start();
    const exec = await container.exec(command(["printf", "%s|", "a b", "$HOME", "*", "", "--"]));
    expect(await text(exec.stdout)).toBe("a b|$HOME|*||--|");
  });

  test("exec: standard input goes to the program up to its end", async (context) => {
    need(context);
    const container = await start();
    const exec = await container.exec(command(["cat"]));
    exec.stderr!.resume();
    exec.stdin.write("one\n");
    exec.stdin.end("two\n");
    expect(await text(exec.stdout)).toBe("one\ntwo\n");
    expect(await exec.exited).toEqual({ kind: "exit", code: 0, signal: null });
  });

  test("exec: a program that reads nothing of its input ends all the same", async (context) => {
    need(context);
    const container = await start();
    const exec = await container.exec(command(["true"]));
    exec.stdin.write(Buffer.alloc(1024 * 1024));
    exec.stdout.resume();
    exec.stderr!.resume();
    expect(await exec.exited).toEqual({ kind: "exit", code: 0, signal: null });
  });

  test("exec: an end by signal is told with its name", async (context) => {
    need(context);
    const container = await start();
    const exec = await container.exec(command(["sleep", "600"]));
    exec.stdout.resume();
    exec.stderr!.resume();
    exec.kill("SIGTERM");
    expect(await exec.exited).toEqual({ kind: "signal", code: null, signal: "SIGTERM" });
  });

  test("exec: a signal reaches the program and what it started", async (context) => {
    need(context);
    const container = await start();
    const script = "process.on('SIGTERM', () => { console.log('child, too'); process.exit(7) }); console.log('ready'); setInterval(() => {}, 1e6)";
    const exec = await container.exec(sh(`trap : TERM; node -e "${script}"; exit $?`));
    exec.stderr!.resume();
    await firstLine(exec);
    exec.kill("SIGTERM");
    expect(await text(exec.stdout)).toBe("child, too\n");
    expect(await exec.exited).toEqual({ kind: "exit", code: 7, signal: null });
  });

  test("exec: what a slow reader has not read waits, whole and in order", async (context) => {
    need(context);
    const container = await start();
    const exec = await container.exec(command(["seq", "1", "300000"]));
    exec.stderr!.resume();
    // Nothing is read until the program is held up by its full pipe.
    await once(exec.stdout, "readable");
    const lines = (await text(exec.stdout)).trimEnd().split("\n");
    expect(lines.length).toBe(300_000);
    expect(lines.at(-1)).toBe("300000");
    expect(await exec.exited).toMatchObject({ kind: "exit", code: 0 });
  });

  test("exec: it is over when the program ends, though what that left behind holds its output open", async (context) => {
    need(context);
    if (driver().info.missing.some((sentence) => sentence.includes("holds its output"))) context.skip("runc waits for all that holds a program's output");
    const container = await start();
    const exec = await container.exec(sh("sleep 600 & echo last words"));
    exec.stderr!.resume();
    expect(await text(exec.stdout)).toBe("last words\n");
    expect(await exec.exited).toEqual({ kind: "exit", code: 0, signal: null });
  });

  test("exec: variables and folder are those of the container, with the command's beside them", async (context) => {
    need(context);
    const container = await start({ GREETING: "hello", "ODD.NAME": "kept" });
    const read = async (more: Partial<ExecCommand> = {}): Promise<Record<string, string>> => {
      const exec = await container.exec(command(["node", "-p", "JSON.stringify({ ...process.env, cwd: process.cwd() })"], more));
      return JSON.parse(await text(exec.stdout)) as Record<string, string>;
    };
    const plain = await read();
    expect(plain).toMatchObject({ GREETING: "hello", "ODD.NAME": "kept", LANG: "C.UTF-8", cwd: container.codePath });
    expect(Object.keys(plain)).not.toContain("npm_config_user_agent");
    const own = await read({ env: { GREETING: "bye", MORE: "1", SAMOVAR_CONTAINER_ID: "forged" }, cwd: "/" });
    expect(own).toMatchObject({ GREETING: "bye", MORE: "1", cwd: "/", SAMOVAR_CONTAINER_ID: plain["SAMOVAR_CONTAINER_ID"] });
  });

  test("exec: a program that is not there is named, and so is a folder", async (context) => {
    need(context);
    const container = await start();
    await expect(container.exec(command(["no-such-program"]))).rejects.toMatchObject({
      code: "not_found",
      message: expect.stringContaining("no-such-program"),
    });
    await expect(container.exec(command(["./no-such-file"], { terminal: SIZE }))).rejects.toMatchObject({ code: "not_found" });
    await expect(container.exec(command(["true"], { cwd: "/no/such/folder" }))).rejects.toMatchObject({
      code: "not_found",
      message: expect.stringContaining("/no/such/folder"),
    });
    await expect(container.exec(command([]))).rejects.toMatchObject({ code: "invalid_request" });
  });

  test("exec: its processes are the container's, and end with it", async (context) => {
    need(context);
    const container = await start();
    const before = (await container.stats()).processes;
    const piped = await container.exec(sh("trap '' TERM HUP; setsid sleep 600 & echo ready; wait"));
    const terminal = await container.exec(sh("trap '' TERM HUP; sleep 600 & echo ready; wait", { terminal: SIZE }));
    piped.stderr!.resume();
    await Promise.all([firstLine(piped), firstLine(terminal)]);
    expect((await container.stats()).processes).toBe(before + 4);
    await container.kill();
    piped.stdout.resume();
    terminal.stdout.resume();
    expect(await piped.exited).toMatchObject({ kind: "signal", signal: "SIGKILL" });
    expect(await terminal.exited).toMatchObject({ kind: "signal", signal: "SIGKILL" });
    await expect(container.exec(command(["true"]))).rejects.toMatchObject({ code: "not_found" });
  });

  test("exec: programs run beside each other", async (context) => {
    need(context);
    const container = await start();
    const all = await Promise.all([1, 2, 3, 4, 5].map((n) => container.exec(sh(`echo ${n}`))));
    expect(await Promise.all(all.map(({ stdout }) => text(stdout)))).toEqual(["1\n", "2\n", "3\n", "4\n", "5\n"]);
  });

  // runc copies from one terminal to another, and on a very busy machine it can end before it has: seen once in some hundred runs.
  test("exec: a terminal is one, of the size that was asked for, and carries both streams", { retry: 2 }, async (context) => {
    need(context);
    const container = await start();
    const exec = await container.exec(
      sh('test -t 0 && test -t 1 && test -t 2 || exit 1; until [ "$(stty size)" != "0 0" ]; do :; done; stty size; echo err >&2; exit 4', { terminal: SIZE }),
    );
    expect(exec.stderr).toBeNull();
    // Its size may come right after its start.
    expect(await text(exec.stdout)).toBe("30 100\r\nerr\r\n");
    expect(await exec.exited).toEqual({ kind: "exit", code: 4, signal: null });
  });

  test("exec: nothing that is open here is open in a program, whether terminals are open or not", async (context) => {
    need(context);
    const container = await start();
    const other = await container.exec(command(["cat"], { terminal: SIZE }));
    for (const terminal of [null, SIZE]) {
      const exec = await container.exec(sh("ls -l /proc/self/fd/", { terminal }));
      exec.stderr?.resume();
      const open = [...(await text(exec.stdout)).matchAll(/ (\d+) -> (\S+)/g)].filter(([, descriptor]) => Number(descriptor) > 2);
      expect(open.filter(([, , file]) => /ptmx|socket:|anon_inode/.test(file!))).toEqual([]);
      await exec.exited;
    }
    other.stdin.end();
    other.stdout.resume();
    await other.exited;
  });

  test("exec: a program in a terminal hears of a new size", async (context) => {
    need(context);
    const container = await start();
    const exec = await container.exec(
      command(
        [
          "node",
          "-e",
          "console.log('ready'); process.stdout.on('resize', () => { console.log(process.stdout.getWindowSize().join()); process.exit() }); setInterval(() => {}, 1e6)",
        ],
        {
          terminal: SIZE,
        },
      ),
    );
    await firstLine(exec);
    exec.resize({ columns: 77, rows: 11 });
    expect(await text(exec.stdout)).toContain("77,11");
    await exec.exited;
  });

  test("exec: Ctrl-C typed into a terminal interrupts what runs there", async (context) => {
    need(context);
    const container = await start();
    const script = "process.on('SIGINT', () => { console.log('interrupted'); process.exit(5) }); console.log('ready'); setInterval(() => {}, 1e6)";
    const exec = await container.exec(command(["node", "-e", script], { terminal: SIZE }));
    await firstLine(exec);
    exec.stdin.write("\x03");
    expect(await text(exec.stdout)).toContain("interrupted");
    expect(await exec.exited).toMatchObject({ kind: "exit", code: 5 });
  });

  test("exec: the end of a terminal's input is an end of file for who reads it", async (context) => {
    need(context);
    const container = await start();
    const exec = await container.exec(command(["cat"], { terminal: SIZE }));
    exec.stdin.end("typed\n");
    expect(await text(exec.stdout)).toBe("typed\r\ntyped\r\n");
    expect(await exec.exited).toEqual({ kind: "exit", code: 0, signal: null });
  });

  test("exec: a terminal's program ends by signal, its large output whole before that", async (context) => {
    need(context);
    const container = await start();
    const exec = await container.exec(sh("stty -opost; seq 1 100000; kill -KILL $$", { terminal: SIZE }));
    await once(exec.stdout, "readable");
    const lines = (await text(exec.stdout)).trimEnd().split("\n");
    expect([lines.length, lines.at(-1)]).toEqual([100_000, "100000"]);
    expect(await exec.exited).toEqual({ kind: "signal", code: null, signal: "SIGKILL" });
  });

  test("exec: more than a terminal takes waits until its program reads it", async (context) => {
    need(context);
    const container = await start();
    const exec = await container.exec(sh("stty raw -echo; echo ready; head -c 300000 | wc -c", { terminal: SIZE }));
    await firstLine(exec);
    exec.stdin.write(Buffer.alloc(300_000, "x"));
    expect(await text(exec.stdout)).toContain("300000");
    expect(await exec.exited).toMatchObject({ kind: "exit", code: 0 });
  });

  test("exec: who stops reading does not keep it from ending", async (context) => {
    need(context);
    const container = await start();
    for (const terminal of [null, SIZE]) {
      const exec = await container.exec(command(["seq", "1", "1000000"], { terminal }));
      exec.stdout.destroy();
      exec.stderr?.destroy();
      exec.kill("SIGHUP");
      expect((await exec.exited).kind).not.toBe("lost");
    }
  });
}

/** Resolves with the first line's text; the rest stays to be read. */
async function firstLine(exec: ExecProcess): Promise<[string]> {
  let seen = "";
  while (!seen.includes("\n")) {
    const chunk = exec.stdout.read() as Buffer | null;
    if (chunk === null) await once(exec.stdout, "readable");
    else seen += chunk.toString();
  }
  const end = seen.indexOf("\n");
  if (seen.length > end + 1) exec.stdout.unshift(Buffer.from(seen.slice(end + 1)));
  return [seen.slice(0, end).trimEnd()];
}
