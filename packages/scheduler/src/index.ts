export * from "./control-plane.ts";
export * from "./function-table.ts";
export * from "./input.ts";
