import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify, stripVTControlCharacters } from "node:util";
import { failOnLeaks, findProcesses } from "@samovar/testkit";
import { expect, test } from "vitest";

const SCRIPT = fileURLToPath(new URL("quickstart.ts", import.meta.url));
const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const folder = failOnLeaks();

test("the quick start shows a cold and a warm call, a fan-out, a stream and every container's life, and leaves nothing behind", async () => {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ["--conditions=samovar-source", SCRIPT], {
    cwd: ROOT,
    env: { ...process.env, TMPDIR: folder() },
  });
  const shown = stripVTControlCharacters(stdout);

  expect(stderr).toBe("");
  expect(shown).toMatch(/cold +[\d.]+ ms +x-samovar-cold-start: 1 +server-timing: queue;dur=.*create;dur=.*load;dur=.*start;dur=.*exec;dur=/);
  expect(shown).toMatch(/warm × 20 +[\d.]+ ms +x-samovar-cold-start: 0 +server-timing: queue;dur=/);
  expect(shown).toContain("July 1862 (date)");
  expect(shown).toMatch(/mood of the 12 chapters +[▁▂▃▄▅▆▇█]{12}\n/);
  expect(shown).toMatch(/the Hatter, streamed:\n(?: +[☺☹·] .+Hatter.*\n| +[☺☹·] .+\n){3}/);

  const lives = shown
    .slice(shown.indexOf("See what each container did"))
    .split(/^ {2}(?=\S+ ct_)/m)
    .slice(1);
  expect(lives.map((life) => life.split(" ")[0])).toEqual(expect.arrayContaining(["analyze-dev", "readChapter", 'biographer["Hatter"]']));
  for (const life of lives) expect(life).toMatch(/Start .*\n +create .*\n +load .*\n +start load\w+ [^]*ready .*[^]*End .*\n +drain .*[^]*exit /);
  expect(lives.find((life) => life.startsWith("biographer"))).toMatch(/start loadModel [^]*start readBook [^]*stop close /);
  expect(shown.trimEnd().split("\n").length).toBeLessThan(75);

  expect((await readdir(folder())).filter((name) => name.startsWith("samovar-"))).toEqual([]);
  // The embedded server's last act is seen, its end can't be: nobody is told of the end of a process that is not his child.
  await expect.poll(() => findProcesses(folder()), { timeout: 60_000 }).toEqual([]);
});
