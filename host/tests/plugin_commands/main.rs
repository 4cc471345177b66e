//! `erp-host plugins` with real plugin files.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod command;
mod inspect;
mod install;
mod new;
mod pack;
