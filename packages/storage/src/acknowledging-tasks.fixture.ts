/** Puts tasks in and does them without end, and prints every insert and every end once it is acknowledged: for the test that kills it. */
import { silentLogger, systemClock } from "@samovar/kit";
import { openSqliteStorage } from "./sqlite-storage.ts";
import { settlementSample, startSample, taskSample } from "./task-samples.fixture.ts";

const [file, round] = process.argv.slice(2);
const { tasks } = await openSqliteStorage({ file: file!, logger: silentLogger, clock: systemClock });
await tasks.recover(Date.now());

const taken = new Set<string>();

async function takeNext(): Promise<{ readonly id: string; readonly attempt: number } | undefined> {
  const ready = await tasks.ready("resize", null, 20);
  const next = ready.find(({ id }) => !taken.has(id));
  if (next) taken.add(next.id);
  return next;
}

await Promise.all(
  Array.from({ length: 8 }, async (_, writer) => {
    for (let i = 0; ; i++) {
      const id = `tk_${round}_${writer}_${i}`;
      await tasks.insert([
        taskSample(id, { concurrencyKey: i % 3 === 0 ? "k" : null, callbackUrl: i % 2 === 0 ? "https://example.com/done" : null, createdAtMs: Date.now() }),
      ]);
      process.stdout.write(`inserted ${id}\n`);
      const next = await takeNext();
      if (!next) continue;
      const start = startSample(next.id, next.attempt + 1, Date.now());
      tasks.started(start);
      const { applied } = await tasks.settle(settlementSample(start, { result: { encoding: "json", bytes: Buffer.from(next.id) } }));
      if (applied) process.stdout.write(`settled ${next.id}\n`);
    }
  }),
);
