//! The host's log.
