import { afterEach, expect, test } from "vitest";
import { FakeFunction } from "./fakes.fixture.ts";
import { disposeGateways, startGateway } from "./gateway.fixture.ts";

afterEach(disposeGateways);

test("a JSON call reaches the pool as it came, and the answer says where it ran", async () => {
  const predict = new FakeFunction();
  const { request } = await startGateway([predict]);
  const response = await request("/endpoint/predict", { method: "POST", body: '{"text":"hi"}', headers: { "content-type": "application/json" } });
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({ text: "hi" });
  expect(Object.fromEntries(response.headers)).toMatchObject({
    "content-type": "application/json",
    "x-samovar-task-id": "tk_1",
    "x-samovar-container-id": "ct_1",
    "x-samovar-version": "1",
    "x-samovar-cold-start": "0",
    "server-timing": expect.stringMatching(/^queue;dur=0.25, exec;dur=[\d.]+, total;dur=[\d.]+$/),
  });
});
