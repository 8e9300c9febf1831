import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { failOnLeaks, findProcesses } from "@samovar/testkit";
import { afterEach, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");

const folder = failOnLeaks();
// The embedded server ends after the command that started it, and nobody is told of the end of a process that is not his child.
afterEach(() => expect.poll(() => findProcesses(folder()), { timeout: 10_000 }).toEqual([]));

const [, ...commands] = readFileSync(join(import.meta.dirname, "transcript.txt"), "utf8")
  .trimEnd()
  .split(/^\$ /m);

test.each(commands.map((text) => text.trim().split("\n")))("%s", async (command, ...printed) => {
  const { stdout, stderr } = await promisify(execFile)("/bin/sh", ["-c", command!], {
    cwd: ROOT,
    env: {
      ...process.env,
      PATH: `${join(ROOT, "node_modules/.bin")}:${process.env.PATH}`,
      SAMOVAR_HOME: folder(),
      SAMOVAR_URL: undefined,
      SAMOVAR_TOKEN: undefined,
    },
  });
  // Results are on stdout, logs on stderr: each in its order.
  expect(stdout.trimEnd().split("\n")).toEqual(printed.filter((line) => !isLog(line)));
  expect(stderr.trimEnd().split("\n")).toEqual(printed.filter(isLog));
});

const isLog = (line: string): boolean => /^\[\w+ \w+\] /.test(line);
