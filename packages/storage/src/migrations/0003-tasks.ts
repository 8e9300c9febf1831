/**
 * What lists show and queries ask for is in `tasks`; inputs and results lie apart, so that a list never reads them.
 *
 * A task that is not over waits or runs. `wait` says for what: 'ready' (nothing but a container), 'time' (`due_at_ms`),
 * 'turn' (others of its concurrency key are before it); null where it runs or is over. Each kind has an index of its own,
 * so that what isn't ready is never in the way of what is. `turn` numbers the line of a concurrency key and is null for
 * what is over. `expiry_at_ms` is null once an attempt has begun; `gone_at_ms` is when the record may be removed.
 *
 * The columns from `version` to `error` are the attempt that runs or was the last; earlier ones are in `task_attempts`,
 * so that a task that succeeds at once is one row. `seq` is the order of insertion, and what other tables name it by.
 *
 * Keys outlive their tasks: one stands for its task until its own time is over.
 */
export const tasks = `
  CREATE TABLE tasks (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    queue TEXT NOT NULL,
    status TEXT NOT NULL,
    wait TEXT,
    attempt INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    due_at_ms INTEGER NOT NULL,
    rank INTEGER NOT NULL,
    turn INTEGER,
    expiry_at_ms INTEGER,
    gone_at_ms INTEGER,
    version INTEGER,
    container_id TEXT,
    started_at_ms INTEGER,
    ended_at_ms INTEGER,
    error TEXT,
    function_name TEXT NOT NULL,
    app TEXT NOT NULL,
    method TEXT,
    parameters TEXT NOT NULL,
    encoding TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    priority REAL NOT NULL,
    expires_at_ms INTEGER,
    concurrency_key TEXT,
    idempotency_key TEXT,
    keep_ms INTEGER NOT NULL,
    callback_url TEXT,
    tick TEXT
  ) STRICT;

  CREATE INDEX tasks_ready ON tasks (queue, rank, id) WHERE wait = 'ready';
  CREATE INDEX tasks_due ON tasks (due_at_ms) WHERE wait = 'time';
  CREATE UNIQUE INDEX tasks_turn ON tasks (queue, concurrency_key, turn) WHERE turn IS NOT NULL;
  CREATE INDEX tasks_expiry ON tasks (expiry_at_ms) WHERE expiry_at_ms IS NOT NULL;
  CREATE INDEX tasks_gone ON tasks (gone_at_ms) WHERE gone_at_ms IS NOT NULL;
  CREATE INDEX tasks_of_queue ON tasks (queue);
  CREATE INDEX tasks_notable ON tasks (status) WHERE status NOT IN ('PENDING', 'COMPLETE');

  CREATE TABLE task_inputs (
    task INTEGER PRIMARY KEY,
    input BLOB NOT NULL
  ) STRICT;

  CREATE TABLE task_results (
    task INTEGER PRIMARY KEY,
    encoding TEXT NOT NULL,
    result BLOB NOT NULL
  ) STRICT;

  CREATE TABLE task_attempts (
    task INTEGER NOT NULL,
    number INTEGER NOT NULL,
    version INTEGER NOT NULL,
    container_id TEXT NOT NULL,
    started_at_ms INTEGER NOT NULL,
    ended_at_ms INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    error TEXT,
    PRIMARY KEY (task, number)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE task_keys (
    queue TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('idempotency', 'tick')),
    key TEXT NOT NULL,
    task_id TEXT NOT NULL,
    until_ms INTEGER NOT NULL,
    PRIMARY KEY (queue, kind, key)
  ) STRICT, WITHOUT ROWID;

  CREATE INDEX task_keys_until ON task_keys (until_ms);

  CREATE TABLE task_counts (
    queue TEXT NOT NULL,
    status TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (queue, status)
  ) STRICT, WITHOUT ROWID;
`;
