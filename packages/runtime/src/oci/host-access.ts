import { MountSpace } from "./mount-space.ts";

/** How runtimes get at containers' folders: through a mount table of the driver's own, or, for an ordinary user, directly. */
export interface HostAccess {
  /** Program and arguments in front of a runtime's. */
  readonly prefix: readonly string[];
  /** A path of the containers' folder as runtimes see it. */
  inside(path: string): string;
  dispose(): Promise<void>;
}

/** Also the mount table, null where there is none. */
export async function openHostAccess(home: string, isRoot: boolean): Promise<{ readonly access: HostAccess; readonly space: MountSpace | null }> {
  if (!isRoot) return { access: { prefix: [], inside: (path) => path, dispose: () => Promise.resolve() }, space: null };
  const space = await MountSpace.open(home);
  return { access: space, space };
}
