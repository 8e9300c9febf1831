import type { CallTransport } from "@samovar/protocol";
import type { CallOptions, Inputs, MapOptions } from "../handles/handle-types.ts";
import { mapInputs } from "../handles/map.ts";
import { createScalingHandle, type ScalingHandle } from "../handles/scaling-handle.ts";
import type { AnyFunction, Remote } from "./client-types.ts";
import { readCredentials } from "./credentials.ts";
import { createHttpTransport, type HttpTransport } from "./http-transport.ts";

export interface ClientOptions {
  /** The server, such as `http://127.0.0.1:8700`. Default: `SAMOVAR_URL`, which is set in containers. */
  readonly url?: string;
  /**
   * Not needed for functions with `authorized: false`; undefined, as from an unset variable, is none. Where the url is
   * `SAMOVAR_URL`'s too, the default is `SAMOVAR_TOKEN`: no other server gets to see that one.
   */
  readonly token?: string | undefined;
}

export interface ClientAppOptions {
  /** What the server adds to the names of the module's functions: `"-dev"` under `samovar serve`. Default: nothing. */
  readonly suffix?: string;
}

/**
 * Calls functions of a server from anywhere. Connections are kept and reused; `close` ends them. In a container
 * whose network is the host's `new Client()` reaches the functions of the container's own app; handles do the same in every network.
 *
 * @example
 * const client = new Client({ url: "http://127.0.0.1:8700", token });
 * const models = client.app<typeof import("./app.ts")>("models");
 * console.log(await models.model.predict.remote(123));
 * const served = client.app<typeof import("./app.ts")>("models", { suffix: "-dev" });
 */
export class Client {
  readonly #transport: HttpTransport;

  constructor(options: ClientOptions = {}) {
    this.#transport = createHttpTransport(readCredentials(options));
  }

  /**
   * The functions of an app, typed from the app's own module. `name` says to readers which app is meant, and nothing
   * to the server: names of functions are unique there, so that calls go by those alone. One that the server doesn't
   * have is told when it is called, with `not_found`.
   *
   * @example
   * const models = client.app<typeof import("./app.ts")>("models", { suffix: "-dev" });
   * console.log(await models.predict.request({ text: "hi" })); // POST /endpoint/predict-dev
   */
  app<M>(_name: string, { suffix = "" }: ClientAppOptions = {}): Remote<M> {
    return createAppHandle(this.#transport, suffix) as Remote<M>;
  }

  close(): void {
    this.#transport.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * Handles without definitions: the module is only a type here. What kind a name is shows in how it is called:
 * `name.remote(…)` a function, `name.request(…)` an endpoint, `name.method.remote(…)` a class.
 */
function createAppHandle(transport: CallTransport, suffix: string): object {
  return namedProxy((exported) =>
    namedProxy((member) => {
      const name = `${exported}${suffix}`;
      const scaling = createScaling(transport, name);
      if (Object.hasOwn(scaling, member)) return scaling[member as keyof ScalingHandle];
      if (member === "with") return (...parameters: unknown[]) => createMethods(transport, name, parameters);
      const calls = createCalls(transport, { kind: member === "request" ? "endpoint" : "function", name });
      const call = calls[member];
      // A class may have a method of that name: `name.remote` is called itself, `name.remote.remote` is the method's.
      const methodCalls = createCalls(transport, { kind: "cls", name, method: member });
      return call ? Object.assign(call, methodCalls) : methodCalls;
    }),
  );
}

function createMethods(transport: CallTransport, name: string, parameters: readonly unknown[]): object {
  const scaling = createScaling(transport, name);
  return namedProxy((method) =>
    Object.hasOwn(scaling, method) ? scaling[method as keyof ScalingHandle] : createCalls(transport, { kind: "cls", name, method, parameters }),
  );
}

/** Scaling goes by the name alone, whatever kind has it. No class has methods of these names. */
const createScaling = (transport: CallTransport, name: string): ScalingHandle =>
  createScalingHandle({ label: () => name, target: () => ({ kind: "function", name }), transport });

function createCalls(transport: CallTransport, target: Parameters<CallTransport["call"]>[0]): Record<string, AnyFunction | undefined> {
  const remote = async (input?: unknown, options?: Partial<CallOptions>): Promise<unknown> => transport.call(target, input, options ?? {});
  return {
    remote,
    stream: (input?: unknown, options?: Partial<CallOptions>) => transport.stream(target, input, options ?? {}),
    map: (inputs: Inputs<unknown>, options?: MapOptions & { returnErrors?: boolean }) =>
      mapInputs(inputs, (input, signal) => remote(input, { signal }), options),
    forEach: async (inputs: Inputs<unknown>, options?: MapOptions) => {
      for await (const _ of mapInputs(inputs, (input, signal) => remote(input, { signal }), { ...options, ordered: false }));
    },
    request: (input?: unknown, options?: Partial<CallOptions>) =>
      createRequest(
        () => remote(input, options),
        () => transport.stream(target, input, options ?? {}),
      ),
  };
}

/** Whether an endpoint streams is only known by its type: what is awaited is called, what is looped over is streamed. */
function createRequest(call: () => Promise<unknown>, stream: () => AsyncIterable<unknown>): Promise<unknown> & AsyncIterable<unknown> {
  let streamed = false;
  // A microtask later, for a loop asks for its iterator at once.
  const result = Promise.resolve().then(() => (streamed ? undefined : call()));
  return Object.assign(result, {
    [Symbol.asyncIterator]() {
      streamed = true;
      return stream()[Symbol.asyncIterator]();
    },
  });
}

/** Every name is there, save the ones by which the language asks an object what it is. */
const namedProxy = (get: (name: string) => unknown): object =>
  new Proxy({}, { get: (_, name) => (typeof name === "string" && name !== "then" && name !== "toJSON" ? get(name) : undefined) });
