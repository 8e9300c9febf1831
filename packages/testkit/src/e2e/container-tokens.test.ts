import { expect, test, type TestContext } from "vitest";
import { APP_LIFELINE } from "./lifelines.fixture.ts";
import { TestHome } from "./test-home.fixture.ts";

/** An app whose functions call by a client of their own, with the token of their container. */
const APP = (app: string, prefix: string): string => `
import { App, Client } from "samovar";
${APP_LIFELINE}
const app = new App(${JSON.stringify(app)});
export const ${prefix}Add = app.endpoint({}, (n) => n + 1);
export const ${prefix}Secret = app.fn({}, () => "seen");
export const ${prefix}Work = app.endpoint({ onStart: () => void lifeline("started") }, (n) => n);
export const ${prefix}Call = app.endpoint({}, async ({ name, kind, input }) => {
  using client = new Client();
  const target = client.app("any", { suffix: "-dev" })[name];
  return await target[kind](input).then((value) => ({ value: value ?? null }), (error) => ({ code: error.code }));
});
export const ${prefix}Token = app.endpoint({}, () => process.env.SAMOVAR_TOKEN);
export const ${prefix}Hours = app.endpoint({}, async (floor) => {
  await ${prefix}Work.keepWarm(floor);
  return ${prefix}Work.updateAutoscaler({ minContainers: 9, maxContainers: 1 }).catch((error) => error.code);
});
`;

async function createHome({ onTestFinished }: Pick<TestContext, "onTestFinished">): Promise<TestHome> {
  const home = await TestHome.create({ "one.ts": APP("one", "one"), "two.ts": APP("two", "two") });
  onTestFinished(() => home.dispose());
  await home.ok(["up", "-d", "--port", "0"]);
  return home;
}

test.concurrent("a client in a container reaches its own app and no other, and its token dies with the container", async (context) => {
  const home = await createHome(context);
  const [one, two] = await Promise.all([home.serve("one.ts"), home.serve("two.ts")]);
  const call = async (name: string, kind: string, input?: unknown): Promise<unknown> => (await home.endpoint("oneCall", { name, kind, input })).json;

  expect(await call("oneAdd", "request", 1)).toEqual({ value: 2 });
  expect(await call("oneSecret", "remote")).toEqual({ value: "seen" });
  expect(await call("twoAdd", "request", 1)).toEqual({ code: "forbidden" });
  expect(await call("twoSecret", "remote")).toEqual({ code: "forbidden" });
  expect(await call("twoWork", "keepWarm", 1)).toEqual({ code: expect.stringMatching(/^(forbidden|not_found)$/) });

  const { text: token } = await home.endpoint("oneToken");
  const withToken = (path: string, method = "POST"): Promise<number> =>
    home.call(path, method === "GET" ? undefined : 1, { method, token }).then(({ status }) => status);
  expect(await withToken("/endpoint/oneAdd-dev")).toBe(200);
  expect(await withToken("/endpoint/twoAdd-dev")).toBe(403);
  for (const path of ["/api/v1/tokens", "/api/v1/server"]) expect([path, await withToken(path, "GET")]).toEqual([path, 403]);
  // It ends when its session's containers are gone.
  one.kill("SIGINT");
  expect((await one.exited).code).toBe(0);
  expect(await withToken("/endpoint/twoAdd-dev")).toBe(401);
  two.kill("SIGINT");
  expect((await two.exited).code).toBe(0);
  await home.endServer();
});

test.concurrent("a function changes another's floor from inside its container", async (context) => {
  const home = await createHome(context);
  const serve = await home.serve("one.ts");
  // What is above the ceiling is refused where it is written; the floor before it stands.
  expect(await home.endpoint("oneHours", 2)).toMatchObject({ status: 200, text: "invalid_option" });
  await Promise.all([home.lifelines.next("started"), home.lifelines.next("started")]);
  // The same from outside, over HTTP.
  expect(await home.call("/api/v1/functions/oneWork-dev/scaling", { minContainers: 3 }, { method: "PATCH" })).toMatchObject({
    status: 200,
    json: { name: "oneWork-dev" },
  });
  await home.lifelines.next("started");
  expect((await home.endpoint("oneWork", 5)).json).toBe(5);
  serve.kill("SIGINT");
  expect((await serve.exited).code).toBe(0);
  await home.endServer();
});
