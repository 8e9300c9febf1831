import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import type { Family } from "./exposition.ts";

const RESOLUTION_MS = 20;
const NS_PER_S = 1e9;

/**
 * What the server's own process uses. Measuring the event loop's delay takes a timer that wakes the process 50 times a
 * second: it begins with the first scrape, so that a server which nobody watches sleeps.
 */
export class ProcessMetrics {
  #delay: ReturnType<typeof monitorEventLoopDelay> | null = null;
  #disposed = false;

  families(): Family[] {
    const { user, system } = process.cpuUsage();
    const { rss, heapUsed } = process.memoryUsage();
    const loop = performance.eventLoopUtilization();
    return [
      gauge("process_start_time_seconds", "When the process began, seconds since the epoch.", performance.timeOrigin / 1_000),
      counter("process_cpu_seconds_total", "User and system CPU time.", (user + system) / 1e6),
      gauge("process_resident_memory_bytes", "Memory in use.", rss),
      gauge("nodejs_heap_size_used_bytes", "JavaScript heap in use.", heapUsed),
      counter("nodejs_eventloop_active_seconds_total", "Time in which the event loop was not idle.", loop.active / 1_000),
      ...this.#delays(),
    ];
  }

  dispose(): void {
    this.#disposed = true;
    this.#delay?.disable();
    this.#delay = null;
  }

  /** Since the scrape before. */
  #delays(): Family[] {
    if (this.#disposed) return [];
    if (!this.#delay) {
      this.#delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
      this.#delay.enable();
      return [];
    }
    if (this.#delay.count === 0) return [];
    // It measures from one firing of its timer to the next.
    const seconds = (ns: number): number => Math.max(0, ns / NS_PER_S - RESOLUTION_MS / 1_000);
    const families = [
      gauge("nodejs_eventloop_lag_mean_seconds", "How late the event loop was since the scrape before, on average.", seconds(this.#delay.mean)),
      gauge(
        "nodejs_eventloop_lag_p99_seconds",
        "How late the event loop was since the scrape before, 99 % of the time at most.",
        seconds(this.#delay.percentile(99)),
      ),
      gauge("nodejs_eventloop_lag_max_seconds", "How late the event loop was since the scrape before, at most.", seconds(this.#delay.max)),
    ];
    this.#delay.reset();
    return families;
  }
}

function gauge(name: string, help: string, value: number): Family {
  return { name, help, type: "gauge", samples: [{ value }] };
}

function counter(name: string, help: string, value: number): Family {
  return { name, help, type: "counter", samples: [{ value }] };
}
