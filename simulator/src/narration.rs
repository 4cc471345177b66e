//! Tells what happens as it happens.

use std::io::{self, Write};
use std::sync::Mutex;

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Anomalies and the end.
    Quiet,
    /// A line for each round, too.
    Rounds,
    /// Every edit, too.
    Everything,
}

/// Writes lines; those of several connections with the connection's number.
pub struct Narration {
    out: Mutex<Box<dyn Write + Send>>,
    detail: Detail,
    many: bool,
}

impl Narration {
    /// Tells so much. `many`: there are several connections.
    pub fn new(out: Box<dyn Write + Send>, detail: Detail, many: bool) -> Self {
        Narration { out: Mutex::new(out), detail, many }
    }

    /// Whether so much is told.
    pub(super) fn tells(&self, detail: Detail) -> bool {
        self.detail >= detail
    }

    /// A line, if so much is told. `topic` is what stands in front.
    pub(super) fn say(&self, detail: Detail, connection: usize, topic: &str, text: &str) {
        if !self.tells(detail) {
            return;
        }
        let who = if self.many { format!("[{connection}] ") } else { String::new() };
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        let rest: String = lines.map(|line| format!("{who}{:10}{line}\n", "")).collect();
        self.write(&format!("{who}{topic:10}{first}\n{rest}"));
    }

    /// Text as it is.
    pub fn write(&self, text: &str) {
        let mut out = self.out.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Whoever reads it may have read enough; the simulation goes on and gives its exit code.
        let _: io::Result<()> = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}
