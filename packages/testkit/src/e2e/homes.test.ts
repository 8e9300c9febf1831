import { createServer, type AddressInfo } from "node:net";
import { expect, test, type TestContext } from "vitest";
import { TestHome } from "./test-home.fixture.ts";

const APP = `
import { fn } from "samovar";
export const add = fn({}, async (n) => n + 1);
`;

async function withHome({ onTestFinished }: Pick<TestContext, "onTestFinished">, run: (home: TestHome) => Promise<void>): Promise<void> {
  const home = await TestHome.create({ "app.ts": APP });
  onTestFinished(() => home.dispose());
  await run(home);
  await home.quiet();
  expect(await home.leaks()).toEqual([]);
}

test.concurrent("a port in use is told with what to do, and the home is free again", (context) =>
  withHome(context, async (home) => {
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, "127.0.0.1", resolve));
    const { port } = holder.address() as AddressInfo;
    for (const detached of [["-d"], []]) {
      const up = home.cli(["up", ...detached, "--port", String(port)]);
      expect((await up.exited).code).toBe(1);
      expect(up.err()).toMatch(new RegExp(`error \\(port_in_use\\): .*${port}[\\s\\S]*--port`));
    }
    // Another port: this one may be somebody else's as soon as it is let go.
    await home.ok(["up", "-d", "--port", "0"]);
    holder.close();
    await home.ok(["down"]);
  }));

test.concurrent("a second server on a home is refused with the first one's name, which goes on", (context) =>
  withHome(context, async (home) => {
    await home.ok(["up", "-d", "--port", "0"]);
    const first = home.server;
    const second = home.cli(["up", "--port", "0"]);
    expect((await second.exited).code).toBe(1);
    expect(second.err()).toMatch(new RegExp(`home_locked.*${first.pid}|${first.url}`));
    expect(home.server).toEqual(first);
    expect((await home.call("/readyz", undefined, { method: "GET" })).status).toBe(200);
    await home.ok(["down"]);
  }));

test.concurrent("commands that race for an empty home share one embedded server, which ends after the last", (context) =>
  withHome(context, async (home) => {
    const racers = [1, 2, 3].map((n) => home.cli(["run", "app.ts:add", "--input", String(n)]));
    const exits = await Promise.all(racers.map((racer) => racer.exited));
    // What is slow may be noted; a command that failed says so in a line that begins with it.
    for (const racer of racers) expect(racer.err()).not.toMatch(/^error/m);
    expect(racers.map((racer, i) => ({ ...exits[i], out: racer.out() }))).toEqual([2, 3, 4].map((n) => ({ code: 0, signal: null, out: `${n}\n` })));
  }));

test.concurrent("two servers that race for a home: one has it, the other says who", (context) =>
  withHome(context, async (home) => {
    const racers = [home.cli(["up", "-d", "--port", "0"]), home.cli(["up", "-d", "--port", "0"])];
    const codes = (await Promise.all(racers.map((racer) => racer.exited))).map(({ code }) => code);
    // The slower one may already find the other and have nothing to do.
    expect(codes).toContain(0);
    const loser = racers[codes.indexOf(1)];
    if (loser) expect(loser.err()).toContain("home_locked");
    expect(JSON.parse(await home.ok(["status", "--json"]))).toMatchObject({ pid: home.server.pid });
    await home.ok(["down"]);
  }));
