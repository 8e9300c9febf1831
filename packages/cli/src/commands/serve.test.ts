import { appendFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock, type Clock } from "@samovar/kit";
import { afterEach, expect, test, vi } from "vitest";
import { runCli } from "../run-cli.ts";
import { NOTHING_TO_CHECK, createTestIo, type TestIo } from "../test-io.fixture.ts";

// Servers, bundles and containers: on a machine that is busy with other things that takes its time.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const made: TestIo[] = [];
afterEach(() => {
  for (const io of made.splice(0)) io.remove();
});

const app = (body: string, top = ""): string =>
  `import { endpoint } from "samovar";\n${top}\nexport const hello = endpoint({ authorized: false }, async () => (${body}));\n`;

interface Project {
  readonly clock?: Clock;
  /** Whether its types are checked. */
  readonly types?: boolean;
}

function create(source: string, { clock = systemClock, types = false }: Project = {}): TestIo {
  const io = createTestIo({ env: { SAMOVAR_LOG_LEVEL: "warn" }, clock });
  made.push(io);
  if (!types) writeFileSync(join(io.folder, "tsconfig.json"), NOTHING_TO_CHECK);
  writeFileSync(join(io.folder, "app.ts"), source);
  return io;
}

const call = async (url: string): Promise<unknown> =>
  (await fetch(url, { method: "POST", body: "{}", headers: { "content-type": "application/json" } })).json();

