//! Lines of text for a file or another program, as `tracing_subscriber` writes them without colours. Every call leaves a
//! line, and writing it in the general way takes a quarter of all that the host does for a small call.

use std::cell::{Cell, RefCell};
use std::fmt::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime as Clock};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// Writes a record as one line.
pub(super) struct Plain;

/// Length of a time without the fraction of the second: `2026-01-31T23:59:59`.
const SECOND: usize = 19;

thread_local! {
    /// The line under way; its memory is used again.
    static LINE: RefCell<String> = const { RefCell::new(String::new()) };
    /// A second since 1970, and its text.
    static NOW: Cell<(u64, [u8; SECOND])> = const { Cell::new((u64::MAX, [0; SECOND])) };
}

impl<S, N> FormatEvent<S, N> for Plain
where
    S: Subscriber + for<'l> LookupSpan<'l>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        // Taken out, because what is shown may log by itself.
        let mut line = LINE.take();
        line.clear();
        let about = event.metadata();
        time(&mut line)?;
        line.push_str(match *about.level() {
            Level::TRACE => " TRACE ",
            Level::DEBUG => " DEBUG ",
            Level::INFO => "  INFO ",
            Level::WARN => "  WARN ",
            Level::ERROR => " ERROR ",
        });
        let spans = context.event_scope().into_iter().flat_map(|scope| scope.from_root());
        let mut is_in_span = false;
        for span in spans {
            is_in_span = true;
            line.push_str(span.name());
            if let Some(fields) = span.extensions().get::<FormattedFields<N>>()
                && !fields.is_empty()
            {
                line.extend(["{", fields.as_str(), "}"]);
            }
            line.push(':');
        }
        if is_in_span {
            line.push(' ');
        }
        line.extend([about.target(), ": "]);
        let mut fields = Fields { line: &mut line, is_first: true };
        event.record(&mut fields);
        line.push('\n');
        let written = writer.write_str(&line);
        LINE.set(line);
        written
    }
}

/// The time, in UTC to a millionth of a second. The text of the second is kept.
fn time(line: &mut String) -> fmt::Result {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (mut second, mut text) = NOW.get();
    let mut now_is = now();
    // Again if the second ends while it is written.
    while second != now_is.as_secs() {
        second = now_is.as_secs();
        let mut whole = String::new();
        Clock.format_time(&mut Writer::new(&mut whole))?;
        text.copy_from_slice(whole.as_bytes().get(..SECOND).ok_or(fmt::Error)?);
        now_is = now();
        NOW.set((second, text));
    }
    line.push_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?);
    let mut fraction = *b".000000Z";
    let mut rest = now_is.subsec_micros();
    for place in (1..7).rev() {
        // A digit fits.
        fraction[place] += u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
    }
    line.push_str(std::str::from_utf8(&fraction).map_err(|_| fmt::Error)?);
    Ok(())
}

/// The message, and `name=value` for each field.
struct Fields<'l> {
    line: &'l mut String,
    is_first: bool,
}

impl Fields<'_> {
    /// Writes a value; writing to a line cannot fail.
    fn field(&mut self, field: &Field, value: impl FnOnce(&mut String) -> fmt::Result) {
        let name = field.name();
        // What the `log` crate says of its records stands in their metadata.
        if name.starts_with("log.") {
            return;
        }
        if !std::mem::replace(&mut self.is_first, false) {
            self.line.push(' ');
        }
        if name != "message" {
            self.line.extend([name.strip_prefix("r#").unwrap_or(name), "="]);
        }
        let _ = value(self.line);
    }
}

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
        if field.name() == "message" {
            self.record_debug(field, &format_args!("{value}"));
        } else if !value.bytes().all(is_plain) {
            self.record_debug(field, &value);
        } else {
            self.field(field, |line| {
                line.extend(["\"", value, "\""]);
                Ok(())
            });
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.field(field, |line| write!(line, "{value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.field(field, |line| write!(line, "{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.field(field, |line| write!(line, "{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.field(field, |line| write!(Harmless(line), "{value:?}"));
    }
}

/// Takes away from texts what a terminal would obey. Everybody may have written them, and somebody will look at the file.
struct Harmless<'l>(&'l mut String);

impl Write for Harmless<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let is_command = |c: char| c.is_control() && !matches!(c, '\n' | '\t' | '\r');
        if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) || !text.contains(is_command) {
            self.0.push_str(text);
            return Ok(());
        }
        for c in text.chars() {
            match u32::from(c) {
                code if is_command(c) && code < 0x80 => write!(self.0, "\\x{code:02x}")?,
                code if is_command(c) => write!(self.0, "\\u{{{code:x}}}")?,
                _ => self.0.push(c),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'w> MakeWriter<'w> for Kept {
        type Writer = Kept;

        fn make_writer(&'w self) -> Kept {
            self.clone()
        }
    }

    /// The lines that the records give, without their times, which are checked.
    fn lines(subscriber: impl Subscriber + Send + Sync + 'static, kept: &Kept) -> Vec<String> {
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!("alone");
            let name = "Kari";
            tracing::warn!(name, quoted = "a \"b\" \\ \u{1b}[31m å", "call of {name}");
            tracing::error!(number = 7u64, minus = -7, ms = 0.25, yes = true, no = Option::<u64>::None);
            tracing::debug!(shown = %"with space", debug = ?Some("x"), "both");
            tracing::trace!("a line\nand another");
            let span =
                tracing::error_span!("call", operation = "WSGetList", connection = tracing::field::Empty);
            span.record("connection", 5);
            span.in_scope(|| {
                tracing::info!(target: "elsewhere", "inside");
                tracing::error_span!("within").in_scope(|| tracing::info!(r#type = 1, "deeper"));
            });
            let broken = io::Error::other("it broke");
            tracing::error!(error = &broken as &dyn std::error::Error, "an error");
        });
        let text = String::from_utf8(std::mem::take(&mut *kept.0.lock().unwrap())).unwrap();
        let line = |line: &str| match line.split_at_checked("2026-01-31T23:59:59.123456Z".len()) {
            Some((time, rest)) if time.ends_with('Z') => {
                let digits = time.bytes().filter(u8::is_ascii_digit).count();
                assert_eq!((digits, &time[10..11], &time[19..20]), (20, "T", "."), "{time}");
                rest.to_owned()
            }
            _ => line.to_owned(),
        };
        text.lines().map(line).collect()
    }

    #[test]
    fn lines_are_those_of_the_library() {
        let (ours, theirs) = (Kept::default(), Kept::default());
        let new = || tracing_subscriber::fmt().with_ansi(false).with_max_level(Level::TRACE);
        let theirs = lines(new().with_writer(theirs.clone()).finish(), &theirs);
        let ours = lines(new().with_writer(ours.clone()).event_format(Plain).finish(), &ours);
        assert_eq!(ours, theirs);
        assert_eq!(ours[0], "  INFO erp_host::logging::plain::tests: alone");
    }

    #[test]
    fn nothing_commands_a_terminal() {
        let kept = Kept::default();
        let ours = tracing_subscriber::fmt().with_ansi(false).with_writer(kept.clone()).event_format(Plain);
        tracing::subscriber::with_default(ours.finish(), || {
            let evil = "\u{1b}]0;owned\u{7} \u{9b}31m";
            tracing::info!(shown = %evil, text = evil, "{evil}");
        });
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert!(!text.trim_end().chars().any(char::is_control), "{text:?}");
        assert!(text.contains(r"\x1b]0;owned\x07 \u{9b}31m shown=\x1b]0;owned"), "{text}");
    }
}
