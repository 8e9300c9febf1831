import { text } from "node:stream/consumers";
import { startExec } from "@samovar/runtime";
import { describe, expect, test, type TestContext } from "vitest";
import { needDebianPackage } from "../debian-packages.ts";
import { INHERITED, SAMOVAR } from "./cli-process.fixture.ts";
import { TerminalProcess } from "./terminal-process.fixture.ts";
import { TestHome } from "./test-home.fixture.ts";

const APP = `
import { endpoint } from "samovar";
export const hello = endpoint({ env: { GREETING: "hi" } }, () => "hi");
export const other = endpoint({ env: { GREETING: "other" } }, () => "other");
`;
const PROMPT = /[#$] $/;

const withoutOci = process.getuid?.() === 0 ? await needDebianPackage("crun") : "needs root";

for (const driver of ["process", "oci"] as const) {
  const missing = driver === "oci" ? withoutOci : null;

  // Only where runtimes of containers are, and may be used: the name says what is missing.
  describe.skipIf(missing !== null)(`in containers of the driver ${driver}${missing === null ? "" : ` (${missing})`}`, () => {
    async function setUp({
      onTestFinished,
    }: Pick<TestContext, "onTestFinished">): Promise<{ home: TestHome; terminal(args: readonly string[]): Promise<TerminalProcess> }> {
      const home = await TestHome.create({ "app.ts": APP });
      onTestFinished(() => home.dispose());
      await home.ok(["up", "-d", "--port", "0", "--driver", driver]);
      return { home, terminal: (args) => TerminalProcess.start(args, { cwd: `${home.folder}/project`, home: home.home }) };
    }

    /** A container of `hello`, in a session that stays until the server ends. */
    async function warm(home: TestHome): Promise<string> {
      await home.serve();
      expect(await home.endpoint("hello")).toMatchObject({ status: 200 });
      return (await home.containers()).find((container) => container.function === "hello-dev")!.id;
    }

    test.concurrent("exec runs a program there: its streams apart, its input, its exit code", async (context) => {
      const { home } = await setUp(context);
      const id = await warm(home);
      const one = home.cli(["container", "exec", id.slice(0, 12), "--", "sh", "-c", 'echo "$GREETING"; echo err >&2; exit 7']);
      expect(await one.exited).toEqual({ code: 7, signal: null });
      expect([one.out(), one.err()]).toEqual(["hi\n", "err\n"]);

      const env = { ...INHERITED, SAMOVAR_HOME: home.home };
      const piped = await startExec({
        file: process.execPath,
        args: [SAMOVAR, "container", "exec", "-i", id, "--", "wc", "-c"],
        cwd: home.folder,
        env,
        terminal: null,
      });
      piped.stderr!.resume();
      piped.stdin.end(Buffer.alloc(3_000_000, "x"));
      expect((await text(piped.stdout)).trim()).toBe("3000000");
      expect(await piped.exited).toMatchObject({ code: 0 });

      const killed = home.cli(["container", "exec", id, "--", "sh", "-c", "kill -TERM $$"]);
      expect((await killed.exited).code).toBe(143);
      const missingProgram = home.cli(["container", "exec", id, "--", "no-such-program"]);
      expect((await missingProgram.exited).code).toBe(127);
      expect(missingProgram.err()).toContain('has no program "no-such-program"');
      const folder = home.cli(["container", "exec", id, "--", "/tmp"]);
      expect((await folder.exited).code).toBe(126);
      const withoutTerminal = home.cli(["container", "exec", "-t", id, "--", "ls"]);
      expect((await withoutTerminal.exited).code).toBe(1);
      expect(withoutTerminal.err()).toContain("A terminal is asked for");
      await home.endServer();
    });

    test.concurrent("Ctrl-C of exec without a terminal goes to the program", async (context) => {
      const { home } = await setUp(context);
      const id = await warm(home);
      const script = "process.on('SIGINT', () => { console.log('interrupted'); process.exit(5) }); console.log('ready'); setInterval(() => {}, 1e6)";
      const cli = home.cli(["container", "exec", id, "--", "node", "-e", script]);
      await cli.sees(/ready/);
      cli.kill("SIGINT");
      expect(await cli.exited).toEqual({ code: 5, signal: null });
      expect(cli.out()).toContain("interrupted");
      await home.endServer();
    });

    test.concurrent("shell is a terminal there: typing, sizes, Ctrl-C, Ctrl-D, and the one here as it was", async (context) => {
      const { home, terminal } = await setUp(context);
      await warm(home);
      // A shell that edits no lines, so that what is seen doesn't hang on when it draws its prompt anew.
      const shell = await terminal(["shell", "hello", "--cmd", "PS1='ready> ' exec sh -i"]);
      await shell.sees(/ready> /);
      shell.type('stty size; echo "$GREETING $TERM"\r');
      await shell.sees(/[\r\n]30 100\r\n/);
      await shell.sees(/hi xterm-256color\r\nready> /);
      shell.resize({ columns: 120, rows: 40 });
      shell.type("until [ \"$(stty size)\" = '40 120' ]; do :; done; echo resi''zed\r");
      await shell.sees(/resized\r\nready> /);
      // Told by what is to be interrupted: before that, Ctrl-C would come to the shell alone.
      shell.type("sh -c \"echo star''ted; exec sleep 600\"\r");
      await shell.sees(/started\r\n/);
      shell.type("\x03");
      await shell.sees(/ready> /);
      shell.type("(exit 9)\r");
      await shell.sees(/ready> /);
      shell.type("\x04");
      expect(await shell.ended()).toMatchObject({ code: 9, restored: true });
      await home.endServer();
    });

    test.concurrent("a shell whose server dies is over, with an error, and the terminal here as it was", async (context) => {
      const { home, terminal } = await setUp(context);
      await warm(home);
      const shell = await terminal(["shell", "hello"]);
      await shell.sees(PROMPT);
      process.kill(home.server.pid, "SIGKILL");
      const { code, restored, text: shown } = await shell.ended();
      expect([code, restored]).toEqual([1, true]);
      expect(shown).toContain("(server_unreachable)");
      // What ran there has lost its server, and ends by itself; the terminal's holder with it.
      await home.quiet();
    });

    test.concurrent("SIGTERM ends a shell and what runs in it, and leaves the terminal here as it was", async (context) => {
      const { home, terminal } = await setUp(context);
      await warm(home);
      const shell = await terminal(["shell", "hello", "--cmd", "echo read''y; exec sleep 600"]);
      await shell.sees(/ready\r\n/);
      shell.kill("SIGTERM");
      expect(await shell.ended()).toMatchObject({ code: 143, restored: true });
      await home.endServer();
    });

    test.concurrent("a container that ends takes the shell along, and it says why", async (context) => {
      const { home, terminal } = await setUp(context);
      const id = await warm(home);
      const shell = await terminal(["shell", id]);
      await shell.sees(PROMPT);
      await home.ok(["container", "stop", id, "--force"]);
      const { code, restored, text: shown } = await shell.ended();
      expect([code, restored]).toEqual([137, true]);
      expect(shown).toContain("The container has ended: stopped by hand");
      await home.endServer();
    });

    test.concurrent("shell FILE:NAME starts a container for itself, which is gone with it", async (context) => {
      const { home, terminal } = await setUp(context);
      const ambiguous = await terminal(["shell", "app.ts"]);
      expect((await ambiguous.ended()).code).toBe(1);
      const shell = await terminal(["shell", "app.ts:other"]);
      await shell.sees(PROMPT);
      shell.type('echo "$GREETING"; ls\r');
      await shell.sees(/other\r\n/);
      await shell.sees(PROMPT);
      shell.type("exit\r");
      expect(await shell.ended()).toMatchObject({ code: 0, restored: true });
      expect((await home.containers()).map(({ function: name, state }) => [name, state])).toEqual([["other", "ended"]]);
      const none = await terminal(["shell", "other"]);
      const { code, text: shown } = await none.ended();
      expect(code).toBe(1);
      expect(shown).toMatch(/No (function is named "other"|container of other lives)/);
      await home.endServer();
    });
  });
}
