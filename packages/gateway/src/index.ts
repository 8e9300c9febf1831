export * from "./authenticator.ts";
export { createExecUpgrade } from "./exec/create-exec-upgrade.ts";
export * from "./gateway.ts";
export { hostLabel } from "./host.ts";
export type { MetricsAnswer } from "./metrics-route.ts";
export { problemType, toProblem } from "./problem.ts";
export type { ExecUpgrade } from "./upgrade.ts";
