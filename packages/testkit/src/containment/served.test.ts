import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { needDebianPackage } from "../debian-packages.ts";
import type { CliProcess } from "../e2e/cli-process.fixture.ts";
import { TestHome } from "../e2e/test-home.fixture.ts";

const APP = `
import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { connect } from "node:net";
import { endpoint } from "samovar";

export const echo = endpoint({ concurrency: 10 }, async (input) => input);
export const bomb = endpoint({}, async () => {
  for (let count = 0; count < 100_000; count++) await once(spawn("sleep", ["600"], { stdio: "ignore" }), "spawn");
});
export const gulp = endpoint({ memory: "160Mi" }, async () => Buffer.alloc(1 << 30, 1).length);
export const slowly = endpoint({ memory: "160Mi" }, async () => {
  for (const kept = []; ; ) {
    kept.push(Buffer.alloc(1 << 20, 1));
    await new Promise((turn) => setImmediate(turn));
  }
});
export const fill = endpoint({ disk: "64Mi" }, async () => {
  const before = fs.existsSync("filled");
  fs.writeFileSync("filled", "");
  if (!before) for (const chunk = Buffer.alloc(1 << 20); ; ) fs.appendFileSync("filled", chunk);
});
export const read = endpoint({}, async (path) => {
  try {
    return fs.statSync(path).isDirectory() ? fs.readdirSync(path).join(" ") : fs.readFileSync(path, "utf8");
  } catch (error) {
    return error.code;
  }
});
export const garbage = endpoint({}, async ({ path, text }) => {
  const socket = connect(path);
  socket.on("error", () => {});
  await once(socket, "connect");
  socket.write(Buffer.from(text, "base64"));
  await once(socket, "close");
  return "closed";
});
export const built = endpoint(
  {
    onBuild: async () => {
      fs.mkdirSync("lib");
      fs.writeFileSync("lib/kept", "kept");
      fs.symlinkSync(".", "lib/here");
      fs.symlinkSync("..", "lib/up");
      fs.symlinkSync("kept", "lib/inside");
      fs.symlinkSync(SECRET, "absolute");
      fs.symlinkSync("../../../../../../../../.." + SECRET, "climbing");
      fs.symlinkSync("lib/up/lib/up/lib/up/lib/up/../../..", "winding");
      fs.mkdirSync("node_modules.real");
    },
  },
  async () => fs.readdirSync(".").concat(fs.readdirSync("lib"), fs.readFileSync("lib/inside", "utf8")).join(" "),
);
`;

const without = process.platform !== "linux" || process.getuid?.() !== 0 ? "needs root on Linux" : await needDebianPackage("runc");

// Skipped where runc can't be had, with the reason in its name.
describe.skipIf(without !== null)(`a server of real containers${without === null ? "" : ` (${without})`}`, () => {
  let home: TestHome;
  let serve: CliProcess;
  beforeAll(async () => {
    home = await TestHome.create();
    await writeFile(join(home.folder, "secret"), "secret of the host");
    home.write("app.ts", APP.replaceAll("SECRET", JSON.stringify(join(home.folder, "secret"))));
    await home.ok(["up", "-d", "--port", "0", "--driver", "oci"]);
    serve = await home.serve();
  });
  afterAll(async () => {
    serve?.kill("SIGINT");
    await serve?.exited;
    await home?.endServer();
  });

  const expectUndisturbed = async (): Promise<void> => expect((await home.endpoint("echo", "still here")).text).toBe("still here");

  test("tells a fork bomb why it can't go on, while others are answered", async () => {
    const bombing = home.endpoint("bomb");
    await expectUndisturbed();
    expect(await bombing).toMatchObject({ status: 500, json: { code: "handler_error", detail: expect.stringContaining("EAGAIN") } });
    await expectUndisturbed();
  });

  test.each(["gulp", "slowly"])("tells that memory was the reason: %s", async (name) => {
    const eating = home.endpoint(name);
    await expectUndisturbed();
    expect(await eating).toMatchObject({ status: 502, json: { code: "container_lost", reason: "oom" } });
    await expectUndisturbed();
  });

  test("tells that a disk is full, and gives it back with its container", async (context) => {
    const { driver } = (await home.call("/api/v1/server", undefined, { method: "GET" })).json;
    if (driver.capabilities.diskLimit !== "enforced") context.skip("needs diskLimit enforced");
    expect(await home.endpoint("fill")).toMatchObject({ status: 500, json: { code: "handler_error", detail: expect.stringContaining("ENOSPC") } });
    await expectUndisturbed();
  });

  test("keeps its own files, token and database to itself", async () => {
    const secret = join(home.folder, "secret");
    // The way to its compile cache, which it has at the same place, and nothing beside it.
    expect((await home.endpoint("read", home.home)).text).toBe("cache");
    for (const path of [
      secret,
      join(home.home, "admin-token"),
      join(home.home, "samovar.db"),
      join(home.home, "containers"),
      `/proc/${home.server.pid}/environ`,
    ])
      expect((await home.endpoint("read", path)).text).toBe("ENOENT");
    expect((await home.endpoint("read", "/proc/self/environ")).text).not.toContain(home.token);
    expect((await home.endpoint("read", "/samovar")).text.split(" ").toSorted()).toEqual(expect.arrayContaining(["bin", "code", "runner.mjs", "server"]));
  });

  test("closes a connection on which a container sends what is no frame, or says that it is another one", async () => {
    const hello = Buffer.from('{"containerId":"ct_other","token":"guessed"}');
    for (const bytes of [Buffer.alloc(64, 0xff), Buffer.from("GET / HTTP/1.1\r\n\r\n"), Buffer.concat([Buffer.from([0, 0, 0, hello.length]), hello])]) {
      expect((await home.endpoint("garbage", { path: "/samovar/server/sock", text: bytes.toString("base64") })).text).toBe("closed");
      await expectUndisturbed();
    }
  });

  test("keeps of a build what is its own, and no link that leads out", async () => {
    expect((await home.endpoint("built")).text.split(" ").toSorted()).toEqual(expect.arrayContaining(["here", "inside", "kept", "kept", "lib", "up"]));
    const { text } = await home.endpoint("built");
    for (const name of ["absolute", "climbing", "winding"]) expect(text).not.toContain(name);
  });
});
