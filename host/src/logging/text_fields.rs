//! Formats the fields of a line of text as `tracing_subscriber` does, but without control characters. Texts of callers are in
//! the log, and must not command the terminal of the person who reads it; the library escapes them in the message only.

use std::fmt::{self, Write};

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
        write!(EscapeControls(writer), "{value:?}")
    })
    .delimited(" ")
}

/// Escapes control characters, but for white space: a stack trace may have several lines.
struct EscapeControls<'f, 'w>(&'f mut Writer<'w>);

impl Write for EscapeControls<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let is_control = |c: char| c.is_control() && !matches!(c, '\n' | '\t' | '\r');
        for part in text.split_inclusive(is_control) {
            let control = part.chars().next_back().filter(|c| is_control(*c));
            self.0.write_str(&part[..part.len() - control.map_or(0, char::len_utf8)])?;
            match control.map(u32::from) {
                Some(code) if code < 0x80 => write!(self.0, "\\x{code:02x}")?,
                Some(code) => write!(self.0, "\\u{{{code:x}}}")?,
                None => {}
            }
        }
        Ok(())
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
    fn text_fields_have_no_control_characters() {
        let evil = "\u{1b}]0;owned\u{7} \u{9b}31m";
        let text = lines(|| tracing::info!(shown = %evil, text = evil, "{evil}"));
        assert!(!text.trim_end().chars().any(char::is_control), "{text:?}");
        assert!(text.contains(r"\x1b]0;owned\x07 \u{9b}31m shown=\x1b]0;owned"), "{text}");
    }
}
