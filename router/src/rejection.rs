//! The rate-limited log of rejections.
//!
//! Everybody who can reach the host can cause rejections, as often as they like. So each cause has only a few lines a
//! second, and of the rest the number is logged: nobody can fill the disk from outside.

use std::fmt::{self, Display, Write};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use erp_host_terminal::printable;
use tokio::runtime::Handle;

/// The limit of lines holds for this time.
const WINDOW: Duration = Duration::from_secs(1);

/// The most characters of a reason in a line: it may quote the caller.
const MAX_REASON: usize = 300;

/// How many lines a second each cause has by default.
pub const DEFAULT_LINES_PER_SECOND: u32 = 5;

static LINES_PER_SECOND: AtomicU32 = AtomicU32::new(DEFAULT_LINES_PER_SECOND);

macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// Why a request or a connection is rejected. Each cause has its own lines in the log.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Cause {
            $($(#[$doc])* $name,)+
        }

        impl Cause {
            /// Its name in the log.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Cause::$name => $text,)+
                }
            }
        }

        static WINDOWS: [Mutex<Window>; [$(Cause::$name,)+].len()] = [$({
            let _ = Cause::$name;
            Mutex::new(Window::new())
        },)+];
    };
}

causes! {
    /// Not HTTP, or HTTP that can be read in two ways.
    BadHttp = "bad http",
    /// The head is larger, or has more lines, than the limits allow.
    LargeHead = "large head",
    /// The head did not arrive in time.
    SlowHead = "slow head",
    /// The body is larger than the limits allow, as it came or unpacked.
    LargeBody = "large body",
    /// The body did not arrive in time.
    SlowBody = "slow body",
    /// The body broke off, or is not packed as it says.
    BrokenBody = "broken body",
    /// The caller does not take its reply.
    SlowReader = "slow reader",
    /// An address, method or content type that is not served.
    NotServed = "not served",
    /// A header of a trusted proxy that cannot be used, and is ignored.
    ForwardedHeader = "forwarded header",
    /// A message that the contract does not allow.
    BadMessage = "bad message",
    /// A call for a connection that is not stored, or for a connector that is not installed.
    UnknownTarget = "unknown target",
    /// The caller may not call.
    AccessDenied = "access denied",
    /// The TLS handshake of a connection fails.
    TlsHandshake = "tls handshake",
    /// A token of online authentication that is not accepted.
    NotAuthenticated = "not authenticated",
    /// The host is at one of its limits of calls or memory.
    Overload = "overload",
    /// One address, or all of them together, have as many connections as the limits allow.
    TooManyConnections = "too many connections",
}

/// Sets how many lines a second each cause has.
pub fn set_lines_per_second(lines: u32) {
    LINES_PER_SECOND.store(lines, Ordering::Relaxed);
}

/// Logs that something from `peer` was rejected: in a line with cause, peer and reason; beyond the limit of lines it is
/// only counted.
pub fn log(cause: Cause, peer: impl Display, reason: impl Display) {
    let window = &WINDOWS[cause as usize];
    let now = Instant::now();
    let limit = LINES_PER_SECOND.load(Ordering::Relaxed);
    let verdict = window.lock().unwrap_or_else(PoisonError::into_inner).count(now, limit);
    let cause = cause.as_str();
    match verdict {
        Verdict::Line { left_out } => {
            tracing::warn!(cause, %peer, reason = %OneLine(reason), left_out, "refused");
        }
        // The number must be logged even when no further rejection comes.
        Verdict::FirstLeftOut { until } => {
            if let Ok(runtime) = Handle::try_current() {
                runtime.spawn(async move {
                    tokio::time::sleep_until(until.into()).await;
                    let left_out = window.lock().unwrap_or_else(PoisonError::into_inner).take_left_out();
                    if let Some(left_out) = left_out {
                        tracing::warn!(cause, left_out, "refused: more of the same");
                    }
                });
            }
        }
        Verdict::LeftOut => {}
    }
}

/// The lines of a cause in this second.
#[derive(Debug)]
struct Window {
    began: Option<Instant>,
    written: u32,
    left_out: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// A line, with the number of rejections that had none before it.
    Line { left_out: Option<u64> },
    /// No line, for the first time since the number was logged; the next window begins then.
    FirstLeftOut { until: Instant },
    /// No line.
    LeftOut,
}

impl Window {
    const fn new() -> Self {
        Window { began: None, written: 0, left_out: 0 }
    }

    fn count(&mut self, now: Instant, limit: u32) -> Verdict {
        let began = match self.began {
            Some(began) if now.saturating_duration_since(began) < WINDOW => began,
            _ => {
                self.began = Some(now);
                self.written = 0;
                now
            }
        };
        if self.written < limit {
            self.written += 1;
            return Verdict::Line { left_out: self.take_left_out() };
        }
        self.left_out += 1;
        if self.left_out == 1 { Verdict::FirstLeftOut { until: began + WINDOW } } else { Verdict::LeftOut }
    }

    fn take_left_out(&mut self) -> Option<u64> {
        Some(std::mem::take(&mut self.left_out)).filter(|&left_out| left_out > 0)
    }
}

/// A text as one line of limited length, with unprintable characters escaped: parts of it may come from outside.
struct OneLine<T>(T);

impl<T: Display> Display for OneLine<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// The beginning of a text.
        struct Cut(String, usize);

        impl Write for Cut {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                for char in text.chars() {
                    match self.1 {
                        0 => return Ok(()),
                        1 => self.0.push_str("..."),
                        _ => self.0.push(char),
                    }
                    self.1 -= 1;
                }
                Ok(())
            }
        }

        let mut cut = Cut(String::new(), MAX_REASON + 1);
        write!(cut, "{}", self.0)?;
        f.write_str(&printable(&cut.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn window_limits_lines_and_counts_the_rest() {
        let mut window = Window::new();
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        assert_eq!(window.count(at(0), 2), Verdict::Line { left_out: None });
        assert_eq!(window.count(at(10), 2), Verdict::Line { left_out: None });
        assert_eq!(window.count(at(20), 2), Verdict::FirstLeftOut { until: at(1000) });
        assert_eq!(window.count(at(999), 2), Verdict::LeftOut);
        // Logged with the next line, or on its own; but never twice.
        assert_eq!(window.count(at(1000), 2), Verdict::Line { left_out: Some(2) });
        assert_eq!(window.take_left_out(), None);
        assert_eq!(window.count(at(5000), 0), Verdict::FirstLeftOut { until: at(6000) });
        assert_eq!(window.take_left_out(), Some(1));
    }

    #[test]
    fn one_line_escapes_and_cuts_a_reason() {
        let reason = format!("{:?} in\n\u{1b}[31m\u{85}caf\u{e9}{}", "<a>", "x".repeat(1000));
        let line = OneLine(&reason).to_string();
        assert!(line.starts_with("\"<a>\" in\\u000a\\u001b[31m\\u0085caf\u{e9}xx"), "{line}");
        assert!(line.ends_with("x...") && line.len() < 350, "{line}");
    }
}
