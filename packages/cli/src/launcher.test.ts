import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { CLI_VERSION } from "./version.ts";

const LAUNCHER = fileURLToPath(new URL("../bin/samovar.js", import.meta.url));
const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A Node that is too old to run the command itself, where this machine has one. */
function findOldNode(): string | undefined {
  return (process.env.PATH ?? "")
    .split(delimiter)
    .map((dir) => join(dir, "node"))
    .find((candidate) => {
      try {
        return Number(execFileSync(candidate, ["-p", "process.versions.node.split('.')[0]"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] })) < 26;
      } catch {
        return false;
      }
    });
}
const oldNode = findOldNode();

async function run(
  node: string,
  launcher: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(node, [launcher, ...args], { stdio: ["ignore", "pipe", "pipe"], env });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, out, err };
}

test("on Node 26 it becomes the command", async () => {
  expect(await run(process.execPath, LAUNCHER, ["--version"])).toEqual({ code: 0, out: `${CLI_VERSION}\n`, err: "" });
});

// Needs an older Node beside Node 26 on the path; Debian's `nodejs` package is one.
describe.skipIf(oldNode === undefined)("on an older Node", () => {
  test("it finds the Node that npm installed, and passes the exit code on", async () => {
    expect(await run(oldNode!, LAUNCHER, ["--version"])).toEqual({ code: 0, out: `${CLI_VERSION}\n`, err: "" });
    expect((await run(oldNode!, LAUNCHER, ["nope"])).code).toBe(1);
  });

  test("where there is none it says what to install", async () => {
    const folder = mkdtempSync(join(tmpdir(), "samovar-launcher-"));
    folders.push(folder);
    mkdirSync(join(folder, "bin"));
    cpSync(join(LAUNCHER, "..", "package.json"), join(folder, "bin", "package.json"));
    cpSync(LAUNCHER, join(folder, "bin", "samovar.js"));
    const { code, err } = await run(oldNode!, join(folder, "bin", "samovar.js"), ["--version"]);
    expect(code).toBe(1);
    expect(err).toMatch(/^error: Samovar runs on Node 26, this is v\d+.*\n {2}→ Run `npm install node-\S+@26` beside Samovar, or install Node 26 or later\n$/);
  });

  test("a signal to it reaches the command, once", async () => {
    const home = mkdtempSync(join(tmpdir(), "samovar-launcher-"));
    folders.push(home);
    const child = spawn(oldNode!, [LAUNCHER, "up", "--port", "0"], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, SAMOVAR_HOME: home, SAMOVAR_LOG_LEVEL: "silent" },
    });
    let err = "";
    child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
    await once(child.stdout, "data");
    child.kill("SIGINT");
    const [code] = (await once(child, "close")) as [number | null];
    expect({ code, err }).toEqual({ code: 0, err: expect.stringContaining("Ctrl-C again ends it at once") });
  });
});
