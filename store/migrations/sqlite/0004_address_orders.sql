-- The order of members that requests to a connector address have shown, in which replies are written.
-- connector: the ConnectorName of the address in lower case, or nothing. connection: the one whose request showed the order.
CREATE TABLE address_order (
    connector TEXT PRIMARY KEY,
    member_order TEXT NOT NULL,
    connection TEXT NOT NULL
) STRICT;
