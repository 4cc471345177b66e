//! Logging across the boundary: a plugin's log records, panics and measurements.
//!
//! A plugin has its own copies of `tracing`, `log` and the panic hook. [`install`] connects them to the host, so that an
//! author logs as in any program. Spans do not cross. The host adds connector, connection and operation itself: a record
//! crosses on the thread that logs it, which is the thread of the call.

use std::backtrace::Backtrace;
use std::cell::RefCell;
use std::fmt;
use std::panic::{self, PanicHookInfo};
use std::sync::OnceLock;

use tracing_core::field::{Field, Visit};
use tracing_core::{Dispatch, Event, Interest, Level, Metadata, Subscriber, span};

use super::objects::HostBox;
use super::{Malformed, Message, MessageRef, new_reference};
use crate::metrics::{self, Recorder};

/// The name of the field that `tracing` keeps an event's message in.
const MESSAGE: &str = "message";
/// The target of the panic hook's records.
const PANIC_TARGET: &str = "panic";

static HOST: OnceLock<HostBox> = OnceLock::new();

thread_local! {
    /// The panic on this thread that the hook has logged and nothing has caught yet.
    static PANIC: RefCell<Option<Panic>> = const { RefCell::new(None) };
}

/// A panic of the author's code.
#[derive(Debug, Clone)]
pub(super) struct Panic {
    /// Message and source location.
    pub(super) text: String,
    /// The reference of its log record, which has the backtrace.
    pub(super) reference: String,
}

impl Panic {
    /// A panic that the hook has not seen, because the author has installed another hook.
    pub(super) fn without_hook(message: Option<&str>) -> Self {
        let text = match message {
            Some(message) => format!("panicked: {message}"),
            None => "panicked without a message".to_owned(),
        };
        let panic = Panic { text, reference: new_reference() };
        panic.log(None);
        panic
    }

    fn log(&self, backtrace: Option<&Backtrace>) {
        if is_enabled(Level::ERROR, PANIC_TARGET) {
            let mut record = begin(Level::ERROR, PANIC_TARGET);
            put_field(&mut record, MESSAGE, format_args!("the connector {}", self.text));
            put_field(&mut record, "reference", &self.reference);
            if let Some(backtrace) = backtrace {
                put_field(&mut record, "backtrace", backtrace);
            }
            send(&record);
        }
    }
}

/// A log record of a plugin, as the host reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<'a> {
    /// The level.
    pub level: Level,
    /// The target, usually the author's module path.
    pub target: &'a str,
    /// The message; empty when the record has only fields.
    pub message: &'a str,
    /// Names and values of the fields.
    pub fields: Vec<(&'a str, &'a str)>,
}

impl<'a> Record<'a> {
    /// Decodes a record: level, target, then names and values to the end, of which one is the message.
    ///
    /// # Errors
    /// The message has another content.
    pub fn decode(message: MessageRef<'a>) -> Result<Self, Malformed> {
        let mut reader = message.reader();
        let (level, target) = (level(reader.number()?).ok_or(Malformed)?, reader.text()?);
        let mut record = Record { level, target, message: "", fields: Vec::new() };
        while !reader.is_empty() {
            match (reader.text()?, reader.text()?) {
                (MESSAGE, text) => record.message = text,
                field => record.fields.push(field),
            }
        }
        Ok(record)
    }

    /// Encodes the record, to forward it.
    pub fn encode(&self) -> Message {
        let mut message = begin(self.level, self.target);
        put_field(&mut message, MESSAGE, self.message);
        self.fields.iter().for_each(|(name, value)| put_field(&mut message, name, value));
        message
    }
}

/// Logs a warning of the plugin's side itself.
pub(super) fn warn(text: fmt::Arguments<'_>) {
    if is_enabled(Level::WARN, module_path!()) {
        let mut record = begin(Level::WARN, module_path!());
        put_field(&mut record, MESSAGE, text);
        send(&record);
    }
}

/// Encodes the beginning of a record. Names and values follow.
fn begin(level: Level, target: &str) -> Message {
    let mut message = Message::new();
    message.put_number(number(level));
    message.put_text(target);
    message
}

