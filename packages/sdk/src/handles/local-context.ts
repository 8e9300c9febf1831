import type { AsyncLocalStorage } from "node:async_hooks";

let storage: AsyncLocalStorage<object> | undefined;

/** The context of the `.local` call that is running; undefined outside. */
export const getLocalContext = (): object | undefined => storage?.getStore();

/** Made with the first local call: in a container there is none, and the runner has its own. */
export function runWithLocalContext<T>(context: object, run: () => T): T {
  storage ??= new (process.getBuiltinModule("node:async_hooks").AsyncLocalStorage)<object>();
  return storage.run(context, run);
}
