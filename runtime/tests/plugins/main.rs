//! Loading real plugin files, and calling connectors across the boundary.

// All of this is test code, functions that are no tests too.
#![allow(clippy::expect_used, clippy::unwrap_used)]

mod calls;
mod files;
mod logs;
mod panics;
mod scene;
mod trust;
mod watched;
