import { MountSpace } from "./mount-space.ts";

/** How runtimes get at containers' folders: through a mount table of the driver's own, or, for an ordinary user, directly. */
export interface HostAccess {
  /** Program and arguments in front of a runtime's. */
  readonly prefix: readonly string[];
  /** A path of the containers' folder as runtimes see it. */
  inside(path: string): string;
  dispose(): Promise<void>;
}

export async function openHostAccess(home: string, isRoot: boolean): Promise<HostAccess> {
  return isRoot ? MountSpace.open(home) : { prefix: [], inside: (path) => path, dispose: () => Promise.resolve() };
}
