import { randomBytes } from "node:crypto";
import { flushCompileCache } from "node:module";
import { join } from "node:path";
import { createAuthenticator, createExecUpgrade, createGateway, type Gateway } from "@samovar/gateway";
import { disposeAll, systemClock, type Clock, type Logger } from "@samovar/kit";
import { createIdSource, type ServerInfo } from "@samovar/protocol";
import { keptRunner } from "@samovar/runner";
import { createDriver, Gpus, type RuntimeDriver } from "@samovar/runtime";
import { HostCapacity, TaskQueues, WorkerHub, type Container, type ContainerHost } from "@samovar/scheduler";
import { openSqliteStorage, type Storage } from "@samovar/storage";
import { MAX_CALLBACK_RESULT_BYTES } from "./callbacks/callback-body.ts";
import { ensureCallbackSecret } from "./callbacks/callback-secret.ts";
import { Callbacks } from "./callbacks/callbacks.ts";
import { backUpHome } from "./backup/back-up-home.ts";
import { BlobStore } from "./code/blob-store.ts";
import { BuildStore } from "./code/build-store.ts";
import { CodeStore } from "./code/code-store.ts";
import type { ServerConfig } from "./config.ts";
import { createContainerCalls } from "./container-calls.ts";
import { Control } from "./control.ts";
import { Execs } from "./exec.ts";
import { ensureAdminToken } from "./home/admin-token.ts";
import { checkDatabase } from "./home/lost-database.ts";
import { acquireHomeLock, type HomeLock } from "./home/lock.ts";
import { toHomeFailure } from "./home/home-failure.ts";
import { createHome, type HomePaths } from "./home/paths.ts";
import { Retention, clearDeadCode } from "./home/retention.ts";
import { hostSize } from "./host-size.ts";
import { hostImageId } from "./image-id.ts";
import { LogStore } from "./logs/log-store.ts";
import { Metrics } from "./metrics/metrics.ts";
import { AppMaker } from "./apps/app-maker.ts";
import { Deployments } from "./deployments/deployments.ts";
import { selectReturning, takeBack } from "./deployments/returning.ts";
import { FunctionRegistry } from "./apps/function-registry.ts";
import { RunningServer, type SamovarServer } from "./running-server.ts";
import { Schedules } from "./schedules/schedules.ts";
import { Sessions } from "./sessions/sessions.ts";
import { settleLeftTasks } from "./tasks/left-tasks.ts";
import { createServing } from "./tasks/serving.ts";
import { TaskRetention } from "./tasks/task-retention.ts";
import { Tasks } from "./tasks/tasks.ts";
import { Tokens } from "./tokens/tokens.ts";
import { SERVER_VERSION } from "./version.ts";
import { closeWorkerSocket, listenForWorkers } from "./worker-socket.ts";

export interface ServerOptions {
  readonly config: ServerConfig;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** In place of the driver that the configuration names: for tests. */
  readonly createDriver?: (home: HomePaths, runnerFile: string) => Promise<RuntimeDriver>;
}

/** An embedded server to which no session came ends by itself. */
const EMBEDDED_LONELY_MS = 10_000;
/** What an earlier server left looks for one for 10 s, lets inputs finish for 10 s, and has 30 s for its stop hooks unless set. */
const MAX_LEFT_MS = 45_000;

/**
 * Builds everything and owns its start and stop. Order of the start: lock, then what needs nothing from each other side
 * by side, then the front door. The stop goes the other way.
 */
export async function startServer(options: ServerOptions): Promise<SamovarServer> {
  const { config, logger } = options;
  const clock = options.clock ?? systemClock;
  let lock: HomeLock | undefined;
  try {
    const home = createHome(config.home);
    lock = acquireHomeLock(home);
    return await startLocked(options, clock, home, lock, logger);
  } catch (error) {
    lock?.release();
    throw toHomeFailure(error, config.home);
  }
}

