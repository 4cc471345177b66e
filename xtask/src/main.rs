//! `cargo xtask`: see the library's `commands`.

use std::process::ExitCode;

fn main() -> ExitCode {
    xtask::commands::run()
}
