import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { canonicalCode, type CodeFile, type CodeObject } from "@samovar/protocol";
import type { Bundle } from "./bundle.ts";
import type { CollectedFile } from "./collect-files.ts";

export interface Code {
  readonly object: CodeObject;
  /**
   * One content, by its SHA-256. Throws for one that isn't part of the code. A file that changed since it was hashed
   * gives other bytes: the server refuses them, and collecting again helps.
   */
  readContent(sha256: string): Readable;
}

/**
 * Bundle and files as what a server is sent. Where both have the same path, the bundle's is taken. `packages`: what stays
 * outside of the bundle, as files of the code; without it the code finds them in the project's own `node_modules`.
 */
export function createCode(bundle: Bundle, files: readonly CollectedFile[], packages: readonly CollectedFile[] | null = null): Code {
  const contents = new Map<string, () => Readable>();
  const byPath = new Map<string, CodeFile>();
  for (const { path, sha256, sizeBytes, mode, source } of [...files, ...(packages ?? [])]) {
    byPath.set(path, { path, sha256, sizeBytes, mode });
    contents.set(sha256, () => createReadStream(source));
  }
  for (const [path, bytes] of [
    [bundle.entry, bundle.code],
    [`${bundle.entry}.map`, bundle.map],
  ] as const) {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    byPath.set(path, { path, sha256, sizeBytes: bytes.length, mode: 0o644 });
    contents.set(sha256, () => Readable.from([bytes], { objectMode: false }));
  }
  const rest = { files: [...byPath.values()].sort((a, b) => (a.path < b.path ? -1 : 1)), entry: bundle.entry, nodeModules: packages ? [] : bundle.nodeModules };
  return {
    object: { codeId: createHash("sha256").update(canonicalCode(rest)).digest("hex"), ...rest },
    readContent(sha256) {
      const open = contents.get(sha256);
      if (!open) throw new Error(`No file of this code has the content ${sha256}`);
      return open();
    },
  };
}
