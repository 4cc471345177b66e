-- The CRM side of a simulation. See docs/simulate.md.
PRAGMA application_id = 0x45525053;

CREATE TABLE connection (
    id             INTEGER PRIMARY KEY,
    guid           TEXT NOT NULL,             -- the connection that the CRM uses
    erp_user_guid  TEXT,                      -- the one that the made-up ERP user works through
    url            TEXT NOT NULL,
    seed           INTEGER NOT NULL,
    saved_at       TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ')),
    deleted_at     TEXT
);

CREATE TABLE setting (
    connection  INTEGER NOT NULL REFERENCES connection,
    key         TEXT NOT NULL,
    value       TEXT,                         -- secrets are masked
    PRIMARY KEY (connection, key)
) WITHOUT ROWID;

CREATE TABLE field (
    connection  INTEGER NOT NULL REFERENCES connection,
    actor_type  TEXT NOT NULL,
    field_key   TEXT NOT NULL,
    label       TEXT NOT NULL,
    field_type  TEXT NOT NULL,
    access      TEXT NOT NULL,
    list        TEXT,
    crm_field   TEXT NOT NULL,                -- what it is mapped to
    automatic   INTEGER NOT NULL,             -- 1: mapped by its key, as SuperOffice does
    PRIMARY KEY (connection, actor_type, field_key)
) WITHOUT ROWID;

CREATE TABLE list_item (
    connection  INTEGER NOT NULL REFERENCES connection,
    list        TEXT NOT NULL,
    erp_key     TEXT NOT NULL,
    text        TEXT NOT NULL,
    crm_id      INTEGER NOT NULL,             -- the item of the CRM's list that it is mapped to
    PRIMARY KEY (connection, list, erp_key)
) WITHOUT ROWID;

CREATE TABLE stamp (
    connection  INTEGER NOT NULL REFERENCES connection,
    actor_type  TEXT NOT NULL,
    newest      TEXT NOT NULL,                -- sent as UpdatedOnOrAfter
    PRIMARY KEY (connection, actor_type)
) WITHOUT ROWID;

CREATE TABLE card (
    id           INTEGER PRIMARY KEY,
    connection   INTEGER NOT NULL REFERENCES connection,
    actor_type   TEXT NOT NULL,
    entity       TEXT NOT NULL,               -- contact, person or project
    erp_key      TEXT,                        -- null until the ERP system has given one
    erp_stamp    TEXT,                        -- the LastModified that came last
    parent_type  TEXT,
    parent_key   TEXT,
    origin       TEXT NOT NULL,               -- 'erp' or 'crm'
    uncertain    INTEGER NOT NULL DEFAULT 0,  -- 1: sent to be created, and no answer came
    UNIQUE (connection, actor_type, erp_key)
);

CREATE TABLE field_value (
    card       INTEGER NOT NULL REFERENCES card ON DELETE CASCADE,
    field_key  TEXT NOT NULL,
    value      TEXT,                          -- what the CRM holds
    erp_value  TEXT,                          -- what the ERP system is known to hold
    PRIMARY KEY (card, field_key)
) WITHOUT ROWID;

CREATE INDEX unsaved ON field_value (card) WHERE value IS NOT erp_value;

CREATE TABLE event (
    id          INTEGER PRIMARY KEY,
    connection  INTEGER NOT NULL REFERENCES connection,
    round       INTEGER NOT NULL,             -- 0 before the first one
    side        TEXT NOT NULL,                -- 'crm', 'erp' or 'sync'
    what        TEXT NOT NULL,                -- 'edited', 'created', 'fetched', 'written', 'conflict', 'refused', ...
    actor_type  TEXT NOT NULL,
    erp_key     TEXT,
    field_key   TEXT,
    before      TEXT,
    after       TEXT
);

CREATE TABLE anomaly (
    id          INTEGER PRIMARY KEY,
    connection  INTEGER NOT NULL REFERENCES connection,
    round       INTEGER NOT NULL,
    kind        TEXT NOT NULL,
    actor       TEXT NOT NULL,
    text        TEXT NOT NULL
);

-- What a person would look at: the values of every card under the names of the CRM.
CREATE VIEW card_in_words AS
SELECT card.connection, card.entity, card.erp_key, field.crm_field, field_value.value, field_value.erp_value,
       list_item.text AS list_text
FROM card
JOIN field_value ON field_value.card = card.id
JOIN field USING (connection, actor_type, field_key)
LEFT JOIN list_item
    ON list_item.connection = card.connection AND list_item.list = field.list AND list_item.erp_key = field_value.value;
