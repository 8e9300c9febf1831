import { readFileSync } from "node:fs";

/** Each is a folder of packages/cli/templates with an app.ts. */
export const TEMPLATES = {
  hello: { call: `hello --input '{"name": "you"}'`, served: "hello" },
  map: { call: `countWords --input '"one two three"'`, served: "countWords" },
} as const satisfies Record<string, { readonly call: string; readonly served: string }>;

export type TemplateName = keyof typeof TEMPLATES;

export interface NewFile {
  /** Relative to the app's folder. */
  readonly path: string;
  readonly content: string;
}

export interface NewAppOptions {
  readonly name: string;
  readonly template: TemplateName;
  /** The range of the SDK to depend on; null in a checkout, whose SDK no registry has. */
  readonly sdkRange: string | null;
}

/** All files of a new app. */
export function toNewFiles(options: NewAppOptions): readonly NewFile[] {
  return [
    { path: "app.ts", content: readTemplate(options.template).replaceAll("{{name}}", options.name) },
    { path: "package.json", content: toJson(toPackageJson(options)) },
    { path: "tsconfig.json", content: toJson(toTsconfig(options)) },
    { path: ".gitignore", content: "node_modules/\ndist/\n.env\n" },
    { path: "README.md", content: toReadme(options) },
  ];
}

function readTemplate(template: TemplateName): string {
  return readFileSync(new URL(`../../templates/${template}/app.ts`, import.meta.url), "utf8");
}

function toPackageJson({ name, sdkRange }: NewAppOptions): object {
  return {
    name: name.toLowerCase(),
    version: "0.0.0",
    private: true,
    type: "module",
    scripts: { dev: "samovar serve app.ts", deploy: "samovar deploy app.ts", typecheck: "tsc" },
    ...(sdkRange === null ? {} : { dependencies: { samovar: sdkRange } }),
    devDependencies: { "@types/node": "^26.0.0", typescript: "^7.0.0" },
  };
}

function toTsconfig({ sdkRange }: NewAppOptions): object {
  return {
    compilerOptions: {
      target: "esnext",
      lib: ["esnext"],
      module: "preserve",
      moduleResolution: "bundler",
      types: ["node"],
      strict: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: true,
      noEmit: true,
      allowImportingTsExtensions: true,
      // In a checkout the SDK's types are its sources, and those are checked by the app's options.
      ...(sdkRange === null ? { customConditions: ["samovar-source"], exactOptionalPropertyTypes: true } : {}),
    },
    include: ["**/*.ts"],
  };
}

function toReadme({ name, template }: NewAppOptions): string {
  const { call, served } = TEMPLATES[template];
  return `# ${name}

\`\`\`sh
samovar run app.ts                # main, here; its calls are answered in containers that end with it
samovar serve app.ts              # over HTTP, and again after each edit
samovar up -d && samovar deploy app.ts   # on a server that stays, in versions
\`\`\`

One call: \`samovar run app.ts:${call}\`. Once it is deployed, \`samovar logs -f ${served}\` follows what it writes, and
\`samovar ps\` shows what runs.
`;
}

const toJson = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;
