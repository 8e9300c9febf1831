import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { failOnLeaks } from "@samovar/testkit";
import { afterEach, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");

const folder = failOnLeaks();
// The embedded server ends a moment after the command that started it: this returns when it is gone.
afterEach(async () => {
  await shell("samovar down");
});

const [, ...commands] = readFileSync(join(import.meta.dirname, "transcript.txt"), "utf8")
  .trimEnd()
  .split(/^\$ /m);

test.each(commands.map((text) => text.trim().split("\n")))("%s", async (command, ...printed) => {
  const { stdout, stderr } = await shell(command!);
  // Results are on stdout, logs on stderr: each in its order.
  expect(stdout.trimEnd().split("\n")).toEqual(printed.filter((line) => !isLog(line)));
  expect(stderr.trimEnd().split("\n")).toEqual(printed.filter(isLog));
});

const isLog = (line: string): boolean => /^\[\w+ \w+\] /.test(line);

/** A command line at the root of the repository, with `samovar` on the path and a home of its own. */
function shell(command: string): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const path = `${join(ROOT, "node_modules/.bin")}:${process.env.PATH}`;
  const env = { ...process.env, PATH: path, SAMOVAR_HOME: folder(), SAMOVAR_URL: undefined, SAMOVAR_TOKEN: undefined };
  return promisify(execFile)("/bin/sh", ["-c", command], { cwd: ROOT, env });
}
