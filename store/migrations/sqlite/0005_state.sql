-- The state of connections: what connectors keep between calls. Values are sealed like the secrets of settings.
CREATE TABLE state_entry (
    guid TEXT NOT NULL REFERENCES connection (guid) ON DELETE CASCADE,
    key TEXT NOT NULL,
    version INTEGER NOT NULL,
    sealed_with TEXT NOT NULL REFERENCES encryption_key (id),
    sealed BLOB NOT NULL,
    PRIMARY KEY (guid, key)
) STRICT;

-- To find what is still sealed with a former key.
CREATE INDEX state_entry_sealed_with ON state_entry (sealed_with);

-- The newest version given out. One row; every write adds one, so no entry has a version twice.
CREATE TABLE state_version (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    latest INTEGER NOT NULL
) STRICT;
INSERT INTO state_version (only_row, latest) VALUES (1, 0);

-- The number of entries of a connection, and what they count for, so that no write has to add them up.
ALTER TABLE connection ADD COLUMN state_entries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE connection ADD COLUMN state_bytes INTEGER NOT NULL DEFAULT 0;
