import type { ServerResponse } from "node:http";
import { z } from "zod";
import { SamovarError, parseDuration, type LogLine } from "@samovar/protocol";
import { hasScope, type Principal } from "../authenticator.ts";
import type { ApiAnswer, ApiContext } from "./api-route.ts";
import { PushStream, type PushStreamOptions } from "./push-stream.ts";

export const ADMIN = ["admin"] as const;
export const DEPLOY = ["admin", "deploy"] as const;
export const INVOKE = ["admin", "invoke"] as const;
export const ANY = ["admin", "deploy", "invoke"] as const;

/** Of manifests with their file lists, and of lists of contents. */
export const MAX_APP_BYTES = 16 * 1024 * 1024;

export const flag = z.enum(["0", "1", "true", "false"]).transform((text) => text === "1" || text === "true");
/** Of a function, a method, or an app. */
export const name = z.string().min(1).max(100);
export const id = z.strictObject({ id: z.string().min(1).max(100) });
export const taskId = z.strictObject({ id: z.string().regex(/^[A-Za-z0-9_-]{1,100}$/, "must be a task's id, such as tk_01m8…") });
/** Of a list. */
export const limit = z
  .string()
  .regex(/^\d{1,4}$/, "must be a number up to 1000")
  .transform(Number)
  .pipe(z.number().min(1).max(1_000));

/** Of a query: a time from now, or a span. */
export const duration = (what: string) =>
  z.string().transform((text, context) => {
    try {
      return parseDuration(text, what);
    } catch (error) {
      context.addIssue((error as Error).message);
      return z.NEVER;
    }
  });

export const json = (value: unknown): ApiAnswer => ({ status: 200, json: value });
export const NOTHING: ApiAnswer = { status: 204, json: null };

/** A stream that ends with the server. */
export function openStream({ streams }: ApiContext, res: ServerResponse, options: PushStreamOptions): PushStream {
  const stream = new PushStream(res, options);
  // Who hung up meanwhile closes no more.
  if (res.destroyed) return stream;
  streams.add(stream);
  res.once("close", () => streams.delete(stream));
  return stream;
}

/** Containers see these folders of this machine: only who may do everything here may name them. */
export function assertMayMount(principal: Principal, nodeModules: readonly string[]): void {
  if (nodeModules.length === 0 || hasScope(principal, "admin")) return;
  throw new SamovarError(
    "forbidden",
    `The token "${principal.name}" may not have code use folders of this machine (${nodeModules.join(", ")}): send the packages with the code, as samovar deploy does`,
  );
}

/** Said in the log itself, where whoever reads it will look for what is missing. */
export function droppedLine(atMs: number, count: number): LogLine {
  return {
    atMs,
    containerId: "",
    function: "",
    workerIndex: null,
    stream: "log",
    level: "warn",
    source: { kind: "system" },
    text: `${count} log lines were dropped here: the reader was too slow`,
  };
}
