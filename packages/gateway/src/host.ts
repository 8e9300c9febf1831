import { isIP, isIPv4, isIPv6 } from "node:net";
import { SamovarError, show } from "@samovar/protocol";

/**
 * Whose a request is, by its Host. `server`: the server's own, for the control API and calls by path. `function`: that of
 * one function, named by `label`. `foreign`: a name that is not known to lead here; a page of the web may have pointed its own
 * name at this machine, to talk to the server as if it were the page's (DNS rebinding).
 */
export type RequestHost =
  | { readonly kind: "server"; readonly name: string; readonly loopback: boolean }
  | { readonly kind: "function"; readonly label: string; readonly name: string }
  | { readonly kind: "foreign"; readonly name: string };

const LOCALHOST = "localhost";
const NAME = /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/;
const MAX_HOST_LENGTH = 255;
const MAX_CACHED = 256;

/** What stands before the server's own name in the host of a function: hosts have no `_`, and no upper case. */
export function hostLabel(name: string): string {
  return name.toLowerCase().replaceAll("_", "-");
}

/**
 * Reads a Host header. IP addresses are the server's own, whichever they are: a browser that shows one has asked for it, and
 * not for a name that somebody else resolves. Names must be known: `localhost` and those of `hosts`, and what
 * stands before one of them names a function. Undefined for what is no host.
 */
export function parseHost(header: string, hosts: readonly string[]): RequestHost | undefined {
  if (header.length > MAX_HOST_LENGTH) return undefined;
  const host = header.toLowerCase();
  if (host.startsWith("[")) {
    const match = /^\[([0-9a-f:.]+)\](?::\d{0,5})?$/.exec(host);
    if (!match || !isIPv6(match[1]!)) return undefined;
    return { kind: "server", name: `[${match[1]}]`, loopback: match[1] === "::1" };
  }
  const name = host.replace(/:\d{0,5}$/, "").replace(/\.$/, "");
  if (isIPv4(name)) return { kind: "server", name, loopback: name.startsWith("127.") };
  if (!NAME.test(name)) return undefined;
  if (name === LOCALHOST) return { kind: "server", name, loopback: true };
  if (hosts.includes(name)) return { kind: "server", name, loopback: false };
  let above = "";
  for (const known of [LOCALHOST, ...hosts]) if (known.length > above.length && name.endsWith(`.${known}`)) above = known;
  return above === "" ? { kind: "foreign", name } : { kind: "function", label: name.slice(0, -above.length - 1), name };
}

/** A configured host name as hosts are compared: lower case, without a port, a dot at its end or `*.` before it. */
export function normalizeHost(text: string): string {
  return text.trim().toLowerCase().replace(/^\*\./, "").replace(/:\d+$/, "").replace(/\.$/, "");
}

/** The hosts that a gateway answers on. */
export class Hosts {
  #names: readonly string[];
  /** The same header comes with every call of a client. */
  readonly #read = new Map<string, RequestHost>();

  constructor(names: readonly string[]) {
    this.#names = names.map(normalizeHost).filter((name) => name !== "");
  }

  /** The name that the server listens under is known as well. */
  add(name: string): void {
    if (isIP(name) === 0) this.#names = [...this.#names, normalizeHost(name)];
    this.#read.clear();
  }

  /** Undefined when there is no Host; throws `invalid_request` for one that can't be read, or two. */
  read(rawHeaders: readonly string[]): RequestHost | undefined {
    let header: string | undefined;
    for (let i = 0; i < rawHeaders.length; i += 2) {
      if (rawHeaders[i]!.length !== 4 || rawHeaders[i]!.toLowerCase() !== "host") continue;
      if (header !== undefined) throw new SamovarError("invalid_request", "The request has the header Host twice: send one");
      header = rawHeaders[i + 1]!;
    }
    if (header === undefined) return undefined;
    const known = this.#read.get(header);
    if (known) return known;
    const host = parseHost(header, this.#names);
    if (!host) throw new SamovarError("invalid_request", `The header Host is ${show(header)}: it is not a host name with or without a port`);
    if (this.#read.size >= MAX_CACHED) this.#read.clear();
    this.#read.set(header, host);
    return host;
  }

  /** `forbidden`, with what makes the name known. */
  refuse(name: string): SamovarError {
    const known = ["localhost", "an IP address", ...this.#names].join(", ");
    return new SamovarError(
      "forbidden",
      `This server is not known under the host ${show(name)}: use one of its own (${known}), or set SAMOVAR_HOSTS=${name} where the server starts`,
    );
  }
}

export function withoutHost(): SamovarError {
  return new SamovarError("invalid_request", "The request has no header Host: HTTP/1.1 wants one");
}
