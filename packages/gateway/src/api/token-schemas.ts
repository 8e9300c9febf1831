import { z } from "zod";
import { parseDuration, type CreatedToken, type TokenInfo, type TokenRequest } from "@samovar/protocol";
import { schemaOf } from "./schema-of.ts";

const scopes = z.array(z.enum(["admin", "deploy", "invoke"]));

/** What a name, an app and a time may be is checked, and told, by whoever makes the token. */
export const tokenRequest = schemaOf<TokenRequest>()(
  z
    .strictObject({
      name: z.string().max(100),
      scopes: scopes.min(1).max(3),
      app: z.string().max(100).exactOptional().describe("Only what belongs to this app; not with admin"),
      expires: z.union([z.number(), z.string()], "must be a duration").exactOptional().describe('When it is worth nothing: in so many seconds, or "30d"'),
      expiresInMs: z.number().exactOptional().describe("The same in milliseconds"),
    })
    .transform(({ expires, ...rest }, context) => {
      if (expires === undefined) return rest;
      if (rest.expiresInMs !== undefined) context.addIssue({ code: "custom", path: ["expires"], message: "is there as expiresInMs as well: give one" });
      try {
        return { ...rest, expiresInMs: parseDuration(expires, "expires") };
      } catch (error) {
        context.addIssue({ code: "custom", path: ["expires"], message: (error as Error).message });
        return z.NEVER;
      }
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
