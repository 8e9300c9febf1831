import { createRequire } from "node:module";

/** Main module of the SDK that this command came with: what `import "samovar"` means where a project has none. */
export function sdkEntry(): string {
  return createRequire(import.meta.url).resolve("samovar");
}
