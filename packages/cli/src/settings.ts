import { SamovarError } from "@samovar/protocol";
import { homeOf } from "./home.ts";
import type { CliIo } from "./io.ts";

/** What the environment says to the command, read once. */
export interface Settings {
  /** Folder that holds a server's state. */
  readonly home: string;
  /** A server named by SAMOVAR_URL, without a slash at the end; null: the one of `home`. */
  readonly url: string | null;
  readonly token: string | null;
  /** SAMOVAR_DEBUG: errors of our own carry their stack. */
  readonly debug: boolean;
  /** NO_COLOR, FORCE_COLOR, TERM: undefined leaves it to whether the stream is a terminal. */
  readonly color: boolean | undefined;
}

export function parseSettings(io: Pick<CliIo, "env" | "cwd">): Settings {
  const { env } = io;
  return {
    home: homeOf(env, io.cwd),
    url: env.SAMOVAR_URL ? parseServerUrl(env.SAMOVAR_URL) : null,
    token: env.SAMOVAR_TOKEN || null,
    debug: isOn(env.SAMOVAR_DEBUG),
    color: env.NO_COLOR ? false : isOn(env.FORCE_COLOR) ? true : env.TERM === "dumb" ? false : undefined,
  };
}

function isOn(value: string | undefined): boolean {
  return value !== undefined && value !== "" && value !== "0" && value !== "false";
}

function parseServerUrl(text: string): string {
  const url = URL.parse(text);
  if (!url || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new SamovarError(
      "invalid_option",
      `SAMOVAR_URL is not an http or https address: ${JSON.stringify(text)}. Set it to something like http://127.0.0.1:8700, or unset it`,
    );
  }
  return url.href.replace(/\/+$/, "");
}
