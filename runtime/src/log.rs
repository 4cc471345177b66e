//! Log records of plugins, told to `tracing` as if they were the host's own: with their level, target and fields, in
//! the span of the call that they belong to.
//!
//! `tracing` wants to know each place that logs beforehand, and for ever. The places of a plugin become known as they
//! log: each level, target and set of field names is one, kept in a table of bounded size.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock};

use plugin_api::abi::Record;
use plugin_api::abi::client::Log;
use tracing::callsite::{self, Callsite};
use tracing::field::{FieldSet, Value};
use tracing::metadata::Kind;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Span};

use crate::on_call::OnCall;

/// Places that are kept; a plugin that makes up targets as it goes gets the last one for the rest.
const MOST_PLACES: usize = 4096;
/// Fields that a place may have; more become part of the message.
const MOST_FIELDS: usize = 30;
/// The target of records that have no place of their own.
const OTHER_TARGET: &str = "connector";

/// Where the log records of one plugin go.
pub(super) struct ToTracing {
    connector: String,
}

impl ToTracing {
    pub(super) fn new(connector: &str) -> Self {
        ToTracing { connector: connector.to_owned() }
    }

    /// Whose records these are.
    #[cfg(unix)]
    pub(super) fn connector(&self) -> &str {
        &self.connector
    }
}

impl Log for ToTracing {
    fn enabled(&self, level: Level, target: &str) -> bool {
        is_enabled(level, target)
    }

    fn log(&self, record: &Record<'_>) {
        // A thread of the connector's own is in no call: its records tell at least whose they are.
        let _span = Span::current().is_none().then(|| match OnCall::current() {
            Some(call) => call.span().entered(),
            None => tracing::error_span!("connector", connector = %self.connector).entered(),
        });
        let place = place(record.level, record.target, &record.fields);
        if !place.is_enabled() {
            return;
        }
        if place.metadata().fields().len() == record.fields.len() + 1 {
            let mut values: Vec<Option<&dyn Value>> = vec![Some(&record.message)];
            values.extend(record.fields.iter().map(|(_, value)| Some(value as &dyn Value)));
            place.dispatch(&values);
        } else {
            let mut message = record.message.to_owned();
            for (name, value) in &record.fields {
                message.extend([" ", name, "=", value]);
            }
            place.dispatch(&[Some(&message.as_str())]);
        }
    }
}

/// Whether records of this level and target go anywhere.
pub(super) fn is_enabled(level: Level, target: &str) -> bool {
    place(level, target, &[]).is_enabled()
}

/// A level, a target and the names of fields, the first of which is the message.
struct Place {
    metadata: OnceLock<Metadata<'static>>,
    /// What the subscriber says of it beforehand: one of the three below.
    interest: AtomicU8,
}

const NEVER: u8 = 0;
const ASK: u8 = 1;
const ALWAYS: u8 = 2;

/// All places by target.
static PLACES: OnceLock<RwLock<Places>> = OnceLock::new();

#[derive(Default)]
struct Places {
    by_target: HashMap<&'static str, Vec<&'static Place>>,
    count: usize,
}

/// The place of a record; made when it is new.
fn place(level: Level, target: &str, fields: &[(&str, &str)]) -> &'static Place {
    let fields = if fields.len() > MOST_FIELDS { &[] } else { fields };
    let places = PLACES.get_or_init(RwLock::default);
    if let Some(place) = places.read().unwrap_or_else(PoisonError::into_inner).find(level, target, fields) {
        return place;
    }
    let mut places = places.write().unwrap_or_else(PoisonError::into_inner);
    // Somebody else may have made it while nobody held the lock.
    if let Some(place) = places.find(level, target, fields) {
        return place;
    }
    let (target, fields) =
        if places.count < MOST_PLACES { (target, fields) } else { (OTHER_TARGET, &[][..]) };
    if let Some(place) = places.find(level, target, fields) {
        return place;
    }
    let target = leak(target);
    let place = Place::new(level, target, fields);
    places.by_target.entry(target).or_default().push(place);
    places.count += 1;
    drop(places);
    // Without the lock, for the subscriber is asked about it.
    callsite::register(place);
    place
}

impl Places {
    fn find(&self, level: Level, target: &str, fields: &[(&str, &str)]) -> Option<&'static Place> {
        let same = |place: &&&'static Place| {
            let metadata = place.metadata();
            let names = metadata.fields().iter().skip(1).map(|field| field.name());
            *metadata.level() == level && names.eq(fields.iter().map(|(name, _)| *name))
        };
        self.by_target.get(target)?.iter().find(same).copied()
    }
}

impl Place {
    fn new(level: Level, target: &'static str, fields: &[(&str, &str)]) -> &'static Place {
        let mut names = vec!["message"];
        names.extend(fields.iter().map(|(name, _)| leak(name)));
        let place: &'static Place =
            Box::leak(Box::new(Place { metadata: OnceLock::new(), interest: AtomicU8::new(ASK) }));
        place.metadata.get_or_init(|| {
            let fields = FieldSet::new(names.leak(), callsite::Identifier(place));
            Metadata::new("connector event", target, level, None, None, None, fields, Kind::EVENT)
        });
        place
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
}

impl Callsite for Place {
    fn set_interest(&self, interest: Interest) {
        let interest = match interest {
            interest if interest.is_never() => NEVER,
            interest if interest.is_always() => ALWAYS,
            _ => ASK,
        };
        self.interest.store(interest, Ordering::Relaxed);
    }

    #[allow(clippy::expect_used)] // Its own invariant: `new` sets it before anybody else sees the place.
    fn metadata(&self) -> &Metadata<'_> {
        self.metadata.get().expect("a place has its metadata from the beginning")
    }
}

/// Keeps a text for ever, as `tracing` wants it.
fn leak(text: &str) -> &'static str {
    text.to_owned().leak()
}
