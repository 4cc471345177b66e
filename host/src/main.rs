//! The `erp-host` program: see the library's `commands`.

use std::process::ExitCode;

/// Blocks of some kilobytes, as every call needs a few, are given back by another thread than took them more often than
/// not. The system's allocator on Linux has one lock for them, on which the I/O threads met at every sixth call.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    erp_host::commands::run()
}
