//! Output of commands, with unprintable characters escaped: values from outside must not command the terminal, or look like
//! something else.

use std::fmt::Display;
use std::io::{self, StdoutLock};

use erp_host_terminal::{PrintableWriter, printable_lines};

/// Standard output.
pub(crate) fn stdout() -> PrintableWriter<StdoutLock<'static>> {
    PrintableWriter::new(io::stdout().lock())
}

/// Shows why a command failed, on standard error.
pub(crate) fn print_error(error: &(impl Display + ?Sized)) {
    eprintln!("erp-host: {}", printable_lines(&error.to_string()));
}
