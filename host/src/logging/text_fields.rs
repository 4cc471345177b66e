//! Formats the fields of a line of text as `tracing_subscriber` does, but with unprintable characters escaped. Texts of callers
//! are in the log: they must not command the terminal of the person who reads it, and not look like another line.

use std::fmt::{self, Write};

use erp_host_terminal::printable_lines;
use tracing::field::Field;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

/// The formatter of fields.
pub(super) fn formatter() -> impl for<'w> FormatFields<'w> + Send + Sync + 'static {
    debug_fn(|writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug| {
        if field.name() != "message" {
            write!(writer, "{}=", field.name())?;
        }
        write!(Printable(writer), "{value:?}")
    })
    .delimited(" ")
}

/// Escapes unprintable characters. A stack trace may have several lines; all but the first are indented.
struct Printable<'f, 'w>(&'f mut Writer<'w>);

impl Write for Printable<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write_str(&printable_lines(text).replace('\n', "\n    "))
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Keeps what is written.
    #[derive(Clone, Default)]
    struct Recorder(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Recorder {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines that `log` writes, without their timestamps.
    fn lines(log: impl FnOnce()) -> String {
        let recorder = Recorder::default();
        let writer = recorder.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).without_time().fmt_fields(formatter());
        let subscriber = subscriber.with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, log);
        String::from_utf8(recorder.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn text_fields_are_formatted_as_by_the_library() {
        let text = lines(|| {
            let span = tracing::error_span!("call", operation = "WSGetList", connection = %"3aef");
            span.in_scope(|| {
                tracing::info!(target: "t", text = "a \"b\"", n = 7u64, ms = 0.25, no = None::<u64>, "message");
            });
        });
        assert_eq!(
            text,
            " INFO call{operation=\"WSGetList\" connection=3aef}: t: message text=\"a \\\"b\\\"\" n=7 ms=0.25\n"
        );
    }

    #[test]
    fn text_fields_have_no_unprintable_characters() {
        let evil = "\u{1b}]0;owned\u{7} \u{9b}31m \u{202e}\u{2028}\u{2066}\u{feff}\r";
        let text = lines(|| tracing::info!(shown = %evil, text = evil, "{evil}"));
        assert!(text.trim_end().is_ascii() && !text.trim_end().chars().any(char::is_control), "{text:?}");
        let shown = r"\u001b]0;owned\u0007 \u009b31m \u202e\u2028\u2066\ufeff\u000d";
        assert!(text.contains(&format!("{shown} shown={shown}")), "{text}");
    }

    #[test]
    fn text_fields_do_not_look_like_another_line() {
        let text = lines(|| tracing::info!(shown = %"a\n2026-01-01 INFO forged", "m"));
        assert_eq!(
            text,
            " INFO erp_host::logging::text_fields::tests: m shown=a\n    2026-01-01 INFO forged\n"
        );
    }
}
