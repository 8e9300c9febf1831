export interface RetryDelayPolicy {
  readonly initialDelayMs: number;
  readonly backoff: number;
  readonly maxDelayMs: number;
  readonly jitter: boolean;
}

/**
 * How long to wait before attempt `failures + 1`. Jitter takes up to half away, so that those who failed together
 * don't come back together. `random` is in [0, 1).
 */
export function retryDelayMs(policy: RetryDelayPolicy, failures: number, random: number): number {
  const full = Math.min(policy.maxDelayMs, policy.initialDelayMs * policy.backoff ** Math.max(0, failures - 1));
  return Math.round(policy.jitter ? full * (1 - random / 2) : full);
}
