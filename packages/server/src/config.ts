import { userInfo } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import { DEFAULT_HOST, DEFAULT_PORT, MAX_BODY_BYTES, SamovarError, parseMemoryMib } from "@samovar/protocol";
import { describeTargetProblem } from "./callbacks/target-rules.ts";

const listOf = (text: string): string[] =>
  text
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");

const callbackTargets = z
  .string()
  .default("")
  .transform(listOf)
  .superRefine((entries, context) => {
    for (const message of entries.flatMap((entry) => describeTargetProblem(entry) ?? [])) context.addIssue({ code: "custom", message });
  });

/** What the server reads from its environment, once, here. */
const schema = z.object({
  /** Where all state lies. Default ~/.samovar. */
  SAMOVAR_HOME: z.string().optional(),
  /** Interface to listen on. Default 127.0.0.1: only this machine. */
  SAMOVAR_HOST: z.string().min(1).default(DEFAULT_HOST),
  /** 0: any free port. Default 8700. */
  SAMOVAR_PORT: z.coerce.number().int().min(0).max(65_535).default(DEFAULT_PORT),
  /** Names of this server, separated by commas, besides localhost and IP addresses; functions have hosts below each. */
  SAMOVAR_HOSTS: z.string().default(""),
  /** Which runtime driver. Default: the best that this machine can do. */
  SAMOVAR_DRIVER: z.enum(["auto", "oci", "process"]).default("auto"),
  /** An inventory of GPUs in place of the machine's: see `Gpus` of the runtime. */
  SAMOVAR_GPUS: z.string().optional(),
  /** Set by `run` and `serve`: the server ends with its last session. */
  SAMOVAR_EMBEDDED: z.enum(["0", "1"]).default("0"),
  /** What the server's own log tells. Default info. */
  SAMOVAR_LOG_LEVEL: z.enum(["debug", "info", "warn", "error", "silent"]).default("info"),
  /** The largest body a call may send, such as "100Mi". */
  SAMOVAR_MAX_BODY: z.string().optional(),
  /** Connections open at once; more are closed. */
  SAMOVAR_MAX_CONNECTIONS: z.coerce.number().int().min(1).max(1_000_000).default(4_096),
  /** Where callbacks may go although it is refused by default, and where they may not: addresses, CIDRs, names. */
  SAMOVAR_CALLBACK_ALLOW: callbackTargets,
  SAMOVAR_CALLBACK_DENY: callbackTargets,
});

export interface ServerConfig {
  readonly home: string;
  readonly host: string;
  readonly port: number;
  readonly hosts: readonly string[];
  readonly driver: "auto" | "oci" | "process";
  /** What SAMOVAR_GPUS holds; null: what the machine has. */
  readonly gpus: string | null;
  readonly embedded: boolean;
  readonly logLevel: "debug" | "info" | "warn" | "error" | "silent";
  readonly maxBodyBytes: number;
  readonly maxConnections: number;
  readonly callbackAllow: readonly string[];
  readonly callbackDeny: readonly string[];
}

/** Throws `invalid_option`, naming every variable that is wrong. */
export function parseServerConfig(env: Readonly<Record<string, string | undefined>>): ServerConfig {
  const parsed = schema.safeParse(env);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message} (it is ${JSON.stringify(env[String(issue.path[0])])})`);
    throw new SamovarError("invalid_option", `The environment has a mistake: ${problems.join("; ")}`);
  }
  const values = parsed.data;
  return {
    // Empty is unset; without HOME the system knows the user's folder.
    home: resolve(values.SAMOVAR_HOME || join(env.HOME || userInfo().homedir, ".samovar")),
    host: values.SAMOVAR_HOST,
    port: values.SAMOVAR_PORT,
    hosts: listOf(values.SAMOVAR_HOSTS),
    driver: values.SAMOVAR_DRIVER,
    gpus: values.SAMOVAR_GPUS || null,
    embedded: values.SAMOVAR_EMBEDDED === "1",
    logLevel: values.SAMOVAR_LOG_LEVEL,
    maxBodyBytes: values.SAMOVAR_MAX_BODY === undefined ? MAX_BODY_BYTES : parseMemoryMib(values.SAMOVAR_MAX_BODY, "SAMOVAR_MAX_BODY") * 1024 * 1024,
    maxConnections: values.SAMOVAR_MAX_CONNECTIONS,
    callbackAllow: values.SAMOVAR_CALLBACK_ALLOW,
    callbackDeny: values.SAMOVAR_CALLBACK_DENY,
  };
}
