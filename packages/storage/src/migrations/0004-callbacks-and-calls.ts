/**
 * `reply` is text of whoever queued the task. A key's fingerprint is of the input it came with; those of before have none, and
 * conflict with nothing. A function is asked for in
 * whatever case: `task_queues` has the queues that its tasks are in, which an index of tasks by function would say at a price for each of them.
 *
 * Manifests of before get what they lack as it was then: no schedule, no time to live, no callback; results are kept a week.
 *
 * A callback is named by its task's id, which it may outlive: what failed for good is kept for a time of its own. A task
 * with a callback that is pending has no `gone_at_ms`, so that it is there when the callback is sent.
 *
 * A large input or result lies in a file beside the database: then its row has the file's name, and no bytes. They are in a
 * folder of the database's own, so that another one that comes in its place takes none of them for its own.
 *
 * Calls lie in the order of their ids, which begin with the time: a new one goes to the end, and the oldest are cut off the
 * beginning. Nothing else is asked of them that would need an index.
 */
export const callbacksAndCalls = `
  ALTER TABLE tasks ADD COLUMN reply TEXT NOT NULL DEFAULT 'value';
  ALTER TABLE task_keys ADD COLUMN fingerprint BLOB;

  CREATE TABLE task_queues (
    function_name TEXT NOT NULL COLLATE NOCASE,
    queue TEXT NOT NULL,
    PRIMARY KEY (function_name, queue)
  ) STRICT, WITHOUT ROWID;
  INSERT OR IGNORE INTO task_queues (function_name, queue) SELECT DISTINCT function_name, queue FROM tasks;

  ALTER TABLE task_inputs ADD COLUMN file TEXT;
  ALTER TABLE task_results ADD COLUMN file TEXT;
  CREATE INDEX task_inputs_in_files ON task_inputs (file) WHERE file IS NOT NULL;
  CREATE INDEX task_results_in_files ON task_results (file) WHERE file IS NOT NULL;

  CREATE TABLE large_files (
    folder TEXT PRIMARY KEY
  ) STRICT, WITHOUT ROWID;
  INSERT INTO large_files (folder) VALUES (lower(hex(randomblob(8))));

  CREATE TABLE callbacks (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    task_id TEXT NOT NULL,
    function_name TEXT NOT NULL,
    app TEXT NOT NULL,
    url TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
    attempts INTEGER NOT NULL DEFAULT 0,
    created_at_ms INTEGER NOT NULL,
    due_at_ms INTEGER,
    ended_at_ms INTEGER,
    last_error TEXT
  ) STRICT;

  CREATE INDEX callbacks_due ON callbacks (due_at_ms) WHERE state = 'pending';
  CREATE INDEX callbacks_of_task ON callbacks (task_id);
  CREATE INDEX callbacks_failed ON callbacks (ended_at_ms) WHERE state = 'failed';
  CREATE INDEX callbacks_failed_newest ON callbacks (state, seq) WHERE state = 'failed';

  UPDATE versions SET details = json_insert(details, '$.manifest.schedule', NULL, '$.manifest.options.ttlMs', NULL,
    '$.manifest.options.keepResultsMs', 604800000, '$.manifest.options.callbackUrl', NULL);

  CREATE TABLE schedules (
    name TEXT PRIMARY KEY,
    paused_at_ms INTEGER,
    last_tick_at_ms INTEGER,
    last_task_id TEXT,
    count_from_ms INTEGER
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE calls (
    id TEXT PRIMARY KEY,
    function_name TEXT NOT NULL,
    app TEXT NOT NULL,
    method TEXT,
    version INTEGER NOT NULL,
    container_id TEXT,
    status TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    started_at_ms INTEGER,
    ended_at_ms INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    error TEXT
  ) STRICT, WITHOUT ROWID;
`;
