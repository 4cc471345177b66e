-- Secrets of the store itself, sealed like those of connections: the key that the audit log is signed with.
CREATE TABLE own_secret (
    name TEXT PRIMARY KEY,
    sealed_with TEXT NOT NULL REFERENCES encryption_key (id),
    sealed BLOB NOT NULL
) STRICT;

-- The newest record of the audit log: its number, and the SHA-256 of its line, which the next record repeats.
CREATE TABLE audit_head (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    number INTEGER NOT NULL,
    sha256 TEXT NOT NULL
) STRICT;
INSERT INTO audit_head (only_row, number, sha256) VALUES (1, 0, '');

-- Records on their way to the files of the audit log. A record is written in the transaction of the change that it
-- tells of: there is no change without its record, and no record without its change. It is taken out once it is durable
-- in a file.
CREATE TABLE audit_record (
    number INTEGER PRIMARY KEY,
    line TEXT NOT NULL
) STRICT;

-- To find what is still sealed with a former key.
CREATE INDEX setting_sealed_with ON setting (sealed_with) WHERE sealed_with IS NOT NULL;