async function startLocked(options: ServerOptions, clock: Clock, home: HomePaths, lock: HomeLock, logger: Logger): Promise<SamovarServer> {
  const { config } = options;
  const startedAtMs = clock.now();
  const ids = createIdSource();
  const undo: (() => unknown)[] = [() => lock.release()];
  const databaseState = await checkDatabase(home);
  const storing = openSqliteStorage({ file: home.database, logger, clock });
  // Whichever fails first is told; the storage must then be closed all the same.
  storing.catch(() => {});
  const runner = keptRunner(home.cache);
  const finding = options.createDriver ? Promise.resolve(Gpus.none) : Gpus.open({ logger, clock, madeUp: config.gpus });
  finding.catch(() => {});
  try {
    const [storage, driver] = await Promise.all([
      storing,
      runner.then(async (runnerFile) =>
        options.createDriver
          ? options.createDriver(home, runnerFile)
          : createDriver({
              kind: config.driver,
              home: home.containers,
              verdictFile: join(home.cache, "oci-verdict.json"),
              nodePath: process.execPath,
              runnerFile,
              clock,
              logger,
              gpus: await finding,
            }),
      ),
    ]);
    undo.unshift(
      () => storage.close(),
      () => driver.dispose(),
    );
    const { token: adminToken, records } = await ensureAdminToken(home.adminToken, storage, ids, clock);

    const authenticator = createAuthenticator(records, clock);
    const hub = new WorkerHub({ clock, logger });
    // Workers of an earlier server come at once: nobody knows them until it is restored what is deployed.
    const restored = Promise.withResolvers<void>();
    const workerSocket = await listenForWorkers(home.workerSocket, hub, restored.promise);
    undo.unshift(() => closeWorkerSocket(workerSocket, hub, home.workerSocket));

    const registry = new FunctionRegistry();
    const logs = new LogStore(home.logs, logger);
    const blobs = new BlobStore(home.blobs, clock);
    const code = new CodeStore(home.code, blobs, logger);
    const queues = new TaskQueues({
      store: storage.tasks,
      clock,
      logger,
      random: Math.random,
      observer: {
        callbackDue: () => callbacks.wake(),
        attemptEnded: (end) => metrics.taskAttemptEnded(end),
      },
    });
    const [deployed, living, alive] = await Promise.all([storage.deployments.load(), storage.containers.living(), driver.left()]);
    const returning = config.embedded ? [] : selectReturning(living, deployed, alive);
    const returningIds = new Set(returning.map(({ info }) => info.id));
    const [left, , ticked, callbackSecret] = await Promise.all([
      queues.recover(returningIds),
      storage.containers.endAllLiving("server-lost", startedAtMs, returningIds),
      storage.schedules.load(),
      ensureCallbackSecret(home.callbackSecret, randomBytes),
    ]);
    if (databaseState === "lost")
      logger.warn(
        { home: home.root },
        "The database is gone and a new one was made; code of earlier deployments is kept until the next start, for samovar restore",
      );
    else
      await clearDeadCode(home, new Set(deployed.versions.flatMap(({ code, builtCode }) => [code, ...Object.values(builtCode)].map(({ codeId }) => codeId))));
    let url = "";
    const containers = new Map<string, Container>();
    const metrics = new Metrics({ version: SERVER_VERSION, driver: driver.info.name, functions: () => control.functions() });
    undo.unshift(() => metrics.dispose());
    const host: ContainerHost = {
      driver,
      hub,
      capacity: new HostCapacity(hostSize(driver.info.gpus), clock),
      clock,
      logger,
      serverAddress: home.workerSocket,
      serverUrl: () => url,
      containerTokens: {
        add: (containerId, tokenHash, app) => authenticator.addContainer(containerId, tokenHash, app),
        remove: (containerId) => authenticator.removeContainer(containerId),
      },
      leftInputs: queues.left,
      containerChanged: (container) => {
        if (container.state === "ended") containers.delete(container.id);
        else containers.set(container.id, container);
        const info = container.info();
        storage.containers.record(info, { tokenHash: container.tokenHash, gpus: container.plan.gpus });
        metrics.containerChanged(info);
        sessions.containerChanged(info);
      },
      log: (line, container) => {
        logs.append(line);
        sessions.logged(line, container.plan.load.functionId);
        deployments.logged(line, container.plan.load.functionId);
      },
      call: createContainerCalls({ registry, ids, clock, tasks: () => tasks, scale: (functionId, patch) => control.scale(functionId, patch) }),
    };
    const maker = new AppMaker({
      host,
      ids,
      code,
      builds: new BuildStore(home.builds, hostImageId(), clock),
      compileCacheDir: join(home.cache, "compile"),
      callEnded: (call) => storage.tasks.recordCalls([call]),
    });
    const tasks = new Tasks({
      store: storage.tasks,
      queues,
      registry,
      callbackOf: async (taskId) => (await storage.callbacks.list({ taskId, limit: 1 }))[0] ?? null,
      ids,
      clock,
      embedded: config.embedded,
    });
    const callbacks = new Callbacks({
      store: storage.callbacks,
      detail: (taskId) => tasks.get(taskId, MAX_CALLBACK_RESULT_BYTES),
      secret: callbackSecret,
      allow: config.callbackAllow,
      deny: config.callbackDeny,
      url: () => url,
      clock,
      logger,
      random: Math.random,
    });
    undo.unshift(() => callbacks.dispose());
    const schedules = new Schedules({ store: storage.schedules, clock, logger });
    schedules.restore(ticked);
    const serving = createServing({ queues, tasks: () => tasks, schedules: () => schedules, logger });
    const server = new RunningServer();
    const deployments = new Deployments({
      store: storage.deployments,
      registry,
      maker,
      serving,
      code,
      ids,
      clock,
      logger,
      url: () => url,
      describeImpossible: (options) => host.capacity.describeImpossible(options),
      hostCeiling: (options) => host.capacity.ceiling(options),
      embedded: config.embedded,
    });
    const sessions = new Sessions({
      registry,
      maker,
      serving,
      clock,
      newSessionId: () => ids("session"),
      url: () => url,
      onLast: () => {
        if (config.embedded) server.shutdown("done");
      },
    });
    const info = (): ServerInfo => ({
      version: SERVER_VERSION,
      pid: process.pid,
      startedAtMs,
      home: home.root,
      url,
      embedded: config.embedded,
      driver: driver.info,
    });
    const tokens = new Tokens({ store: storage.tokens, records, authenticator, ids, clock, ownToken: adminToken });
    const execs = new Execs({ living: containers });
    undo.unshift(() => execs.dispose());
    const control = new Control({
      info,
      execs,
      tokens,
      tasks,
      schedules,
      callbacks,
      shutdown: (reason) => server.shutdown(reason),
      backup: (to) => backUpHome(to, { home, storage, clock, version: SERVER_VERSION }),
      blobs,
      sessions,
      deployments,
      registry,
      logs,
      storage,
      living: containers,
    });
    const gateway: Gateway = createGateway({
      functions: registry,
      control,
      authenticator,
      metrics: () => metrics.scrape(),
      onCallEnded: (entry, status, durationMs) => metrics.callEnded(entry, status, durationMs),
      execUpgrade: createExecUpgrade({ control, authenticator, clock, logger }),
      clock,
      logger,
      ids,
      hosts: config.hosts,
      maxBodyBytes: config.maxBodyBytes,
      maxConnections: config.maxConnections,
    });
    undo.unshift(() => gateway.dispose({ graceMs: 2_000 }));
    url = await gateway.listen(config.host, config.port);
    // In the same turn: no request comes before the routes, and containers of a floor know the address.
    deployments.restore(deployed, () => takeBack(returning, left.running, { registry, queues }));
    // Behind the reads that have begun: a worker may bring back a task whose start was not on disk.
    void storage.flush().then(restored.resolve, restored.resolve);
    // However many they are, and whether the disk takes it: nobody waits for what nobody serves.
    const settled = settleLeftTasks(left.bases, queues, { registry, isDeployed: (name) => deployments.has(name), embedded: config.embedded }, logger);
    undo.unshift(() => settled);
    callbacks.wake();
    const taskRetention = new TaskRetention(storage.tasks, clock, logger);
    undo.unshift(() => taskRetention.dispose());
    lock.announce({ pid: process.pid, url, startedAtMs });
    const retention = new Retention({ home, runnerFile: await runner, startedAtMs, clock, logger });
    undo.unshift(() => retention.dispose());
    if (config.embedded) {
      clock.after(EMBEDDED_LONELY_MS, () => {
        if (sessions.size === 0) server.shutdown("done");
      });
    }
    server.begin({
      url,
      adminToken,
      info,
      isLonely: () => sessions.size === 0,
      drain: async (reason, drainMs) => {
        gateway.drain();
        queues.dispose();
        await schedules.dispose();
        await Promise.all([sessions.closeAll(reason, drainMs), deployments.closeAll(reason, drainMs)]);
        // An embedded server is one command's, which has nothing to do with what a server that stayed has left.
        if (!config.embedded) await driver.endLeft(Math.min(drainMs, MAX_LEFT_MS));
      },
      // The compile cache would else be written at the process's exit, when the lock is gone.
      finish: () => disposeAll([flushCompileCache, () => logs.flush(), () => storage.flush(), () => code.settled(), ...undo]),
    });
    logger.info({ url, home: home.root, driver: driver.info.name }, "Samovar is ready");
    return server;
  } catch (error) {
    // Nothing of a start that failed may stay: not the storage, nor what was made after it.
    if (undo.length === 1) await storing.then((storage: Storage) => storage.close()).catch(() => {});
    await disposeAll(undo.slice(0, -1)).catch((cause: unknown) => logger.error({ error: String(cause) }, "A failed start could not be undone"));
    throw error;
  }
}
