import { afterEach, expect, test } from "vitest";
import { runCli } from "./run-cli.ts";
import { createTestIo, type TestIo, type TestIoOptions } from "./test-io.fixture.ts";
import { CLI_VERSION } from "./version.ts";

const made: TestIo[] = [];
const create = (options?: TestIoOptions): TestIo => {
  const io = createTestIo(options);
  made.push(io);
  return io;
};
afterEach(() => {
  for (const io of made.splice(0)) io.remove();
});

test("--version prints the version and nothing else", async () => {
  const io = create();
  expect(await runCli(["--version"], io)).toBe(0);
  expect(io.out()).toBe(`${CLI_VERSION}\n`);
});

test("without a command the help is shown", async () => {
  const io = create();
  expect(await runCli([], io)).toBe(0);
  expect(io.out()).toContain("Usage: samovar");
});

test.each([[["container", "exec"]], [["container"]], [["logs"]], [["token", "delete"]]])("help of %j is what it says with --help", async (names) => {
  const [asked, flagged] = [create(), create()];
  expect(await runCli([...names, "--help"], flagged)).toBe(0);
  expect(await runCli(["help", ...names], asked)).toBe(0);
  expect(asked.out()).toBe(flagged.out());
  expect(asked.out()).toMatch(/^Usage: samovar /);
});

test("help of a command runs nothing, whatever stands behind its name", async () => {
  const io = create();
  expect(await runCli(["help", "logs", "predict"], io)).toBe(0);
  expect(io.out()).toContain("Usage: samovar logs");
});

test.each([
  [["help", "statsu"], /unknown command 'statsu'\n\(Did you mean status\?\)/],
  [["help", "container", "lsit"], /unknown command 'lsit'\n\(Did you mean list\?\)/],
  [["statsu"], /unknown command 'statsu'\n\(Did you mean status\?\)/],
  [["run", "app.ts", "--inptu", "1"], /unknown option '--inptu'\n\(Did you mean --input\?\)/],
  [["container", "lsit"], /unknown command 'lsit'\n\(Did you mean list\?\)/],
  [["up", "--port", "http"], /'http' is invalid.*number from 0 to 65535/],
  [["serve", "app.ts", "--timeout", "soon"], /'soon' is invalid.*such as 30s or 5m/],
  [["run", "app.ts", "--env", "A"], /'A' is invalid.*NAME=VALUE/],
  [["logs", "--tail", "-3"], /-3|invalid/],
  [["run"], /missing required argument 'target'/],
])("%j is a usage error: exit code 1, what is wrong, and where help is", async (argv, expected) => {
  const io = create();
  expect(await runCli(argv, io)).toBe(1);
  expect(io.err()).toMatch(expected);
  expect(io.err()).toContain("samovar COMMAND --help");
  expect(io.out()).toBe("");
});

test("a SAMOVAR_URL that is none is told as such", async () => {
  const io = create({ env: { SAMOVAR_URL: "localhost:8700" } });
  expect(await runCli(["ps"], io)).toBe(1);
  expect(io.err()).toContain('SAMOVAR_URL is not an http or https address: "localhost:8700"');
});
