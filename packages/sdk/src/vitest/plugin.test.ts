import { spawnSync } from "node:child_process";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../../../..", import.meta.url));
const VITEST = path.join(path.dirname(createRequire(import.meta.url).resolve("vitest/package.json")), "vitest.mjs");

let folder: string | undefined;

afterEach(async () => {
  if (folder) await rm(folder, { recursive: true, maxRetries: 5 });
});

const APP = `
import { cls, fn, method, onStart, onStop } from "samovar";
class Model {
  factor = 0;
  @onStart() protected load() { this.factor = 2; }
  @method() double(x: number): number { return x * this.factor; }
  @onStop() protected close() { console.log("model closed"); }
}
export const model = cls(Model);
export const plain = fn({}, (x: number) => x + 1);
`;

const TEST = `
import { expect, test } from "vitest";
import { model, plain } from "./app.ts";
test("a decorated class", async () => { expect(await model.double.local(21)).toBe(42); });
test("a function", async () => { expect(await plain.local(1)).toBe(2); });
`;

test("where esbuild is not installed, it says how to install it", () => {
  const script = `
    import { registerHooks } from "node:module";
    registerHooks({ resolve(specifier, context, next) {
      if (specifier === "esbuild") throw Object.assign(new Error("Cannot find package 'esbuild'"), { code: "ERR_MODULE_NOT_FOUND" });
      return next(specifier, context);
    } });
    const { default: samovar } = await import(${JSON.stringify(new URL("plugin.ts", import.meta.url).href)});
    const plugin = samovar();
    console.log(await plugin.transform("export const plain = 1;", "/app.ts"));
    await plugin.transform("class A { @method() a() {} }", "/app.ts").catch((error) => console.log(error.message));
  `;
  const { stdout, stderr } = spawnSync(process.execPath, ["--conditions=samovar-source", "--input-type=module", "-e", script], { encoding: "utf8" });
  expect(stderr).toBe("");
  expect(stdout).toBe("null\nsamovar/vitest compiles decorators with esbuild, and esbuild can't be loaded. Install it: npm install --save-dev esbuild\n");
});

test("a real project's tests run decorated classes, whose stop hooks run at the end", async () => {
  folder = await mkdtemp(path.join(tmpdir(), "samovar-vitest-"));
  await symlink(path.join(ROOT, "node_modules"), path.join(folder, "node_modules"));
  await writeFile(path.join(folder, "package.json"), JSON.stringify({ type: "module" }));
  await writeFile(path.join(folder, "app.ts"), APP);
  await writeFile(path.join(folder, "app.test.ts"), TEST);
  await writeFile(path.join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: { experimentalDecorators: true } }));
  const conditions = `resolve: { conditions: ["samovar-source"] }, ssr: { resolve: { conditions: ["samovar-source"] } }, test: { execArgv: ["--conditions=samovar-source"] }`;
  await writeFile(path.join(folder, "vitest.config.ts"), `import samovar from "samovar/vitest"; export default { plugins: [samovar()], ${conditions} };`);
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--conditions=samovar-source", VITEST, "run", "--no-color"], {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, VITEST: "", NODE_OPTIONS: "" },
  });
  expect(stdout + stderr).toContain("2 passed");
  expect(stdout).toContain("model closed");
  expect(status).toBe(0);
}, 120_000);
