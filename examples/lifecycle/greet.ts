import { readFile, writeFile } from "node:fs/promises";
import { fn } from "samovar";

export const greet = fn(
  {
    onBuild: () => writeFile("greeting.txt", "Hello"), // what it writes belongs to the code from here on
    onDeploy: (ctx) => ({ release: `v${ctx.version}` }), // JSON, kept with the version
    onStart: async () => ({ greeting: await readFile("greeting.txt", "utf8") }), // stays in the worker
    onStop: (ctx) => ctx.log.info(`it was ${ctx.onStartValue.greeting}`),
  },
  (name: string, ctx) => `${ctx.onStartValue.greeting}, ${name}, from ${ctx.onDeployValue.release}`,
);
