/** Inserts without end and prints the id of every insert once it is acknowledged: for the test that kills it. */
import { silentLogger, systemClock } from "@samovar/kit";
import { openSqliteStorage } from "./sqlite-storage.ts";

const storage = await openSqliteStorage({ file: process.argv[2]!, logger: silentLogger, clock: systemClock });

await Promise.all(
  Array.from({ length: 8 }, async (_, writer) => {
    for (let i = 0; ; i++) {
      const id = `to_${writer}_${i}`;
      await storage.tokens.insert({ id, hash: id, name: "n", scopes: ["invoke"], app: null, expiresAtMs: null, createdAtMs: i });
      process.stdout.write(`${id}\n`);
    }
  }),
);
