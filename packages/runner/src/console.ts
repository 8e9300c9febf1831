import type { Writable } from "node:stream";
import { scopes, type LogLevel, type Scope } from "./scope.ts";

type StandardStream = "stdout" | "stderr";

/**
 * From here on `console` and what is written to process.stdout and process.stderr become log lines of the hook or
 * input that wrote them. Child processes write to the descriptors themselves: what they say belongs to the worker, and
 * reaches the server through the driver's pipes.
 */
export function installConsole(fallback: Scope): void {
  let levelOfCall: LogLevel | null = null;
  const write = (stream: StandardStream, text: string): void => {
    const scope = scopes.getStore() ?? fallback;
    scope.log.write(scope, stream, levelOfCall ?? (stream === "stdout" ? "info" : "error"), text);
  };

  const sink = (stream: StandardStream): Writable => ({ write: (text: string) => (write(stream, text), true) }) as unknown as Writable;
  const { Console } = process.getBuiltinModule("node:console");
  const captured = new Console({ stdout: sink("stdout"), stderr: sink("stderr"), ignoreErrors: false, colorMode: false });
  const methods = captured as unknown as Record<string, unknown>;
  for (const name of Object.keys(captured)) if (typeof methods[name] === "function") (console as unknown as Record<string, unknown>)[name] = methods[name];
  const withLevel =
    (level: LogLevel, run: (...args: unknown[]) => void) =>
    (...args: unknown[]): void => {
      levelOfCall = level;
      try {
        run(...args);
      } finally {
        levelOfCall = null;
      }
    };
  console.warn = withLevel("warn", captured.warn);
  console.debug = withLevel("debug", captured.debug);

  for (const name of ["stdout", "stderr"] as const) replaceStream(name, (text) => write(name, text));
}

/** The real stream is only made when somebody asks for it: most code has enough with console. */
function replaceStream(name: StandardStream, write: (text: string) => void): void {
  const original = Object.getOwnPropertyDescriptor(process, name)!;
  let stream: NodeJS.WriteStream | undefined;
  Object.defineProperty(process, name, {
    configurable: true,
    enumerable: true,
    get: () => {
      if (!stream) {
        stream = original.get!.call(process) as NodeJS.WriteStream;
        stream.write = (chunk: string | Uint8Array, encoding?: BufferEncoding | (() => void), done?: () => void): boolean => {
          const callback = typeof encoding === "function" ? encoding : done;
          write(typeof chunk === "string" ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).toString());
          if (callback) process.nextTick(callback);
          return true;
        };
      }
      return stream;
    },
  });
}
