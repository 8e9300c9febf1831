export * from "./authenticator.ts";
export * from "./gateway.ts";
export { problemType, toProblem } from "./problem.ts";
