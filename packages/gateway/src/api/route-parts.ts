import type { ServerResponse } from "node:http";
import { z } from "zod";
import { SamovarError, type LogLine } from "@samovar/protocol";
import { hasScope, type Principal } from "../authenticator.ts";
import type { ApiAnswer, ApiContext } from "./api-route.ts";
import { NdjsonStream } from "./ndjson-stream.ts";

export const ADMIN = ["admin"] as const;
export const DEPLOY = ["admin", "deploy"] as const;
export const ANY = ["admin", "deploy", "invoke"] as const;

/** Of manifests with their file lists, and of lists of contents. */
export const MAX_APP_BYTES = 16 * 1024 * 1024;

export const flag = z.enum(["0", "1", "true", "false"]).transform((text) => text === "1" || text === "true");
export const id = z.strictObject({ id: z.string().min(1).max(100) });

export const json = (value: unknown): ApiAnswer => ({ status: 200, json: value });
export const NOTHING: ApiAnswer = { status: 204, json: null };

export function openStream({ streams }: ApiContext, res: ServerResponse, describeDropped: (count: number) => unknown): NdjsonStream {
  const stream = new NdjsonStream(res, describeDropped);
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
