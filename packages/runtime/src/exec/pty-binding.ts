import { createRequire } from "node:module";

/** The part of the binding that is used. Descriptors of terminals are inherited by whatever is started later in this process. */
export interface PtyBinding {
  fork(
    file: string,
    args: readonly string[],
    env: readonly string[],
    cwd: string,
    columns: number,
    rows: number,
    uid: number,
    gid: number,
    utf8: boolean,
    helperPath: string,
    onExit: (code: number, signal: number) => void,
  ): { readonly fd: number; readonly pid: number; /** Path of the program's end. */ readonly pty: string };
  resize(fd: number, columns: number, rows: number): void;
}

/** The binding for this machine and the program by which it starts others on macOS; null where there is none. */
export function loadPtyBinding(
  platform: string = process.platform,
  arch: string = process.arch,
): { readonly binding: PtyBinding; readonly helperPath: string } | null {
  const require = createRequire(import.meta.url);
  const name = `@lydell/node-pty-${platform}-${arch}`;
  try {
    return { binding: require(`${name}/pty.node`) as PtyBinding, helperPath: platform === "darwin" ? require.resolve(`${name}/spawn-helper`) : "" };
  } catch {
    return null;
  }
}
