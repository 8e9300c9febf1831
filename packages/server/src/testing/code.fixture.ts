import { createHash } from "node:crypto";
import { canonicalCode, type CodeObject } from "@samovar/protocol";

export const sha256 = (content: string): string => createHash("sha256").update(content).digest("hex");

/** Contents in pieces, as they come from a request. */
export async function* piecesOf(content: string, size = 3): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(content);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export interface TestCode {
  readonly object: CodeObject;
  readonly contents: readonly string[];
}

/** Code of these files, by path; the first is its entry. */
export function codeOf(files: Readonly<Record<string, string>>, overrides: Partial<CodeObject> = {}): TestCode {
  const rest = {
    entry: Object.keys(files)[0]!,
    nodeModules: [],
    files: Object.entries(files).map(([path, content]) => ({
      path,
      sha256: sha256(content),
      sizeBytes: content.length,
      mode: path.endsWith(".sh") ? 0o755 : 0o644,
    })),
    ...overrides,
  };
  return { object: { codeId: sha256(canonicalCode(rest)), ...rest, ...overrides }, contents: Object.values(files) };
}
