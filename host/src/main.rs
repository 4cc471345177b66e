//! The `erp-host` program: see the library's `commands`.

use std::process::ExitCode;

fn main() -> ExitCode {
    erp_host::commands::run()
}
