import { lstat } from "node:fs/promises";
import { SamovarError } from "@samovar/protocol";
import type { CdiDeviceNode } from "./cdi-spec.ts";

const TYPE_MASK = 0o170000;
const TYPES: Readonly<Record<number, "b" | "c" | "p">> = { 0o060000: "b", 0o020000: "c", 0o010000: "p" };

/** What this machine says of a device that a CDI file names by its path alone. Throws `unsupported` where it is none. */
export async function completeNode(node: CdiDeviceNode): Promise<CdiDeviceNode> {
  if (node.type === "p" || (node.type !== undefined && node.major !== undefined && node.minor !== undefined)) return node;
  const path = node.hostPath ?? node.path;
  let found;
  try {
    found = await lstat(path);
  } catch (cause) {
    throw new SamovarError("unsupported", `A CDI file names the device ${path}, which is not there: make the file again with \`nvidia-ctk cdi generate\``, {
      cause,
    });
  }
  const type = TYPES[found.mode & TYPE_MASK];
  if (type === undefined) throw new SamovarError("unsupported", `A CDI file names the device ${path}, which is no device: make the file again`);
  const { major, minor } = splitDeviceNumber(found.rdev);
  return { ...node, type: node.type ?? type, ...(type === "p" ? {} : { major: node.major ?? major, minor: node.minor ?? minor }) };
}

/** As the C library packs them: 32 bits of each, in 64. */
export function splitDeviceNumber(rdev: number): { readonly major: number; readonly minor: number } {
  const bits = BigInt(rdev);
  return {
    major: Number(((bits >> 8n) & 0xfffn) | ((bits >> 32n) & 0xfffff000n)),
    minor: Number((bits & 0xffn) | ((bits >> 12n) & 0xffffff00n)),
  };
}
