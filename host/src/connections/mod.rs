//! The settings of every connection: stored durably, secrets encrypted, open connections kept.
