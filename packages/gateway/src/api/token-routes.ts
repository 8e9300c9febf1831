import { z } from "zod";
import { SamovarError, show } from "@samovar/protocol";
import { defineRoute, type ApiRoute } from "./api-route.ts";
import { ADMIN, NOTHING, id, json } from "./route-parts.ts";
import { createdToken, tokenInfo, tokenRequest } from "./token-schemas.ts";

export const TOKEN_ROUTES: readonly ApiRoute[] = [
  defineRoute({
    method: "get",
    path: "/tokens",
    operationId: "listTokens",
    summary: "Tokens, without what they are",
    scopes: ADMIN,
    answer: { status: 200, description: "All of them, expired ones too", schema: z.strictObject({ tokens: z.array(tokenInfo) }) },
    handle: async ({ control }) => json({ tokens: await control.tokens.list() }),
  }),
  defineRoute({
    method: "post",
    path: "/tokens",
    operationId: "createToken",
    summary: "Make a token; it is told once, in this answer",
    scopes: ADMIN,
    body: tokenRequest,
    answer: { status: 201, description: "The token", schema: createdToken },
    handle: async ({ control }, { body }) => ({ status: 201, json: await control.tokens.create(body) }),
  }),
  defineRoute({
    method: "delete",
    path: "/tokens/{id}",
    operationId: "revokeToken",
    summary: "Revoke a token by its id or name; from then on it is nobody's",
    scopes: ADMIN,
    params: id,
    answer: { status: 204, description: "It is revoked" },
    async handle({ control }, { params }) {
      if (await control.tokens.revoke(params.id)) return NOTHING;
      throw new SamovarError("not_found", `No token has the id or name ${show(params.id)}: list them with /api/v1/tokens`);
    },
  }),
];
