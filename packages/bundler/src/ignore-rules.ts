import { readFile } from "node:fs/promises";
import path from "node:path";
import ignore, { type Ignore } from "ignore";

export const IGNORE_FILE = ".samovarignore";

/** What no container needs or should see. A line such as `!.env` in .samovarignore takes one back. */
export const DEFAULT_IGNORES: readonly string[] = [
  "node_modules/",
  ".git/",
  ".hg/",
  ".svn/",
  ".samovar/",
  "coverage/",
  ".env",
  ".env.*",
  "*.log",
  ".DS_Store",
  IGNORE_FILE,
  "*.samovar.mjs",
  "*.samovar.mjs.map",
  "*.tsbuildinfo",
];

/** The rules of a folder: those of the folders above, then its own. The deepest that says something wins. */
export class IgnoreRules {
  readonly #parent: IgnoreRules | undefined;
  readonly #dir: string;
  readonly #own: Ignore;

  private constructor(dir: string, own: Ignore, parent: IgnoreRules | undefined) {
    this.#dir = dir;
    this.#own = own;
    this.#parent = parent;
  }

  /** Rules of the root, with the defaults and what the caller adds first. */
  static async forRoot(root: string, extra: readonly string[]): Promise<IgnoreRules> {
    const own = ignore().add([...DEFAULT_IGNORES, ...extra]);
    const text = await readRules(root);
    if (text !== undefined) own.add(text);
    return new IgnoreRules(root, own, undefined);
  }

  /** The same rules where the folder has none of its own. */
  async forFolder(dir: string): Promise<IgnoreRules> {
    const text = await readRules(dir);
    return text === undefined ? this : new IgnoreRules(dir, ignore().add(text), this);
  }

  ignores(file: string, isFolder: boolean): boolean {
    const relative = path.relative(this.#dir, file).split(path.sep).join("/");
    const verdict = this.#own.test(isFolder ? `${relative}/` : relative);
    if (verdict.ignored) return true;
    if (verdict.unignored) return false;
    return this.#parent?.ignores(file, isFolder) ?? false;
  }
}

async function readRules(dir: string): Promise<string | undefined> {
  try {
    return await readFile(path.join(dir, IGNORE_FILE), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
