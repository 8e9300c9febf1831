import { enableCompileCache } from "node:module";

// First, so that it covers every import below: the rest of the command is loaded from V8's cache.
enableCompileCache();

// A press of a key waits for this one.
if (process.argv[2] === "__complete") await import("./completion/complete-main.ts");

const { createProcessIo } = await import("./process-io.ts");
const { runCli } = await import("./run-cli.ts");

// Timers of the command never keep it alive by themselves; what it waits for may have nothing else.
setInterval(() => {}, 2 ** 30);

const io = createProcessIo();
const exitCode = await runCli(process.argv.slice(2), io);
// A pipe takes what was written when its reader comes to it; one that has left takes nothing.
await Promise.all([process.stdout, process.stderr].map((stream) => new Promise((resolve) => (stream.writable ? stream.write("", resolve) : resolve(null)))));
// Not left to the event loop: whatever a command failed to close must not keep a finished command alive.
process.exit(exitCode);
