import { arch, machine, platform, release } from "node:os";

/**
 * The identity of the host image, which is what builds are cached by until there are others: machine, system and
 * runtime. (Its packages join it with the driver that gives containers the host's /usr.)
 */
export function hostImageId(): string {
  return ["host", platform(), arch(), machine(), release(), process.versions.node].join(" ");
}
