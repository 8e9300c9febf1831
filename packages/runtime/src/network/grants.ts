import type { Grant } from "./firewall-rules.ts";
import { MAX_GRANTED } from "./firewall-rules.ts";

/** Clients keep an address a little longer than its answer says; open connections go on after it anyhow. */
const MIN_LIFETIME_S = 60;
const MAX_LIFETIME_S = 86_400;
/** So much longer is remembered that an address was opened: the kernel's clock may be behind ours. */
const SLACK_MS = 10_000;

/** Which addresses are open for one container, and until when: so that asking again costs nothing. Times are monotonic. */
export class Grants {
  readonly #untilMs = new Map<number, number>();
  readonly #others: boolean;

  /** `others`: addresses of which nothing is known here may be open, as another server has left them. */
  constructor({ others = false }: { readonly others?: boolean } = {}) {
    this.#others = others;
  }

  /** What has to be told to the firewall for an answer with these addresses. */
  plan(addresses: readonly number[], ttlS: number, nowMs: number): Grant[] {
    for (const [address, untilMs] of this.#untilMs) if (untilMs + SLACK_MS < nowMs) this.#untilMs.delete(address);
    const lifetimeS = Math.min(MAX_LIFETIME_S, Math.max(MIN_LIFETIME_S, ttlS));
    return [...new Set(addresses)]
      .filter((address) => (this.#untilMs.get(address) ?? -Infinity) < nowMs + Math.min(ttlS, MAX_LIFETIME_S) * 1_000)
      .map((address) => ({ address, lifetimeS, again: this.#others || this.#untilMs.has(address) }));
  }

  /** They are open now. */
  made(grants: readonly Grant[], nowMs: number): void {
    for (const { address, lifetimeS } of grants) this.#untilMs.set(address, nowMs + lifetimeS * 1_000);
  }

  hasRoomFor(grants: readonly Grant[]): boolean {
    return this.#untilMs.size + grants.length <= MAX_GRANTED;
  }
}
