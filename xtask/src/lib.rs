//! Development tasks: `cargo xtask --help`.

pub mod commands;
