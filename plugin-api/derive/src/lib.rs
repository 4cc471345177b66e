//! Derive macros of `plugin-api`.
