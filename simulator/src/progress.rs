//! Progress output: a line for each thing that happens.

use std::io::{self, Write};
use std::sync::Mutex;

/// How much is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Anomalies only.
    Quiet,
    /// A line for each step and round, too.
    Rounds,
    /// Every edit, too.
    Everything,
}

/// Prints lines. With several connections each line begins with the number of its connection.
pub struct Progress {
    out: Mutex<Box<dyn Write + Send>>,
    verbosity: Verbosity,
    many_connections: bool,
}

impl Progress {
    /// Prints to this output.
    pub fn new(out: Box<dyn Write + Send>, verbosity: Verbosity, many_connections: bool) -> Self {
        Progress { out: Mutex::new(out), verbosity, many_connections }
    }

    /// Whether lines of this verbosity are printed.
    pub(super) fn prints(&self, verbosity: Verbosity) -> bool {
        self.verbosity >= verbosity
    }

    /// Prints a line, if the verbosity allows it. It begins with `topic`.
    pub(super) fn line(&self, verbosity: Verbosity, connection: usize, topic: &str, text: &str) {
        if !self.prints(verbosity) {
            return;
        }
        let who = if self.many_connections { format!("[{connection}] ") } else { String::new() };
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        let rest: String = lines.map(|line| format!("{who}{:10}{line}\n", "")).collect();
        self.write(&format!("{who}{topic:10}{first}\n{rest}"));
    }

    /// Prints text without a prefix.
    pub fn write(&self, text: &str) {
        let mut out = self.out.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // If the output is closed, the simulation continues, for its exit code and report file.
        let _: io::Result<()> = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}
