import { listNames } from "./names.ts";

// `samovar __complete KIND`, which completion scripts call: the launcher and main.ts come here without loading the
// rest of the command.
const names = await listNames(process.argv[3] ?? "", { env: process.env, cwd: process.cwd() });
await new Promise<void>((resolve) => process.stdout.write(names.map((name) => `${name}\n`).join(""), () => resolve()));
// Before whoever imported this goes on.
process.exit(0);
