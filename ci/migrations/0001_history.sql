-- The history of records, one row per row of a record. Read by SQLite and PostgreSQL alike, so:
-- only types and clauses that both know, and numbers that the program hands out itself.

-- What a record says of the machine and the tools, whole, as JSON; by the SHA-256 of that text.
CREATE TABLE history_environments (
    environment TEXT NOT NULL PRIMARY KEY,
    facts TEXT NOT NULL
);

-- One record. `rest` is what it holds beside environment and rows, as JSON.
CREATE TABLE history_runs (
    run BIGINT NOT NULL PRIMARY KEY,
    run_id TEXT NOT NULL UNIQUE,
    started_at TEXT NOT NULL,
    started_us BIGINT NOT NULL,
    git_commit TEXT,
    git_dirty BIGINT,
    environment TEXT NOT NULL REFERENCES history_environments (environment),
    row_count BIGINT NOT NULL,
    rest TEXT NOT NULL
);

-- What makes two values comparable, as JSON: a list of names with the value, or null where it is
-- not known; by the start of the SHA-256 of that text.
CREATE TABLE history_keys (
    environment_key TEXT NOT NULL PRIMARY KEY,
    facts TEXT NOT NULL
);

-- Values that may stand on one line: one metric of one id in one environment.
CREATE TABLE history_series (
    series BIGINT NOT NULL PRIMARY KEY,
    id TEXT NOT NULL,
    metric TEXT NOT NULL,
    unit TEXT NOT NULL,
    environment_key TEXT NOT NULL REFERENCES history_keys (environment_key),
    UNIQUE (id, metric, environment_key)
);

-- One row of a record: `raw` is its JSON, `value` what is derived from it, null where it failed.
CREATE TABLE history_rows (
    run BIGINT NOT NULL REFERENCES history_runs (run),
    position BIGINT NOT NULL,
    series BIGINT NOT NULL REFERENCES history_series (series),
    value DOUBLE PRECISION,
    raw TEXT NOT NULL,
    PRIMARY KEY (run, position)
);

CREATE INDEX history_rows_by_series ON history_rows (series);
