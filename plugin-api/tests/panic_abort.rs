//! A connector built with `panic = "abort"` is refused by the compiler, with the reason.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

use std::process::Command;

#[test]
fn export_refuses_panic_abort() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["rustc", "--locked", "--package=rogue-connector", "--lib", "--", "-C", "panic=abort"]);
    let output = build.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && stderr.contains("a connector must be built with panic = \"unwind\""),
        "{stderr}"
    );
}
