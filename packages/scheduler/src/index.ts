export * from "./function-table.ts";
export * from "./input.ts";
