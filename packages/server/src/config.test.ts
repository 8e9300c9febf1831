import { homedir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { DEFAULT_PORT, MAX_BODY_BYTES, SamovarError } from "@samovar/protocol";
import { parseServerConfig } from "./config.ts";

test("an empty environment gives the defaults", () => {
  expect(parseServerConfig({ PATH: "/bin" })).toEqual({
    home: join(homedir(), ".samovar"),
    host: "127.0.0.1",
    port: DEFAULT_PORT,
    hosts: [],
    driver: "auto",
    gpus: null,
    embedded: false,
    logLevel: "info",
    maxBodyBytes: MAX_BODY_BYTES,
    maxConnections: 4_096,
    callbackAllow: [],
    callbackDeny: [],
  });
});

test("each variable is read", () => {
  const env = {
    SAMOVAR_HOME: "relative/home",
    SAMOVAR_HOST: "0.0.0.0",
    SAMOVAR_PORT: "0",
    SAMOVAR_DRIVER: "process",
    SAMOVAR_HOSTS: " a.example, ,b.example ",
    SAMOVAR_GPUS: "T4:16384",
    SAMOVAR_EMBEDDED: "1",
    SAMOVAR_LOG_LEVEL: "silent",
    SAMOVAR_MAX_BODY: "2Mi",
    SAMOVAR_MAX_CONNECTIONS: "100",
    SAMOVAR_CALLBACK_ALLOW: "localhost, 127.0.0.0/8, 169.254.169.254,fd00::/8, *.example.com",
    SAMOVAR_CALLBACK_DENY: "10.0.0.0/8,",
  };
  expect(parseServerConfig(env)).toEqual({
    home: join(process.cwd(), "relative/home"),
    host: "0.0.0.0",
    port: 0,
    hosts: ["a.example", "b.example"],
    driver: "process",
    gpus: "T4:16384",
    embedded: true,
    logLevel: "silent",
    maxBodyBytes: 2 * 1024 * 1024,
    maxConnections: 100,
    callbackAllow: ["localhost", "127.0.0.0/8", "169.254.169.254", "fd00::/8", "*.example.com"],
    callbackDeny: ["10.0.0.0/8"],
  });
});

test("every mistake is named at once, with the value seen", () => {
  const parse = (): unknown => parseServerConfig({ SAMOVAR_PORT: "http", SAMOVAR_DRIVER: "docker", SAMOVAR_EMBEDDED: "yes" });
  expect(parse).toThrow(SamovarError);
  for (const part of ['SAMOVAR_PORT: .*"http"', 'SAMOVAR_DRIVER: .*"docker"', 'SAMOVAR_EMBEDDED: .*"yes"']) expect(parse).toThrow(new RegExp(part));
});

test.each([
  ["SAMOVAR_PORT", "65536"],
  ["SAMOVAR_PORT", "1.5"],
  ["SAMOVAR_MAX_BODY", "lots"],
  ["SAMOVAR_MAX_CONNECTIONS", "0"],
  ["SAMOVAR_LOG_LEVEL", "loud"],
  ["SAMOVAR_CALLBACK_ALLOW", "10.0.0.1/8"],
  ["SAMOVAR_CALLBACK_DENY", "http://example.com"],
])("%s=%s is refused by name", (name, value) => {
  expect(() => parseServerConfig({ [name]: value })).toThrow(expect.objectContaining({ code: "invalid_option", message: expect.stringContaining(name) }));
});
