//! The tables, and how a store of an older wheelmill becomes one of this.

/// Marks a database as a wheelmill store: `WhMl`.
pub(crate) const APPLICATION: i64 = 0x5768_4d6c;

/// Each entry takes a database from the format of its index to the next. Entries are never changed
/// once released: a change of the tables is a new entry.
pub(crate) const MIGRATIONS: &[&str] = &[FIRST, CANCELLED_BY, COMPILES];

/// Moments and lengths of time are in microseconds, sizes in bytes. `spec`, `verdict`, `cause`,
/// `detail` and `command_line` hold JSON.
const FIRST: &str = "
CREATE TABLE wheels (
    key       TEXT    NOT NULL PRIMARY KEY,
    digest    TEXT    NOT NULL,
    size      INTEGER NOT NULL,
    file_name TEXT    NOT NULL,
    cell      TEXT    NOT NULL,
    package   TEXT    NOT NULL,
    spec      TEXT    NOT NULL,
    verdict   TEXT    NOT NULL,
    passed    INTEGER NOT NULL,
    built_at  INTEGER NOT NULL,
    run       TEXT    NOT NULL
) STRICT;
CREATE INDEX wheels_by_digest ON wheels (digest);
CREATE INDEX wheels_by_package ON wheels (package, built_at);

CREATE TABLE locks (
    request    TEXT    NOT NULL PRIMARY KEY,
    text       TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE runs (
    sequence        INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id              TEXT    NOT NULL UNIQUE,
    command_line    TEXT    NOT NULL,
    project         TEXT,
    version         TEXT    NOT NULL,
    pid             INTEGER NOT NULL,
    process_started INTEGER NOT NULL,
    boot            TEXT    NOT NULL,
    started_at      INTEGER NOT NULL,
    ended_at        INTEGER,
    outcome         TEXT
) STRICT;
CREATE INDEX runs_alive ON runs (sequence) WHERE outcome IS NULL;

CREATE TABLE attempts (
    id          INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    run         INTEGER NOT NULL REFERENCES runs (sequence) ON DELETE CASCADE,
    cell        TEXT    NOT NULL,
    number      INTEGER NOT NULL,
    key         TEXT,
    package     TEXT    NOT NULL,
    spec        TEXT    NOT NULL,
    started_at  INTEGER NOT NULL,
    ended_at    INTEGER,
    outcome     TEXT,
    wheel       TEXT,
    cause       TEXT,
    exit_code   INTEGER,
    wall        INTEGER,
    peak_memory INTEGER,
    compiles    INTEGER,
    UNIQUE (cell, number)
) STRICT;
CREATE INDEX attempts_by_run ON attempts (run);
CREATE INDEX attempts_built ON attempts (package, id) WHERE outcome = 'built';

CREATE TABLE phases (
    id         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    attempt    INTEGER NOT NULL REFERENCES attempts (id) ON DELETE CASCADE,
    phase      TEXT    NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER
) STRICT;
CREATE INDEX phases_by_attempt ON phases (attempt);

CREATE TABLE events (
    id      INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    attempt INTEGER NOT NULL REFERENCES attempts (id) ON DELETE CASCADE,
    at      INTEGER NOT NULL,
    kind    TEXT    NOT NULL,
    detail  TEXT    NOT NULL
) STRICT;
CREATE INDEX events_by_attempt ON events (attempt);
";

const CANCELLED_BY: &str = "ALTER TABLE runs ADD COLUMN cancelled_by TEXT;";

/// `record` holds JSON.
const COMPILES: &str = "
CREATE TABLE compiles (
    id      INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    attempt INTEGER NOT NULL REFERENCES attempts (id) ON DELETE CASCADE,
    record  TEXT    NOT NULL
) STRICT;
CREATE INDEX compiles_by_attempt ON compiles (attempt);
";
