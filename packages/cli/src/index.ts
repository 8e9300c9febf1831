export { runCli, CLI_VERSION } from "./run-cli.ts";
export type { CliIo, CliSignal, OutputStream } from "./io.ts";
export { renderWaterfall, type WaterfallOptions } from "./output/waterfall.ts";
export { formatDuration } from "./output/durations.ts";
