import { SamovarError } from "@samovar/protocol";
import type { ClientOptions } from "./client.ts";

export interface Credentials {
  readonly url: string;
  readonly token: string | undefined;
}

/** Which server, as whom. The environment's token goes to the environment's server and to no other. */
export function readCredentials({ url, token }: ClientOptions, env: Readonly<Record<string, string | undefined>> = process.env): Credentials {
  if (url !== undefined) return { url, token };
  if (env.SAMOVAR_URL) return { url: env.SAMOVAR_URL, token: token ?? (env.SAMOVAR_TOKEN || undefined) };
  throw new SamovarError(
    "invalid_option",
    "new Client() has no url, and SAMOVAR_URL is not set. Write: new Client({ url, token }), or set SAMOVAR_URL and SAMOVAR_TOKEN (in a container they are)",
  );
}

/** In a container: the server that it belongs to. */
export const isOwnServer = (url: string, env: Readonly<Record<string, string | undefined>> = process.env): boolean => url === env.SAMOVAR_URL;
