import { endpoint, App, method, onStart, onStop, type StopCtx } from "samovar";

/** POST {"name": "you"} to its URL. What a handler takes and returns is what callers see, with its types. */
export const hello = endpoint({}, (input: { name?: string }) => ({ message: `Hello, ${input.name ?? "world"}!` }));

/** A class keeps between calls what it loads once per container. Its methods marked @method() can be called. */
class Greeter {
  #greetings: string[] = [];

  /** Before the first call: load a model, open a connection. */
  @onStart() protected async load(): Promise<void> {
    this.#greetings = ["Hello", "Bonjour", "Hallo", "Ciao"];
  }

  @method() greet(name: string): string {
    const greeting = this.#greetings[name.length % this.#greetings.length];
    return `${greeting}, ${name}!`;
  }

  /** After the last call: close what was opened. */
  @onStop() protected close(ctx: StopCtx): void {
    ctx.log.info(`the greeter stops: ${ctx.reason}`);
  }
}

const app = new App("{{name}}");
export const greeter = app.cls(Greeter, { cpu: 1, memory: "256Mi" });

/** What `samovar run app.ts` runs: here, on your machine, while the calls are answered in containers. */
export default async function main(...names: string[]): Promise<void> {
  for (const name of names.length > 0 ? names : ["world"]) console.log(await greeter.greet.remote(name));
}
