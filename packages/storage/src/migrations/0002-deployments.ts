/**
 * Names are compared in lower case, which is their key; deployments keep the spelling of their first deploy. The
 * last number that a name gave is apart from its versions, so that it outlives those that are removed and those that
 * were begun and never activated. A version's manifest and code are JSON, as in the table of containers.
 */
export const deployments = `
  ALTER TABLE tokens ADD COLUMN app TEXT;
  ALTER TABLE tokens ADD COLUMN expires_at_ms INTEGER;

  CREATE TABLE version_numbers (
    name_key TEXT PRIMARY KEY,
    last INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE deployments (
    name_key TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    app TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('active', 'stopped')),
    active_version INTEGER NOT NULL,
    scaling TEXT NOT NULL,
    FOREIGN KEY (name_key, active_version) REFERENCES versions (name_key, version)
  ) STRICT;

  CREATE TABLE versions (
    name_key TEXT NOT NULL,
    version INTEGER NOT NULL,
    kind TEXT NOT NULL,
    function_id TEXT NOT NULL,
    deploy_id TEXT NOT NULL,
    deployed_at_ms INTEGER NOT NULL,
    details TEXT NOT NULL,
    PRIMARY KEY (name_key, version)
  ) STRICT;
`;
