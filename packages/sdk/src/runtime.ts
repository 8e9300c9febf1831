import { RUNTIME, SamovarError, type CallTransport, type Runtime } from "@samovar/protocol";

/** What loaded this code, if it was Samovar: the runner in a container, the CLI, the Vitest plugin. */
export const getRuntime = (): Runtime | undefined => (globalThis as { [RUNTIME]?: Runtime })[RUNTIME];

/** How handles reach other functions. `call` is the expression that wants it, for the message. */
export function requireTransport(call: string): CallTransport {
  const runtime = getRuntime();
  if (runtime?.transport) return runtime.transport;
  throw new SamovarError(
    "no_session",
    runtime
      ? `${call} was called while the module loads, or where there is no server. Call it inside a handler, a hook or the default export; in tests call .local(input)`
      : `${call} has no session: this file was not started by samovar. Run it with \`samovar run FILE\`, or call a server with \`new Client({ url, token })\``,
  );
}
