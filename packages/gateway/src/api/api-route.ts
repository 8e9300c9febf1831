import type { IncomingMessage, ServerResponse } from "node:http";
import type { z } from "zod";
import type { Clock, Logger } from "@samovar/kit";
import type { ControlPlane, FunctionTable } from "@samovar/scheduler";
import type { Scope } from "@samovar/storage";
import type { Principal } from "../authenticator.ts";
import type { BodyStream } from "../body-stream.ts";
import type { SinkContext } from "../response-sink.ts";
import type { PushStream } from "./push-stream.ts";

/** What handlers of the control API reach. */
export interface ApiContext {
  readonly control: ControlPlane;
  readonly functions: FunctionTable;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Streams of sessions that are open, by session. */
  readonly sessions: Map<string, PushStream>;
  /** Every stream that is open, sessions' too, and every wait: they end when the server does, not by themselves. */
  readonly streams: Set<{ end(): void }>;
  /** What answers of functions are written with. */
  readonly answers: SinkContext;
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
  /** Asked so often that the router's Request and Response, which cost more than all else, are left out. */
  readonly hot?: true;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  /** JSON, validated; or `bytes`, given as a stream. */
  readonly body?: Schema | "bytes";
  readonly bodyRequired?: boolean;
  /** What the body may be besides JSON: one value, `CONTENT_TYPES.value`. */
  readonly valueBody?: Schema;
  /** Of a body that isn't `bytes`: a number, or as large as that of a call. Default: `MAX_JSON_BYTES`. */
  readonly maxBodyBytes?: number | "call";
  readonly answer: {
    readonly status: number;
    readonly description: string;
    readonly schema?: Schema;
    readonly stream?: boolean;
    /** Other types than JSON that it may come as. */
    readonly types?: readonly string[];
  };
  /** Answers beside the usual one, by status. */
  readonly otherAnswers?: Readonly<Record<number, { readonly description: string; readonly schema?: Schema }>>;
  handle(context: ApiContext, call: ApiCall<never, never, never>): ApiAnswer | Promise<ApiAnswer>;
}

export const MAX_JSON_BYTES = 64 * 1024;

/** Types a route's handler from its schemas. */
export function defineRoute<
  P extends z.ZodObject | undefined = undefined,
  Q extends z.ZodObject | undefined = undefined,
  B extends Schema | "bytes" | undefined = undefined,
  V extends Schema | undefined = undefined,
>(
  route: Omit<ApiRoute, "handle" | "params" | "query" | "body" | "valueBody"> & {
    readonly params?: P;
    readonly query?: Q;
    readonly body?: B;
    readonly valueBody?: V;
    handle(
      context: ApiContext,
      call: ApiCall<OutputOf<P>, OutputOf<Q>, B extends "bytes" ? BodyStream : OutputOf<B> | (V extends Schema ? OutputOf<V> : never)>,
    ): ApiAnswer | Promise<ApiAnswer>;
  },
): ApiRoute {
  return route as ApiRoute;
}
