import { readFileSync } from "node:fs";

/** Of an installed package, also of one whose exports don't offer its package.json. */
export function readPackageVersion(name: string): string {
  const main = import.meta.resolve(name);
  const manifest = new URL(`${main.slice(0, main.lastIndexOf(`/${name}/`))}/${name}/package.json`);
  return (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version;
}
