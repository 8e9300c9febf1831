import { expect, test } from "vitest";
import { Client } from "./client.ts";
import { isOwnServer, readCredentials } from "./credentials.ts";

const env = { SAMOVAR_URL: "http://127.0.0.1:1", SAMOVAR_TOKEN: "ours" };

test("the environment says which server, and as whom", () => {
  expect(readCredentials({}, env)).toEqual({ url: env.SAMOVAR_URL, token: "ours" });
  expect(readCredentials({ token: "mine" }, env)).toEqual({ url: env.SAMOVAR_URL, token: "mine" });
  expect(readCredentials({}, { SAMOVAR_URL: env.SAMOVAR_URL, SAMOVAR_TOKEN: "" })).toEqual({ url: env.SAMOVAR_URL, token: undefined });
});

test("the environment's token goes to no other server", () => {
  expect(readCredentials({ url: "http://elsewhere" }, env)).toEqual({ url: "http://elsewhere", token: undefined });
  expect(readCredentials({ url: env.SAMOVAR_URL }, env)).toEqual({ url: env.SAMOVAR_URL, token: undefined });
});

test("without any a client says what to write", () => {
  expect(() => readCredentials({}, { SAMOVAR_TOKEN: "ours" })).toThrow(expect.objectContaining({ code: "invalid_option" }));
  expect(() => new Client({ url: "127.0.0.1:8700" }).close()).not.toThrow();
});

test("a container's own server is the environment's, and no other", () => {
  const env = { SAMOVAR_URL: "http://127.0.0.1:8700" };
  expect([isOwnServer("http://127.0.0.1:8700", env), isOwnServer("http://127.0.0.1:8701", env), isOwnServer("http://127.0.0.1:8700", {})]).toEqual([
    true,
    false,
    false,
  ]);
});
