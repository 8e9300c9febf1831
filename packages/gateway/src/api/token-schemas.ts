import { z } from "zod";
import type { CreatedToken, TokenInfo, TokenRequest } from "@samovar/protocol";
import { schemaOf } from "./schema-of.ts";

const scopes = z.array(z.enum(["admin", "deploy", "invoke"]));

/** What a name, an app and a time may be is checked, and told, by whoever makes the token. */
export const tokenRequest = schemaOf<TokenRequest>()(
  z.strictObject({
    name: z.string().max(100),
    scopes: scopes.min(1).max(3),
    app: z.string().max(100).exactOptional().describe("Only what belongs to this app; not with admin"),
    expiresInMs: z.number().exactOptional().describe("Milliseconds until it is worth nothing"),
  }),
);

const info = {
  id: z.string(),
  name: z.string(),
  scopes,
  app: z.string().nullable(),
  createdAtMs: z.number(),
  expiresAtMs: z.number().nullable(),
};

export const tokenInfo = schemaOf<TokenInfo>()(z.strictObject(info));
export const createdToken = schemaOf<CreatedToken>()(z.strictObject({ ...info, token: z.string().describe("Shown once: the server keeps its hash") }));
