import { SamovarError } from "@samovar/protocol";

/** Loopback under any of its usual names. */
const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"];

/**
 * Refuses a Host that is not the server's own: a page on the web may point its own name at 127.0.0.1 and would
 * else talk to the control API as if it were its server (DNS rebinding).
 */
export function createHostCheck(hosts: readonly string[]): (host: string | undefined) => void {
  const allowed = new Set([...LOOPBACK, ...hosts.map((host) => host.toLowerCase())]);
  return (host) => {
    const name = host?.toLowerCase().replace(/:\d*$/, "");
    if (name !== undefined && allowed.has(name)) return;
    throw new SamovarError("forbidden", `The control API is not served for the host ${JSON.stringify(host ?? "")}: use one of ${[...allowed].join(", ")}`);
  };
}
