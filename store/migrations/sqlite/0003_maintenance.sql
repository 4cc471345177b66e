-- When the connection was deleted; null: by a host of an older version, at an unknown time.
ALTER TABLE deleted_connection ADD COLUMN deleted_at INTEGER;

-- The newest revision whose deletion is forgotten. A host that has polled an older one only may have missed it.
ALTER TABLE revision_counter ADD COLUMN forgotten INTEGER NOT NULL DEFAULT 0;
