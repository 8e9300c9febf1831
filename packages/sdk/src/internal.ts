/** For the CLI and the tests of other packages; no part of what users import. */
export { createHttpTransport, type HttpTransport, type HttpTransportOptions } from "./client/http-transport.ts";
export type { ExtractOptions, Registry } from "@samovar/protocol";
