import { enableCompileCache } from "node:module";

// In a checkout. Plain JavaScript, because a module written in TypeScript would be stripped of its types, and the
// stripper loaded for it (100 ms), before it could say that all others are in the cache.
enableCompileCache();

await import("../src/main.ts");
