//! Passes the names of compiler and target to the handshake.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    // The version is only shown to people: a compiler that does not say it stops no build.
    let version = Command::new(rustc)
        .arg("--version")
        .output()
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map_or_else(|| "unknown".to_owned(), |version| version.trim().replace('\n', " "));
    println!("cargo::rustc-env=PLUGIN_API_RUSTC={version}");
    println!(
        "cargo::rustc-env=PLUGIN_API_TARGET={}",
        env::var("TARGET").unwrap_or_else(|_| "unknown".to_owned())
    );
}
