import { Queue } from "bullmq";
import { makeWorkerUtils } from "graphile-worker";
import { PgBoss } from "pg-boss";
import { readPackageVersion } from "../package-version.ts";
import { PostgresServer, whyNoPostgres } from "../targets/postgres-server.ts";
import { RedisServer, whyNoRedis } from "../targets/redis-server.ts";
import type { SystemName } from "./client.ts";
import { PeerSystem } from "./peer-system.ts";
import { CONCURRENCIES, IDLE_QUEUE, queueOf } from "./system.ts";

export interface Peer {
  readonly name: SystemName;
  /** What is missing for it; null: nothing. */
  whyNot(): Promise<string | null>;
  start(): Promise<PeerSystem>;
}

const QUEUES = [...CONCURRENCIES.map(queueOf), IDLE_QUEUE];

export const PEERS: readonly Peer[] = [
  { name: "bullmq", whyNot: whyNoRedis, start: startBullmq },
  { name: "graphile", whyNot: whyNoPostgres, start: startGraphile },
  { name: "pgboss", whyNot: whyNoPostgres, start: startPgboss },
];

async function startBullmq(): Promise<PeerSystem> {
  const redis = await RedisServer.start();
  const queues = new Map(QUEUES.map((name) => [name, new Queue(name, { connection: { url: redis.url } })]));
  return new PeerSystem({
    address: { system: "bullmq", url: redis.url },
    version: readPackageVersion("bullmq"),
    durability: "acknowledged from memory; the log is synced each second (appendfsync everysec): a crash of the machine may lose the last second",
    pid: redis.pid,
    async hasOpenJobs(queue) {
      const counts = await queues.get(queue)!.getJobCounts("active", "waiting");
      return counts["active"]! + counts["waiting"]! > 0;
    },
    async stop() {
      for (const queue of queues.values()) await queue.close();
      await redis.stop();
    },
  });
}

/** A server for each of the two, so that neither's leavings cost the other. */
async function startGraphile(): Promise<PeerSystem> {
  const postgres = await PostgresServer.start();
  const utils = new Map<string, Awaited<ReturnType<typeof makeWorkerUtils>>>();
  for (const name of QUEUES) {
    await postgres.createDatabase(name);
    const one = await makeWorkerUtils({ connectionString: `${postgres.url}/${name}`, maxPoolSize: 2 });
    await one.migrate();
    utils.set(name, one);
  }
  return new PeerSystem({
    address: { system: "graphile", url: postgres.url },
    version: readPackageVersion("graphile-worker"),
    durability: "acknowledged after fsync of the commit; done jobs are deleted, no results",
    pid: postgres.pid,
    hasOpenJobs: (queue) =>
      utils.get(queue)!.withPgClient(async (client) => (await client.query("select 1 from graphile_worker._private_jobs limit 1")).rowCount === 1),
    async stop() {
      for (const one of utils.values()) await one.release();
      await postgres.stop();
    },
  });
}

async function startPgboss(): Promise<PeerSystem> {
  const postgres = await PostgresServer.start();
  await postgres.createDatabase("pgboss");
  const boss = await new PgBoss({ connectionString: `${postgres.url}/pgboss`, max: 2, supervise: false, schedule: false }).start();
  for (const name of QUEUES) await boss.createQueue(name, { notify: true });
  return new PeerSystem({
    address: { system: "pgboss", url: postgres.url },
    version: readPackageVersion("pg-boss"),
    durability: "acknowledged after fsync of the commit",
    pid: postgres.pid,
    async hasOpenJobs(queue) {
      const { rows } = await boss.getDb().executeSql("select 1 from pgboss.job where name = $1 and state < 'completed' limit 1", [queue]);
      return rows.length === 1;
    },
    async stop() {
      await boss.stop();
      await postgres.stop();
    },
  });
}
