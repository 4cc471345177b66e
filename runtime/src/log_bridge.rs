//! Hands the log records of a plugin to the host's `tracing`, with their level, target and fields, in the span of the call
//! that they belong to.
//!
//! `tracing` needs a static callsite for each statement that logs. The callsites of a plugin are not known beforehand, so
//! one is made for each new combination of level, target and field names, in a table of limited size.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock};

use plugin_api::abi::Record;
use plugin_api::abi::client::Log;
use tracing::field::{FieldSet, Value};
use tracing::metadata::Kind;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Span, callsite};

use crate::log_context::LogContext;

/// The size of the table. A plugin that generates targets without end gets one shared callsite for all further ones.
const MAX_CALLSITES: usize = 4096;
/// The fields of a callsite at most (`tracing` allows 32). The fields of a record with more become part of its message.
const MAX_FIELDS: usize = 30;
/// The target of records when the table is full.
const OVERFLOW_TARGET: &str = "connector";

/// Receives the log records of one plugin.
pub(crate) struct LogBridge {
    connector: String,
}

impl LogBridge {
    pub(crate) fn new(connector: &str) -> Self {
        LogBridge { connector: connector.to_owned() }
    }

    #[cfg(unix)]
    pub(crate) fn connector(&self) -> &str {
        &self.connector
    }
}

impl Log for LogBridge {
    fn enabled(&self, level: Level, target: &str) -> bool {
        is_enabled(level, target)
    }

    fn is_recording(&self) -> bool {
        is_recording()
    }

    fn log(&self, record: &Record<'_>) {
        // A thread that the connector started itself is in no call: its records get the connector's name.
        let _span = Span::current().is_none().then(|| match LogContext::current() {
            Some(call) => call.span().entered(),
            None => tracing::error_span!("connector", connector = %self.connector).entered(),
        });
        let callsite = callsite(record.level, record.target, &record.fields);
        if !callsite.is_enabled() {
            return;
        }
        if callsite.metadata().fields().len() == record.fields.len() + 1 {
            let mut values: Vec<Option<&dyn Value>> = vec![Some(&record.message)];
            values.extend(record.fields.iter().map(|(_, value)| Some(value as &dyn Value)));
            callsite.dispatch(&values);
        } else {
            let mut message = record.message.to_owned();
            for (name, value) in &record.fields {
                message.extend([" ", name, "=", value]);
            }
            callsite.dispatch(&[Some(&message.as_str())]);
        }
    }
}

/// Whether the host records the measurements of connectors. It does not yet.
pub(crate) fn is_recording() -> bool {
    false
}

/// Whether the host logs records of this level and target.
pub(crate) fn is_enabled(level: Level, target: &str) -> bool {
    callsite(level, target, &[]).is_enabled()
}

/// A callsite that is made at run time: a level, a target and the names of fields, the first of which is the message.
struct DynamicCallsite {
    metadata: OnceLock<Metadata<'static>>,
    /// The subscriber's interest: `NEVER`, `SOMETIMES` or `ALWAYS`.
    interest: AtomicU8,
}

const NEVER: u8 = 0;
const SOMETIMES: u8 = 1;
const ALWAYS: u8 = 2;

static CALLSITES: OnceLock<RwLock<Callsites>> = OnceLock::new();

#[derive(Default)]
struct Callsites {
    by_target: HashMap<&'static str, Vec<&'static DynamicCallsite>>,
    count: usize,
}

/// The callsite of a record, made and registered when it is new.
fn callsite(level: Level, target: &str, fields: &[(&str, &str)]) -> &'static DynamicCallsite {
    let fields = if fields.len() > MAX_FIELDS { &[] } else { fields };
    let callsites = CALLSITES.get_or_init(RwLock::default);
    if let Some(found) = callsites.read().unwrap_or_else(PoisonError::into_inner).find(level, target, fields)
    {
        return found;
    }
    let mut callsites = callsites.write().unwrap_or_else(PoisonError::into_inner);
    // Another thread may have made it between the two locks.
    if let Some(found) = callsites.find(level, target, fields) {
        return found;
    }
    let (target, fields) =
        if callsites.count < MAX_CALLSITES { (target, fields) } else { (OVERFLOW_TARGET, &[][..]) };
    if let Some(found) = callsites.find(level, target, fields) {
        return found;
    }
    let target = leak(target);
    let callsite = DynamicCallsite::new(level, target, fields);
    callsites.by_target.entry(target).or_default().push(callsite);
    callsites.count += 1;
    drop(callsites);
    // Without the lock: registering calls the subscriber.
    callsite::register(callsite);
    callsite
}

impl Callsites {
    fn find(&self, level: Level, target: &str, fields: &[(&str, &str)]) -> Option<&'static DynamicCallsite> {
        let is_same = |callsite: &&&'static DynamicCallsite| {
            let metadata = callsite.metadata();
            let names = metadata.fields().iter().skip(1).map(|field| field.name());
            *metadata.level() == level && names.eq(fields.iter().map(|(name, _)| *name))
        };
        self.by_target.get(target)?.iter().find(is_same).copied()
    }
}

impl DynamicCallsite {
    fn new(level: Level, target: &'static str, fields: &[(&str, &str)]) -> &'static DynamicCallsite {
        let mut names = vec!["message"];
        names.extend(fields.iter().map(|(name, _)| leak(name)));
        let callsite: &'static DynamicCallsite = Box::leak(Box::new(DynamicCallsite {
            metadata: OnceLock::new(),
            interest: AtomicU8::new(SOMETIMES),
        }));
        callsite.metadata.get_or_init(|| {
            let fields = FieldSet::new(names.leak(), callsite::Identifier(callsite));
            Metadata::new("connector event", target, level, None, None, None, fields, Kind::EVENT)
        });
        callsite
    }

    fn is_enabled(&'static self) -> bool {
        match self.interest.load(Ordering::Relaxed) {
            NEVER => false,
            ALWAYS => true,
            _ => tracing::dispatcher::get_default(|subscriber| subscriber.enabled(self.metadata())),
        }
    }

    fn dispatch(&'static self, values: &[Option<&dyn Value>]) {
        let metadata = self.metadata();
        Event::dispatch(metadata, &metadata.fields().value_set_all(values));
    }

    #[allow(clippy::expect_used)] // Its own invariant: `new` sets it before anything else can see the callsite.
    fn metadata(&self) -> &Metadata<'static> {
        self.metadata.get().expect("a callsite has its metadata from the beginning")
    }
}

impl callsite::Callsite for DynamicCallsite {
    fn set_interest(&self, interest: Interest) {
        let interest = match interest {
            interest if interest.is_never() => NEVER,
            interest if interest.is_always() => ALWAYS,
            _ => SOMETIMES,
        };
        self.interest.store(interest, Ordering::Relaxed);
    }

    fn metadata(&self) -> &Metadata<'_> {
        DynamicCallsite::metadata(self)
    }
}

/// Keeps a text for the lifetime of the process, which `tracing` requires.
fn leak(text: &str) -> &'static str {
    text.to_owned().leak()
}
