import type { FileOwner } from "../container-folder.ts";

/** Who the container's root is on this machine. */
export interface UserMapping {
  /** Owns the container's files. */
  readonly owner: FileOwner;
  /** How many ids it has; 0: no user namespace, and the container runs as `owner`. */
  readonly size: number;
}

/** Above what is handed out to people, services and the usual tools for sub ids; below 2^31, which some programs can't take. */
const FIRST_ID = 0x7000_0000;
const RANGE = 65_536;
const RANGES = 4_096;

/**
 * Containers of one code are one trust domain: they have one range of ids, so that what one wrote to the compile
 * cache is another's as well. Made of the code's id, so that it is the same after a restart. Two codes that fall on one
 * range share no files, only some of the kernel's counts by user.
 */
export function toUserMapping(codeId: string, rights: { readonly uid: number; readonly gid: number; readonly userNamespace: boolean }): UserMapping {
  // An ordinary user may map nobody but itself.
  if (rights.uid !== 0) return { owner: { uid: rights.uid, gid: rights.gid }, size: rights.userNamespace ? 1 : 0 };
  const id = FIRST_ID + (hash(codeId) % RANGES) * RANGE;
  return { owner: { uid: id, gid: id }, size: rights.userNamespace ? RANGE : 0 };
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return value;
}
