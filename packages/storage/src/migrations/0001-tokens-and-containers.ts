/**
 * Columns are what queries ask for. The rest of a container is JSON, so that a later migration can change it with
 * SQLite's own json functions; its parameters are the user's values and keep their types as MessagePack.
 */
export const tokensAndContainers = `
  CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE containers (
    id TEXT PRIMARY KEY,
    function_id TEXT NOT NULL,
    started_at_ms INTEGER NOT NULL,
    ended_at_ms INTEGER,
    info TEXT NOT NULL,
    parameters BLOB NOT NULL
  ) STRICT;

  CREATE INDEX containers_newest ON containers (started_at_ms DESC, id DESC);
  CREATE INDEX containers_newest_of_function ON containers (function_id, started_at_ms DESC, id DESC);
  CREATE INDEX containers_ended ON containers (ended_at_ms DESC, id DESC) WHERE ended_at_ms IS NOT NULL;
`;
