import { afterEach, describe, expect, test } from "vitest";
import { ADMIN_TOKEN, FakeFunction } from "./fakes.fixture.ts";
import { RawClient, disposeGateways, startGateway } from "./gateway.fixture.ts";
import type { ExecUpgrade } from "./upgrade.ts";

afterEach(disposeGateways);

const EXEC = "/api/v1/containers/ct_1/exec";
const upgrade = (path: string, ...more: readonly string[]): string[] => [
  `GET ${path} HTTP/1.1`,
  ...(more.some((line) => line.startsWith("host:")) ? [] : ["host: localhost:8700"]),
  "connection: Upgrade",
  "upgrade: WebSocket",
  "sec-websocket-version: 13",
  "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
  ...more,
];

/** Switches, and sends back what it gets. */
const echoing: ExecUpgrade = (_req, socket, head, containerId) => {
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nx-container: ${containerId}\r\n\r\n`);
  socket.write(head);
  socket.pipe(socket);
};

describe("a WebSocket", () => {
  test.each([
    ["no browser", []],
    ["a page of the server's own", ["origin: http://localhost:8700"]],
    ["one behind a proxy", ["origin: https://samovar.example", "host: samovar.example"]],
  ])("of a program in a container, by %s, is given to its handler with what came behind the head", async (_, headers) => {
    const { port } = await startGateway([], { execUpgrade: echoing, hosts: ["samovar.example"] });
    const client = new RawClient(port).send(upgrade(`${EXEC}?x=1`, ...headers), "early");
    expect(await client.until(/early$/)).toMatch(/^HTTP\/1.1 101 .*x-container: ct_1\r\n/s);
    client.send("late");
    await client.until(/late$/);
  });

  test.each([
    ["a page of another site", EXEC, ["origin: https://evil.example"], 403],
    ["a page of a function's host", EXEC, ["origin: http://predict.localhost:8700"], 403],
    ["a page of another port", EXEC, ["origin: http://localhost:3000"], 403],
    ["a page in a sandbox", EXEC, ["origin: null"], 403],
    ["a name that is not the server's", EXEC, ["host: evil.example"], 403],
    ["a function's host", EXEC, ["host: predict.localhost"], 404],
    ["two hosts", EXEC, ["host: localhost", "host: evil.example"], 400],
    ["another path", "/endpoint/predict", [], 404],
    ["another path of the control API", "/api/v1/containers/ct_1", [], 404],
    ["a path with more in it", "/api/v1/containers/a/b/exec", [], 404],
  ])("by %s is refused with a problem, and its connection closed", async (_, path, headers, status) => {
    let given = 0;
    const { port } = await startGateway([new FakeFunction()], { execUpgrade: () => void given++ });
    const text = await new RawClient(port).send(upgrade(path, ...headers, `authorization: Bearer ${ADMIN_TOKEN}`)).closed();
    expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} .*application/problem\\+json.*connection: close\r\n`, "s"));
    expect(given).toBe(0);
  });

  test("is refused while draining, and where no programs are run; a handler that throws is an internal problem", async () => {
    const without = await startGateway([]);
    expect(await new RawClient(without.port).send(upgrade(EXEC)).closed()).toMatch(/^HTTP\/1.1 501 .*"unsupported"/s);
    const throwing = await startGateway([], {
      execUpgrade: () => {
        throw new Error("secret");
      },
    });
    const text = await new RawClient(throwing.port).send(upgrade(EXEC)).closed();
    expect([text.startsWith("HTTP/1.1 500 "), text.includes("secret")]).toEqual([true, false]);
    const { port, gateway } = await startGateway([], { execUpgrade: echoing });
    gateway.drain();
    expect(await new RawClient(port).send(upgrade(EXEC)).closed()).toMatch(/^HTTP\/1.1 503 .*"shutting_down"/s);
  });

  test("ends with the gateway", async () => {
    const { port, gateway } = await startGateway([], { execUpgrade: echoing });
    const client = new RawClient(port).send(upgrade(EXEC));
    await client.until(/101/);
    await gateway.dispose({ graceMs: 0 });
    expect(await client.closed()).toMatch(/^HTTP\/1.1 101 /);
  });
});

test("its path without an upgrade asks for one", async () => {
  const { request } = await startGateway([], { execUpgrade: echoing });
  const response = await request(EXEC);
  expect([response.status, response.headers.get("upgrade"), response.headers.get("content-type")]).toEqual([426, "websocket", "application/problem+json"]);
});

test("another protocol that a client offers is not taken up: the request is served as it is", async () => {
  const { port } = await startGateway([new FakeFunction()]);
  const client = new RawClient(port).send(
    [
      "POST /endpoint/predict HTTP/1.1",
      "host: localhost",
      `authorization: Bearer ${ADMIN_TOKEN}`,
      "connection: Upgrade, HTTP2-Settings",
      "upgrade: h2c",
      "http2-settings: x",
      "content-length: 2",
    ],
    "42",
  );
  expect(await client.until(/42$/)).toMatch(/^HTTP\/1.1 200 /);
});

test("CONNECT is refused with a problem", async () => {
  const { port } = await startGateway([]);
  expect(await new RawClient(port).send(["CONNECT evil.example:443 HTTP/1.1", "host: evil.example:443"]).closed()).toMatch(
    /^HTTP\/1.1 405 .*application\/problem\+json.*this is no proxy/s,
  );
});
