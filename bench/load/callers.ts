/** Callers of a real HTTP client, each of which calls again as soon as it has its answer. */
export interface CallersOptions {
  readonly url: URL;
  readonly token: string;
  readonly callers: number;
}

export interface CallersReport {
  readonly calls: number;
  /** What was not answered with 200, a sentence each. */
  readonly failures: readonly string[];
  /** Of each caller, from the start to its first answer. */
  readonly firstMs: readonly number[];
  readonly slowestMs: number;
}

export interface Callers {
  /** Resolves when each caller has had an answer. */
  readonly served: Promise<void>;
  /** Resolves when what was under way is answered. */
  stop(): Promise<CallersReport>;
}

export function startCallers({ url, token, callers }: CallersOptions): Callers {
  const startedMs = performance.now();
  const failures: string[] = [];
  const firstMs: number[] = [];
  const served = Promise.withResolvers<void>();
  let calls = 0;
  let slowestMs = 0;
  let stopped = false;
  const call = async (): Promise<void> => {
    for (let isFirst = true; !stopped; isFirst = false) {
      const sentMs = performance.now();
      try {
        const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
        const text = await response.text();
        if (response.status !== 200) failures.push(`${response.status}: ${text.slice(0, 300)}`);
      } catch (error) {
        failures.push(String((error as Error).cause ?? error));
      }
      calls++;
      slowestMs = Math.max(slowestMs, performance.now() - sentMs);
      if (!isFirst) continue;
      firstMs.push(performance.now() - startedMs);
      if (firstMs.length === callers) served.resolve();
    }
  };
  const all = Promise.all(Array.from({ length: callers }, call));
  return {
    served: served.promise,
    async stop() {
      stopped = true;
      await all;
      return { calls, failures, firstMs, slowestMs };
    },
  };
}
