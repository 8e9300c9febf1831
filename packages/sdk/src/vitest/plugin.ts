import { SamovarError } from "@samovar/protocol";
import type { Plugin } from "vitest/config";

/** Decorators anywhere in a file; what is no decorator costs one needless, harmless transform. */
const DECORATORS = /(^|[\s;{}(])@[A-Za-z_$][\w$.]*\s*\(/m;
const SOURCE = /\.[cm]?[jt]sx?$/;

/**
 * Lets Vitest test modules of Samovar: compiles standard decorators, as `samovar` itself does, and runs the stop hooks of
 * `.local` calls at the end of each test file. Needs esbuild, an optional peer of this package: `npm install --save-dev esbuild`.
 *
 * @example
 * // vitest.config.ts
 * import samovar from "samovar/vitest";
 * export default defineConfig({ plugins: [samovar()] });
 */
export default function samovar(): Plugin {
  return {
    name: "samovar",
    enforce: "pre",
    config: () => ({ test: { setupFiles: [siblingPath("setup")] } }),
    async transform(code, id) {
      const file = id.split("?", 1)[0]!;
      if (!SOURCE.test(file) || file.includes("/node_modules/") || !DECORATORS.test(code)) return null;
      const isTsx = /\.[cm]?tsx$/.test(file);
      const isTs = /\.[cm]?ts$/.test(file);
      const { transform } = await loadEsbuild();
      const result = await transform(code, {
        loader: isTsx ? "tsx" : isTs ? "ts" : "jsx",
        format: "esm",
        target: "es2023",
        supported: { decorators: false },
        jsx: "preserve",
        sourcefile: file,
        sourcemap: true,
        // The user's own tsconfig may say experimentalDecorators, which these are not.
        tsconfigRaw: { compilerOptions: { experimentalDecorators: false, useDefineForClassFields: true, verbatimModuleSyntax: true } },
      });
      return { code: result.code, map: result.map };
    },
  };
}

/** A peer that only this plugin needs: what runs in containers should not bring a compiler along. */
async function loadEsbuild(): Promise<typeof import("esbuild")> {
  try {
    return await import("esbuild");
  } catch (error) {
    throw new SamovarError(
      "unsupported",
      "samovar/vitest compiles decorators with esbuild, and esbuild can't be loaded. Install it: npm install --save-dev esbuild",
      {
        cause: error,
      },
    );
  }
}

/** The file beside this one: a source in this repository, compiled in the package. */
const siblingPath = (name: string): string =>
  decodeURIComponent(new URL(`./${name}${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url).pathname);
