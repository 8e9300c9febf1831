import type { FunctionInfo } from "@samovar/protocol";
import type { Family, Labels } from "./exposition.ts";

/** Pools as they are now. Those beyond `maxFunctions`, the least busy, are told together. */
export function poolFamilies(functions: readonly FunctionInfo[], maxFunctions: number): Family[] {
  const pools = bounded(functions, maxFunctions);
  const gauge = (name: string, help: string, of: (pool: Pool) => number): Family => ({
    name,
    help,
    type: "gauge",
    samples: pools.map((pool) => ({ labels: pool.labels, value: of(pool) })),
  });
  return [
    {
      name: "samovar_containers",
      help: "Containers of a pool by state.",
      type: "gauge",
      samples: pools.flatMap(({ labels, containers }) =>
        (["starting", "ready", "draining"] as const).map((state) => ({ labels: { ...labels, state }, value: containers[state] })),
      ),
    },
    gauge("samovar_inputs_pending", "Inputs that wait for a container.", ({ pending }) => pending),
    gauge("samovar_inputs_running", "Inputs that containers hold.", ({ running }) => running),
    gauge("samovar_pool_failing", "1 where starts of containers fail and inputs are refused.", ({ failing }) => failing),
  ];
}

interface Pool {
  readonly labels: Labels;
  readonly containers: FunctionInfo["containers"];
  readonly pending: number;
  readonly running: number;
  readonly failing: number;
}

function bounded(functions: readonly FunctionInfo[], max: number): Pool[] {
  // Two sessions may run the same file at once: Prometheus takes no two lines of the same labels.
  const pools = Map.groupBy(functions.map(toPool), ({ labels }) => `${labels["app"]}/${labels["function"]}/${labels["version"]}`);
  const merged = [...pools.values()].map((same) => merge(same[0]!.labels, same));
  if (merged.length <= max) return merged;
  const sorted = merged.toSorted((one, other) => busyness(other) - busyness(one));
  return [...sorted.slice(0, max), merge({ app: "", function: "other", version: "" }, sorted.slice(max))];
}

function merge(labels: Labels, pools: readonly Pool[]): Pool {
  if (pools.length === 1) return { ...pools[0]!, labels };
  const sum = (of: (pool: Pool) => number): number => pools.reduce((total, pool) => total + of(pool), 0);
  return {
    labels,
    containers: {
      starting: sum(({ containers }) => containers.starting),
      ready: sum(({ containers }) => containers.ready),
      draining: sum(({ containers }) => containers.draining),
    },
    pending: sum(({ pending }) => pending),
    running: sum(({ running }) => running),
    failing: Math.sign(sum(({ failing }) => failing)),
  };
}

function busyness({ containers, pending, running }: Pool): number {
  return containers.starting + containers.ready + containers.draining + pending + running;
}

function toPool({ app, name, version, state, containers, pending, running }: FunctionInfo): Pool {
  return { labels: { app, function: name, version: String(version) }, containers, pending, running, failing: state === "failing" ? 1 : 0 };
}
