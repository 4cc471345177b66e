//! Output of commands, with unprintable characters escaped: values from outside must not command the terminal, or look like
//! something else.

use std::fmt::Display;
use std::io::{self, StdoutLock, Write};

use erp_host_terminal::{PrintableWriter, printable_lines};

/// Standard output.
pub(crate) fn stdout() -> PrintableWriter<StdoutLock<'static>> {
    PrintableWriter::new(io::stdout().lock())
}

/// How many characters a line of standard output may have: `COLUMNS` if it is set, else the width of the terminal, if it is one.
pub(crate) fn terminal_width() -> Option<usize> {
    let given = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    given.or_else(width_of_terminal).filter(|width| *width > 0)
}

#[cfg(unix)]
fn width_of_terminal() -> Option<usize> {
    rustix::termios::tcgetwinsize(io::stdout()).ok().map(|size| usize::from(size.ws_col))
}

/// Consoles of Windows wrap lines by themselves.
#[cfg(not(unix))]
fn width_of_terminal() -> Option<usize> {
    None
}

/// Shows why a command failed, on standard error.
pub(crate) fn print_error(error: &(impl Display + ?Sized)) {
    print_note(&format!("erp-host: {}", printable_lines(&error.to_string())));
}

/// Writes a line to standard error. A pipe that is closed, as by `2>&1 | head`, is no reason to end.
pub(crate) fn print_note(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
