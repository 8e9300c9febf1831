import type { ServerInfo } from "@samovar/protocol";
import type { Colors } from "./colors.ts";

/** A server as `up` and `status` show it: where, what, and what this machine can't do. */
export function renderServer(info: ServerInfo, colors: Colors): string {
  const kind = info.embedded ? "embedded: it ends with its last session" : "stays until `samovar down`";
  const lines = [
    `${colors.bold("Samovar")} ${info.version} at ${colors.cyan(info.url)} ${colors.dim(`(pid ${info.pid}, ${kind})`)}`,
    `home      ${info.home}`,
    `driver    ${info.driver.name}, isolation: ${info.driver.capabilities.isolation}`,
    ...(info.driver.gpus.length === 0 ? [] : [`gpus      ${info.driver.gpus.map((gpu) => `${gpu.name} (${gpu.memoryMib} MiB)`).join(", ")}`]),
    ...info.driver.missing.map((sentence) => `${colors.yellow("  !")}       ${sentence}`),
  ];
  return `${lines.join("\n")}\n`;
}