/// Encodes a level: from 1 for errors to 5 for traces.
fn number(level: Level) -> u32 {
    match level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

/// Decodes a level.
pub(super) fn level(number: u32) -> Option<Level> {
    Some(match number {
        1 => Level::ERROR,
        2 => Level::WARN,
        3 => Level::INFO,
        4 => Level::DEBUG,
        5 => Level::TRACE,
        _ => return None,
    })
}

/// Connects the plugin's logging, panic hook and metrics to this host. Later calls do nothing: the first host stays.
pub(super) fn install(host: HostBox) {
    if HOST.set(host).is_err() {
        return;
    }
    // Both fail when the author's code has set its own, which then gets the records.
    let _ = tracing_core::dispatcher::set_global_default(Dispatch::new(HostLogger));
    if log::set_logger(&HostLogger).is_ok() {
        log::set_max_level(log::LevelFilter::Trace);
    }
    panic::set_hook(Box::new(log_panic));
    metrics::install(Box::new(HostRecorder));
}

/// Hands the measurements of a plugin to the host.
struct HostRecorder;

impl Recorder for HostRecorder {
    fn is_recording(&self) -> bool {
        HOST.get().is_some_and(|host| host.is_recording())
    }

    fn record(&self, measurement: MessageRef<'_>) {
        if let Some(host) = HOST.get() {
            host.record(measurement.into());
        }
    }
}

/// Takes the panic that was just caught on this thread.
pub(super) fn take_panic() -> Option<Panic> {
    PANIC.try_with(RefCell::take).ok().flatten()
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("without a message");
    let text = match panic.location() {
        // Without the folders of the machine that it was built on: the caller gets this text.
        Some(location) => {
            let file = location.file().rsplit(['/', '\\']).next().unwrap_or_default();
            format!("panicked at {file}:{}:{}: {message}", location.line(), location.column())
        }
        None => format!("panicked: {message}"),
    };
    let panic = Panic { text, reference: new_reference() };
    panic.log(Some(&Backtrace::force_capture()));
    // Fails on a thread that is ending: nothing catches the panic there.
    let _ = PANIC.try_with(|last| *last.borrow_mut() = Some(panic));
}

fn is_enabled(level: Level, target: &str) -> bool {
    HOST.get().is_some_and(|host| host.enabled(number(level), target.into()))
}

fn send(record: &Message) {
    if let Some(host) = HOST.get() {
        host.log(record.as_ref().into());
    }
}

fn put_field(record: &mut Message, name: &str, value: impl fmt::Display) {
    record.put_text(name);
    record.put_display(value);
}

/// The `tracing` subscriber and the `log` logger of a plugin.
struct HostLogger;

impl Subscriber for HostLogger {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // Never cached: the host's filter may change, and may depend on the current span.
        if metadata.is_event() { Interest::sometimes() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && is_enabled(*metadata.level(), metadata.target())
    }

    fn event(&self, event: &Event<'_>) {
        let mut record = begin(*event.metadata().level(), event.metadata().target());
        event.record(&mut Fields(&mut record));
        send(&record);
    }

    // Spans are never enabled, so none of these is called.
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// Encodes the fields of an event.
struct Fields<'m>(&'m mut Message);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        put_field(self.0, field.name(), format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        put_field(self.0, field.name(), value);
    }
}

impl log::Log for HostLogger {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        is_enabled(tracing_level(metadata.level()), metadata.target())
    }

    fn log(&self, record: &log::Record<'_>) {
        if log::Log::enabled(self, record.metadata()) {
            let mut message = begin(tracing_level(record.level()), record.target());
            put_field(&mut message, MESSAGE, record.args());
            send(&message);
        }
    }

    fn flush(&self) {}
}

fn tracing_level(level: log::Level) -> Level {
    match level {
        log::Level::Error => Level::ERROR,
        log::Level::Warn => Level::WARN,
        log::Level::Info => Level::INFO,
        log::Level::Debug => Level::DEBUG,
        log::Level::Trace => Level::TRACE,
    }
}
