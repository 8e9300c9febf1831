import { createAppHandle } from "./app-handle.ts";
import { createClientFunction, type ClientFunction } from "./client-function.ts";
import { ClientTask } from "./client-task.ts";
import type { Remote } from "./client-types.ts";
import { getRuntime } from "../runtime.ts";
import { isOwnServer, readCredentials } from "./credentials.ts";
import type { ServerIsBack } from "./http-connection.ts";
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
    const credentials = readCredentials(options);
    // Where user code runs in no worker, nobody knows whether the server will be back.
    const serverIsBack: ServerIsBack = (signal) => getRuntime()?.transport?.serverIsBack?.(signal);
    this.#transport = createHttpTransport({ ...credentials, ...(isOwnServer(credentials.url) ? { serverIsBack } : {}) });
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

  /**
   * A function by its name on the server, typed by the caller. For one that is served, `predict-dev`; for an old version, `predict@2`.
   *
   * @example
   * const result = await client.deployment("predict").request<{ score: number }>({ text: "hi" });
   */
  deployment(name: string): ClientFunction {
    return createClientFunction(name, this.#transport, () => this.#transport.kindOf(name));
  }

  /** A function by its id, as `samovar ps` shows it: one version of it. */
  function(id: string): ClientFunction {
    return createClientFunction(id, this.#transport.withIds({ [id]: id }), () => this.#transport.kindOf(id));
  }

  /**
   * The task with this id, from any process and after any restart. Whether there is one is told by what is asked of it, with `not_found`.
   *
   * @example
   * const result = await client.task<Page>(id).result({ wait: "30s" });
   */
  task<O = unknown>(id: string): ClientTask<O> {
    return new ClientTask<O>(id, this.#transport);
  }

  close(): void {
    this.#transport.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
