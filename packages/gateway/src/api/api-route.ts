import type { IncomingMessage, ServerResponse } from "node:http";
import type { z } from "zod";
import type { Clock, Logger } from "@samovar/kit";
import type { ControlPlane, FunctionTable } from "@samovar/scheduler";
import type { Scope } from "@samovar/storage";
import type { Principal } from "../authenticator.ts";
import type { BodyStream } from "../body-stream.ts";
import type { NdjsonStream } from "./ndjson-stream.ts";

/** What handlers of the control API reach. */
export interface ApiContext {
  readonly control: ControlPlane;
  readonly functions: FunctionTable;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Streams of sessions that are open, by session. */
  readonly sessions: Map<string, NdjsonStream>;
  /** Every stream that is open, sessions' too: they end when the server does, not by themselves. */
  readonly streams: Set<NdjsonStream>;
  isDraining(): boolean;
  openApi(): unknown;
}

export interface ApiCall<Params, Query, Body> {
  readonly principal: Principal;
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
}

/** A JSON answer; null has no body. `streaming`: the handler writes to the response itself. */
export type ApiAnswer = { readonly status: number; readonly json: unknown } | "streaming";

type Schema = z.ZodType;
type OutputOf<S> = S extends Schema ? z.output<S> : undefined;

/** One route: what the router, the validation and the OpenAPI document are all made from. */
export interface ApiRoute {
  readonly method: "get" | "post" | "put" | "patch" | "delete";
  /** Under `/api/v1`, parameters in braces. */
  readonly path: string;
  readonly operationId: string;
  readonly summary: string;
  /** Holders of any of these may call it. */
  readonly scopes: readonly Scope[];
  /** A container's own token may call it as well. */
  readonly containers?: true;
  /**
   * Its handler keeps tokens of one app to what is that app's, or there is nothing of any app in it. Such tokens are
   * refused everywhere else.
   */
  readonly ofOneApp?: true;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  /** JSON, validated; or `bytes`, given as a stream. */
  readonly body?: Schema | "bytes";
  readonly bodyRequired?: boolean;
  /** Of a JSON body. Default: `MAX_JSON_BYTES`. */
  readonly maxBodyBytes?: number;
  readonly answer: { readonly status: number; readonly description: string; readonly schema?: Schema; readonly stream?: boolean };
  handle(context: ApiContext, call: ApiCall<never, never, never>): ApiAnswer | Promise<ApiAnswer>;
}

export const MAX_JSON_BYTES = 64 * 1024;

/** Types a route's handler from its schemas. */
export function defineRoute<
  P extends z.ZodObject | undefined = undefined,
  Q extends z.ZodObject | undefined = undefined,
  B extends Schema | "bytes" | undefined = undefined,
>(
  route: Omit<ApiRoute, "handle" | "params" | "query" | "body"> & {
    readonly params?: P;
    readonly query?: Q;
    readonly body?: B;
    handle(context: ApiContext, call: ApiCall<OutputOf<P>, OutputOf<Q>, B extends "bytes" ? BodyStream : OutputOf<B>>): ApiAnswer | Promise<ApiAnswer>;
  },
): ApiRoute {
  return route as ApiRoute;
}
