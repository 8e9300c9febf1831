export { runCli } from "./run-cli.ts";
export { CLI_VERSION } from "./version.ts";
export type { CliIo, CliSignal, OutputStream } from "./io.ts";
export { renderWaterfall, type WaterfallOptions } from "./output/waterfall.ts";
export { formatDuration } from "./output/durations.ts";
