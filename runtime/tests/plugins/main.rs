//! Tests with real plugin files: loading them, calling their connectors across the boundary, and hot reload.

// All of this is test code, also the functions without `#[test]`.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod calls;
mod cancellation;
mod files;
mod fixture;
mod logs;
mod panics;
mod trust;
mod watcher;
#[cfg(target_os = "linux")]
mod workers;
