//! The `erp-host` program.
fn main() {}
