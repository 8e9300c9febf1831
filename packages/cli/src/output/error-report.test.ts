import { expect, test } from "vitest";
import { SamovarError } from "@samovar/protocol";
import { createColors } from "./colors.ts";
import { renderError, UserCodeError } from "./error-report.ts";

const show = (error: unknown, debug = false): string => renderError(error, { colors: createColors(false), debug });

test("an error of ours says its code, what happened and the catalogue's fix, without a stack", () => {
  expect(show(new SamovarError("port_in_use", "Port 8700 is taken"))).toBe(
    "error (port_in_use): Port 8700 is taken\n  → Stop what listens there, or pass --port\n",
  );
});

test("a fix of its own is shown in place of the catalogue's", () => {
  expect(show(new SamovarError("not_found", "There is no x", { fields: { fix: "Try y" } }))).toBe("error (not_found): There is no x\n  → Try y\n");
});

test("where the catalogue speaks of a problem's detail, a command speaks of the message above", () => {
  expect(show(new SamovarError("conflict", "It is there"))).toBe("error (conflict): It is there\n  → Choose another name, or do what the message says\n");
});

test("a token that is missing or unknown names the variable that commands take it from", () => {
  expect(show(new SamovarError("unauthorized", "The request has no token"))).toMatch(/→ Set SAMOVAR_TOKEN to a token of this server/);
});

test("what the message says already is not said twice", () => {
  const taken = "Port 8700 on 127.0.0.1 is taken: stop what listens there, or choose another port";
  expect(show(new SamovarError("port_in_use", taken))).toBe(`error (port_in_use): ${taken}\n`);
  const held = "A server (pid 7) holds the home /h. Use it, stop it with `samovar down`, or set another SAMOVAR_HOME";
  expect(show(new SamovarError("home_locked", held))).toBe(`error (home_locked): ${held}\n`);
  const own = new SamovarError("server_unreachable", "No server answers. Start one with `samovar up`", { fields: { fix: "Start one with `samovar up`" } });
  expect(show(own)).toBe("error (server_unreachable): No server answers. Start one with `samovar up`\n");
});

test("a schema's issues are listed with their paths", () => {
  const error = new SamovarError("invalid_input", "The input fails the schema", {
    fields: { issues: [{ message: "Expected string", path: ["users", 0, "name"] }, { message: "Required" }] },
  });
  expect(show(error)).toContain("  input.users[0].name: Expected string\n  input: Required\n");
  const output = new SamovarError("invalid_output", "The result fails the schema", { fields: { issues: [{ message: "Expected number", path: ["sum"] }] } });
  expect(show(output)).toContain("  result.sum: Expected number\n");
});

test("issues of a request are in its message, and are not the input's", () => {
  const issues = [{ message: "Too small", path: ["tasks", 0, "ttlMs"] }];
  const error = new SamovarError("invalid_request", "The body is not as the API describes it: tasks.0.ttlMs: Too small", { fields: { issues } });
  expect(show(error)).not.toContain("input");
  expect(show(error).match(/Too small/g)).toHaveLength(1);
});

test("an error of the user's code is shown with its stack and its causes", () => {
  const cause = new Error("disk full");
  cause.stack = "Error: disk full\n    at write (app.ts:9:1)";
  const error = new TypeError("can't load", { cause });
  error.stack = "TypeError: can't load\n    at load (app.ts:3:7)";
  expect(show(new UserCodeError(error, "Mend it"))).toBe(
    ["TypeError: can't load", "    at load (app.ts:3:7)", "  caused by Error: disk full", "      at write (app.ts:9:1)", "  → Mend it", ""].join("\n"),
  );
});

test("a thrown value that is no error is shown", () => {
  expect(show(new UserCodeError("plain text", "Mend it"))).toBe("Error: plain text\n  → Mend it\n");
});

test("the author's own error inside one of ours is shown with its stack", () => {
  const cause = new Error("no model");
  cause.stack = "Error: no model\n    at load (app.ts:3:7)";
  const text = show(new SamovarError("start_failed", "predict can't start", { cause }));
  expect(text).toContain("error (start_failed): predict can't start\nError: no model\n    at load (app.ts:3:7)\n");
});

test("frames that the message shows already are not shown twice", () => {
  const cause = new Error("top");
  expect(show(new SamovarError("load_failed", "app.ts can't be loaded: Error: top\n    at app.ts:5:7", { cause })).match(/Error: top/g)).toHaveLength(1);
});

test("a mistake of ours has its stack only with SAMOVAR_DEBUG", () => {
  const error = new RangeError("oops");
  error.stack = "RangeError: oops\n    at ours.ts:1:1";
  expect(show(error)).toBe(
    "error (internal): Something of ours went wrong: RangeError: oops\n  → Run it again with SAMOVAR_DEBUG=1 for the stack, and report it\n",
  );
  expect(show(error, true)).toContain("at ours.ts:1:1");
});
