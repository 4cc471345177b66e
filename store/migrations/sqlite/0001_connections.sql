-- "ERPH": by this number the host knows its own file again, and keeps off the database of another program.
PRAGMA application_id = 1163022408;

-- The newest revision given out. One row; every save and every delete adds one, in its own transaction.
CREATE TABLE revision_counter (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    latest INTEGER NOT NULL
) STRICT;
INSERT INTO revision_counter (only_row, latest) VALUES (1, 0);

-- The keys that secrets are sealed with: a known text sealed with each, never a key itself.
CREATE TABLE encryption_key (
    id TEXT PRIMARY KEY,
    check_value BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- Times are milliseconds since 1970 in UTC; GUIDs are lower case with hyphens.
CREATE TABLE connection (
    guid TEXT PRIMARY KEY,
    connector TEXT NOT NULL,
    revision INTEGER NOT NULL,
    saved_at INTEGER NOT NULL
) STRICT;
CREATE INDEX connection_revision ON connection (revision);

-- value: a plain setting; sealed: nonce and ciphertext of a secret. Both null: the setting is null.
CREATE TABLE setting (
    guid TEXT NOT NULL REFERENCES connection (guid) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    key TEXT NOT NULL,
    value TEXT,
    secret INTEGER NOT NULL CHECK (secret IN (0, 1)),
    sealed_with TEXT REFERENCES encryption_key (id),
    sealed BLOB,
    PRIMARY KEY (guid, position),
    CHECK (secret = 1 OR sealed IS NULL),
    CHECK (secret = 0 OR value IS NULL),
    CHECK ((sealed IS NULL) = (sealed_with IS NULL))
) STRICT, WITHOUT ROWID;

-- Deleted connections, so that a running host hears of a deletion made by another process.
CREATE TABLE deleted_connection (
    guid TEXT PRIMARY KEY,
    revision INTEGER NOT NULL
) STRICT;
CREATE INDEX deleted_connection_revision ON deleted_connection (revision);
