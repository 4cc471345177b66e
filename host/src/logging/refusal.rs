//! What the log tells of requests that are refused.
//!
//! Whoever can reach the host can make it refuse something, as often as it likes. So each cause has a few lines a
//! second; of the rest only the number is told, and nobody fills the disk from outside.

use std::fmt::{self, Display, Write};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

/// Lines of a cause in a window.
const WINDOW: Duration = Duration::from_secs(1);

/// What a line takes of a reason that may quote the caller.
const LONGEST_REASON: usize = 300;

/// How many lines a second each cause has; see [`limit`].
static MOST: AtomicU32 = AtomicU32::new(DEFAULT_MOST);

/// What [`limit`] is by default.
pub(crate) const DEFAULT_MOST: u32 = 5;

macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// Why a request, or a connection, was refused. Each has lines of its own in the log.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Cause {
            $($(#[$doc])* $name,)+
        }

        impl Cause {
            /// How the log names it.
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
    /// What came is no HTTP, or HTTP that can be read in two ways.
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
    /// Another address, method or content type than those that are served.
    NotServed = "not served",
    /// A message that the contract does not allow.
    BadMessage = "bad message",
    /// A call for a connection that is not stored, or for a connector that is not here.
    Astray = "astray",
    /// Somebody who may not call.
    NoEntry = "no entry",
    /// A connection that does not become a secure one.
    NotSecured = "not secured",
    /// A token of online authentication that is not accepted.
    NotAuthenticated = "not authenticated",
    /// The host has as much to do, or to keep, as its limits allow.
    Overload = "overload",
    /// The peer, or everybody together, has as many connections as the limits allow.
    Connections = "too many connections",
}

/// Sets how many lines a second each cause has.
pub fn limit(most: u32) {
    MOST.store(most, Ordering::Relaxed);
}

/// Tells the log that something from `peer` was refused: in a line that names the cause, the peer and the reason; or
/// once there were many such lines in this second, only by their number.
pub fn tell(cause: Cause, peer: impl Display, reason: impl Display) {
    let window = &WINDOWS[cause as usize];
    let now = Instant::now();
    let verdict =
        window.lock().unwrap_or_else(PoisonError::into_inner).count(now, MOST.load(Ordering::Relaxed));
    let cause = cause.as_str();
    match verdict {
        Verdict::Line { left_out } => {
            tracing::warn!(cause, %peer, reason = %OneLine(reason), left_out, "refused");
        }
        // Somebody has to tell the number when nothing more comes.
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
    told: u32,
    left_out: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// A line, which also tells how many had none before it.
    Line { left_out: Option<u64> },
    /// No line, for the first time since the number was told; the next second begins then.
    FirstLeftOut { until: Instant },
    /// No line.
    LeftOut,
}

impl Window {
    const fn new() -> Self {
        Window { began: None, told: 0, left_out: 0 }
    }

    fn count(&mut self, now: Instant, most: u32) -> Verdict {
        let began = match self.began {
            Some(began) if now.saturating_duration_since(began) < WINDOW => began,
            _ => {
                self.began = Some(now);
                self.told = 0;
                now
            }
        };
        if self.told < most {
            self.told += 1;
            return Verdict::Line { left_out: self.take_left_out() };
        }
        self.left_out += 1;
        if self.left_out == 1 { Verdict::FirstLeftOut { until: began + WINDOW } } else { Verdict::LeftOut }
    }

    fn take_left_out(&mut self) -> Option<u64> {
        Some(std::mem::take(&mut self.left_out)).filter(|&left_out| left_out > 0)
    }
}

/// A text that stays one line of moderate length, whatever its parts that came from outside say.
struct OneLine<T>(T);

impl<T: Display> Display for OneLine<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Cut<'a, 'b>(&'a mut fmt::Formatter<'b>, usize);

        impl Write for Cut<'_, '_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                for char in text.chars() {
                    match self.1 {
                        0 => return Ok(()),
                        1 => self.0.write_str("...")?,
                        _ if char.is_control() => write!(self.0, "{}", char.escape_default())?,
                        _ => self.0.write_char(char)?,
                    }
                    self.1 -= 1;
                }
                Ok(())
            }
        }

        write!(Cut(f, LONGEST_REASON + 1), "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_so_many_lines_and_the_rest_is_counted() {
        let mut window = Window::new();
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        assert_eq!(window.count(at(0), 2), Verdict::Line { left_out: None });
        assert_eq!(window.count(at(10), 2), Verdict::Line { left_out: None });
        assert_eq!(window.count(at(20), 2), Verdict::FirstLeftOut { until: at(1000) });
        assert_eq!(window.count(at(999), 2), Verdict::LeftOut);
        // Told by the next line, or on its own; but never twice.
        assert_eq!(window.count(at(1000), 2), Verdict::Line { left_out: Some(2) });
        assert_eq!(window.take_left_out(), None);
        assert_eq!(window.count(at(5000), 0), Verdict::FirstLeftOut { until: at(6000) });
        assert_eq!(window.take_left_out(), Some(1));
    }

    #[test]
    fn a_reason_stays_one_line() {
        let reason = format!("{:?} in\n\u{1b}[31m\u{85}caf\u{e9}{}", "<a>", "x".repeat(1000));
        let told = OneLine(&reason).to_string();
        assert!(told.starts_with("\"<a>\" in\\n\\u{1b}[31m\\u{85}caf\u{e9}xx"), "{told}");
        assert!(told.ends_with("x...") && told.len() < 350, "{told}");
    }
}
