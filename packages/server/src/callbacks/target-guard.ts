import { lookup as lookupByHost, type LookupAddress } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import { networkInterfaces } from "node:os";
import { contains, parseAddress, parseRange } from "./address.ts";
import { judgeAddress, judgeName, type TargetRules } from "./target-rules.ts";

/** A callback may not go there. */
export class TargetRefused extends Error {
  override readonly name = "TargetRefused";
  /** Another try would meet the same: it is the URL itself, and not what a name led to at this moment. */
  readonly isFinal: boolean;

  constructor(message: string, isFinal: boolean) {
    super(message);
    this.isFinal = isFinal;
  }
}

export interface TargetGuardOptions {
  readonly rules: TargetRules;
  /** Of this server's own front door; null while it has none. */
  readonly ownPort: () => number | null;
  /** In place of the system's, for tests. */
  readonly resolve?: (host: string) => Promise<readonly LookupAddress[]>;
  /** Of this machine. In place of the system's, for tests. */
  readonly ownAddresses?: () => readonly string[];
}

export interface Target {
  readonly url: URL;
  /**
   * What the connection asks for addresses. It connects to those that were judged here and asks no second time, so a name
   * that answers otherwise the next time gains nothing.
   */
  readonly lookup: LookupFunction;
}

/**
 * The system's resolver holds one of the process's few threads per question, and files need those too: a name whose
 * servers don't answer may hold up other names, not the server.
 */
const MAX_LOOKUPS = 2;

const LOOPBACK = ["127.0.0.0/8", "::1"].map((text) => parseRange(text)!);

/** Says where callbacks may go, by the URL and then by each address that its name has. */
export class TargetGuard {
  readonly #options: TargetGuardOptions;
  readonly #resolve: (host: string) => Promise<readonly LookupAddress[]>;
  readonly #asked = new Map<string, Promise<readonly LookupAddress[]>>();
  readonly #waiting: (() => void)[] = [];
  #lookups = 0;

  constructor(options: TargetGuardOptions) {
    this.#options = options;
    this.#resolve = options.resolve ?? resolveBySystem;
  }

  /** Throws `TargetRefused` for a URL that is refused whatever its name leads to. */
  check(text: string): Target {
    const url = parseCallbackUrl(text);
    // Brackets of IPv6 aside, `URL` has made one spelling of all there are for an address: decimal, octal, hexadecimal.
    const host = url.hostname.replace(/^\[|\]$/g, "");
    const byName = judgeName(this.#options.rules, host);
    if (byName === "closed") throw new TargetRefused(`${host} is closed by SAMOVAR_CALLBACK_DENY`, true);
    if (isIP(host) !== 0) this.#assertAddress(host, url, true);
    const lookup: LookupFunction = (name, options, answer) =>
      void this.#findAddresses(name, url, byName === "open", toFamily(options.family)).then(
        (found) => (options.all ? answer(null, found) : answer(null, found[0]!.address, found[0]!.family)),
        (error: Error) => answer(error, []),
      );
    return { url, lookup };
  }

  async #findAddresses(name: string, url: URL, isOpen: boolean, family: number): Promise<LookupAddress[]> {
    const addresses = await this.#addressesOf(name);
    // One bad address is reason enough: which of them a connection takes is not ours to say.
    if (!isOpen) for (const { address } of addresses) this.#assertAddress(address, url, false);
    const fitting = addresses.filter((each) => family === 0 || each.family === family);
    if (fitting.length === 0) throw new Error(`${name} has no address`);
    return fitting;
  }

  #assertAddress(address: string, url: URL, isFinal: boolean): void {
    const host = url.hostname.replace(/^\[|\]$/g, "");
    const shown = host === address ? address : `${host} leads to ${address}, which`;
    const judged = judgeAddress(this.#options.rules, address);
    if (judged?.verdict === "open") return;
    if (judged) throw new TargetRefused(`${shown} is ${judged.what}: callbacks don't go there unless SAMOVAR_CALLBACK_ALLOW has it`, isFinal);
    if (portOf(url) === this.#options.ownPort() && this.#isOwn(address))
      throw new TargetRefused(`${shown} with port ${portOf(url)} is this server: callbacks don't go there unless SAMOVAR_CALLBACK_ALLOW has it`, isFinal);
  }

  #isOwn(text: string): boolean {
    const address = parseAddress(text);
    if (!address) return false;
    if (LOOPBACK.some((range) => contains(range, address))) return true;
    const own = (this.#options.ownAddresses ?? addressesOfThisMachine)();
    return own.some((each) => parseAddress(each)?.value === address.value);
  }

  /** Callbacks to one host ask together. */
  #addressesOf(host: string): Promise<readonly LookupAddress[]> {
    const asked = this.#asked.get(host);
    if (asked) return asked;
    const asking = this.#takeTurn()
      .then(() => this.#resolve(host))
      .finally(() => {
        this.#asked.delete(host);
        this.#lookups -= 1;
        this.#waiting.shift()?.();
      });
    this.#asked.set(host, asking);
    return asking;
  }

  async #takeTurn(): Promise<void> {
    if (this.#lookups >= MAX_LOOKUPS) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#lookups += 1;
  }
}

/** Throws `TargetRefused`, saying what is wrong with the URL. */
function parseCallbackUrl(text: string): URL {
  const url = URL.parse(text);
  if (!url) throw new TargetRefused("The callback URL can't be read", true);
  if (url.protocol !== "http:" && url.protocol !== "https:") throw new TargetRefused(`Callbacks go to http: and https:, and the URL has ${url.protocol}`, true);
  if (url.username !== "" || url.password !== "")
    throw new TargetRefused("The callback URL has a user or a password in it: verify the signature instead", true);
  return url;
}

const portOf = (url: URL): number => Number(url.port || (url.protocol === "https:" ? 443 : 80));

/** 0: either. */
const toFamily = (family: number | string | undefined): number => (family === "IPv4" ? 4 : family === "IPv6" ? 6 : Number(family ?? 0));

function resolveBySystem(host: string): Promise<readonly LookupAddress[]> {
  return new Promise((resolve, reject) => lookupByHost(host, { all: true }, (error, addresses) => (error ? reject(error) : resolve(addresses))));
}

function addressesOfThisMachine(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).map(({ address }) => address));
}