test("an edit is served under the same URL; an error in one is shown and the last good code goes on", async () => {
  const io = create(app("{ v: 1 }"), { types: true });
  const edit = (source: string): void => writeFileSync(join(io.folder, "app.ts"), source);
  const serving = runCli(["serve", "app.ts"], io);
  const [, url] = await io.sees(/(http:\S+\/endpoint\/hello-dev)\n/);
  expect(await call(url!)).toEqual({ v: 1 });

  edit(app("{ v: 2 }"));
  await io.sees(/Reloaded app\.ts as version 2/);
  expect(await call(url!)).toEqual({ v: 2 });

  edit(app("{ v: "));
  await io.sees(/bundle_failed[\s\S]*The last good code goes on serving/);
  expect(await call(url!)).toEqual({ v: 2 });

  edit(app("{ v: 3 }", 'throw new Error("top level");'));
  await io.sees(/load_failed[\s\S]*top level[\s\S]*The last good code goes on serving/);
  expect(await call(url!)).toEqual({ v: 2 });

  edit(app("{ v: 4 as unknown as string satisfies number }"));
  await io.sees(/Reloaded app\.ts as version 3/);
  await io.sees(/TS\d+[\s\S]*Type errors don't stop/);
  expect(await call(url!)).toEqual({ v: 4 });

  io.signal("SIGINT");
  expect({ code: await serving, err: io.err() }).toEqual({ code: 0, err: expect.any(String) });
  // Its server ends after it: down returns when there is none.
  await runCli(["down"], io);
  await expect(call(url!)).rejects.toThrow("fetch failed");
});

test("files that travel with the code are watched too, and the line of curl works", async () => {
  const io = create(app('{ text: readFileSync(new URL("./data.txt", import.meta.url), "utf8") }', 'import { readFileSync } from "node:fs";'));
  writeFileSync(join(io.folder, "package.json"), '{ "name": "files" }');
  writeFileSync(join(io.folder, ".samovarignore"), "home\n");
  writeFileSync(join(io.folder, "data.txt"), "one");
  const serving = runCli(["serve", "app.ts"], io);
  const [, url] = await io.sees(/curl -N .* '(http:\S+\/endpoint\/hello-dev)'\n/);
  expect(await call(url!)).toEqual({ text: "one" });
  writeFileSync(join(io.folder, "data.txt"), "two");
  await io.sees(/Reloaded/);
  expect(await call(url!)).toEqual({ text: "two" });
  io.signal("SIGINT");
  expect(await serving).toBe(0);
});

test("output that is redirected into the app's folder is no change of the app", async () => {
  const io = create(app("{ v: 1 }"));
  writeFileSync(join(io.folder, "package.json"), '{ "name": "redirected" }');
  const file = join(io.folder, "serve.out");
  writeFileSync(file, "");
  const write = (chunk: string | Uint8Array): void => {
    appendFileSync(file, chunk);
    io.stdout.write(chunk);
  };
  const serving = runCli(["serve", "app.ts"], { ...io, stdout: { write }, outputFiles: [statSync(file)] });
  await io.sees(/Serving app\.ts as version 1/);
  for (const v of [2, 3]) {
    writeFileSync(join(io.folder, "app.ts"), app(`{ v: ${v} }`));
    await io.sees(new RegExp(`Reloaded app\\.ts as version ${v}`));
  }
  io.signal("SIGINT");
  expect(await serving).toBe(0);
  expect(io.out().match(/Reloaded/g)).toHaveLength(2);
});

test("a file that changes with every reload is named after a while, and not reloaded for any more", async () => {
  // How often is too often is a matter of time: a busy machine must not be too slow for it.
  const io = create(app("{ v: 1 }"), { clock: { ...systemClock, monotonic: () => systemClock.monotonic() / 100 } });
  writeFileSync(join(io.folder, "package.json"), '{ "name": "circle" }');
  writeFileSync(join(io.folder, ".samovarignore"), "home\n");
  const write = (chunk: string | Uint8Array): void => {
    appendFileSync(join(io.folder, "tool.txt"), chunk);
    io.stdout.write(chunk);
  };
  const serving = runCli(["serve", "app.ts"], { ...io, stdout: { write } });
  await io.sees(/tool\.txt changed again and again, .*\.samovarignore/);
  const version = Number(/as version (\d+).*\n$/.exec(io.out())![1]);
  writeFileSync(join(io.folder, "app.ts"), app("{ v: 2 }"));
  await io.sees(new RegExp(`Reloaded app\\.ts as version ${version + 1}`));
  io.signal("SIGINT");
  expect(await serving).toBe(0);
});

test("it ends by itself when nothing happens", async () => {
  const io = create(app("1"));
  expect(await runCli(["serve", "app.ts", "--timeout", "1500ms"], io)).toBe(0);
  expect(io.err()).toContain("Nothing happened for 1.5 s: ended. --timeout 0 keeps it");
});

test("a name that another session serves ends it: no edit mends that", async () => {
  const io = create(app("1"));
  const serving = runCli(["serve", "app.ts"], io);
  await io.sees(/Serving app\.ts/);
  const second = create(app("2"));
  expect(await runCli(["serve", "app.ts"], { ...second, env: { ...second.env, SAMOVAR_HOME: io.env.SAMOVAR_HOME } })).toBe(1);
  expect(second.err()).toMatch(/error \(conflict\).*hello-dev/);
  io.signal("SIGINT");
  expect(await serving).toBe(0);
});

test("an error in the first build waits for the edit that mends it", async () => {
  const io = create("export const = 1;\n");
  const serving = runCli(["serve", "app.ts:hello"], io);
  await io.sees(/bundle_failed[\s\S]*Waiting for an edit/);
  writeFileSync(join(io.folder, "app.ts"), app("1").replaceAll("hello", "hallo"));
  await io.sees(/has no function "hello"[\s\S]*Did you mean hallo/);
  writeFileSync(join(io.folder, "app.ts"), app("1"));
  await io.sees(/Serving app\.ts/);
  io.signal("SIGINT");
  expect(await serving).toBe(0);
  expect(readFileSync(join(io.folder, "app.ts"), "utf8")).toBe(app("1"));
});

test("a server that is stopped ends it with an error", async () => {
  const io = create(app("1"));
  const serving = runCli(["serve", "app.ts"], io);
  await io.sees(/Serving app\.ts/);
  expect(await runCli(["down"], io)).toBe(0);
  expect(await serving).toBe(1);
  expect(io.err()).toContain("The server ended the session");
});
