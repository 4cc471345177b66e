//! The log bridge: records of a connector in the host's log, in the span of the call.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, Once, PoisonError};

use plugin_api::Settings;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::fixture::{connection, rogue_with};

/// A record with the fields of its spans.
#[derive(Debug, Clone)]
struct Logged {
    level: Level,
    target: String,
    fields: BTreeMap<String, String>,
    span: BTreeMap<String, String>,
}

static LOGGED: Mutex<Vec<Logged>> = Mutex::new(Vec::new());

/// Records everything from level debug on that is logged in this process.
fn record_logs() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        let targets = Targets::new().with_default(LevelFilter::DEBUG);
        tracing_subscriber::registry().with(targets).with(Recorder).init();
    });
}

/// The records in a span with this connection.
fn logged_in(connection: &str) -> Vec<Logged> {
    let logged = LOGGED.lock().unwrap_or_else(PoisonError::into_inner);
    logged
        .iter()
        .filter(|one| one.span.get("connection").is_some_and(|logged| logged == connection))
        .cloned()
        .collect()
}

struct Recorder;

struct Fields<'f>(&'f mut BTreeMap<String, String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }
}

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Recorder {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = BTreeMap::new();
        attributes.record(&mut Fields(&mut fields));
        context.span(id).unwrap().extensions_mut().insert(fields);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let (mut fields, mut span) = (BTreeMap::new(), BTreeMap::new());
        event.record(&mut Fields(&mut fields));
        for around in context.event_scope(event).into_iter().flatten() {
            if let Some(fields) = around.extensions().get::<BTreeMap<String, String>>() {
                span.extend(fields.clone());
            }
        }
        let (level, target) = (*event.metadata().level(), event.metadata().target().to_owned());
        LOGGED.lock().unwrap_or_else(PoisonError::into_inner).push(Logged { level, target, fields, span });
    }
}

fn message(logged: &Logged) -> &str {
    logged.fields.get("message").map_or("", String::as_str)
}

#[test]
fn log_records_are_in_the_span_of_the_call() {
    record_logs();
    let (_folder, connection) = connection([("fields", "log")]);
    {
        let _span =
            tracing::info_span!("call", connector = "Rogue", connection = "c-1", operation = "fields")
                .entered();
        connection.fields("Customer").unwrap();
    }
    let logged = logged_in("c-1");
    let levels: Vec<_> = logged.iter().map(|one| one.level).collect();
    assert_eq!(levels, [Level::ERROR, Level::INFO, Level::INFO, Level::WARN], "no trace: {logged:#?}");
    assert!(logged.iter().all(|one| one.span["operation"] == "fields" && one.span["connector"] == "Rogue"));

    assert_eq!((message(&logged[0]), logged[0].target.as_str()), ("an error", "rogue_connector::fault"));
    let fields = &logged[1].fields;
    assert_eq!((message(&logged[1]), logged[1].target.as_str()), ("with fields", "rogue::target"));
    assert_eq!((fields["number"].as_str(), fields["text"].as_str()), ("7", "plain"));
    assert_eq!(fields["shown"], "Some(\"debug\")");
    assert_eq!((message(&logged[2]), logged[2].fields["only"].as_str()), ("", "true"));
    assert_eq!(
        (message(&logged[3]), logged[3].target.as_str()),
        ("from the log crate", "rogue_connector::fault")
    );
}

#[test]
fn log_record_of_another_thread_has_the_connector() {
    record_logs();
    let (_folder, connection) = connection([("fields", "thread")]);
    connection.fields("Customer").unwrap();
    let logged = LOGGED.lock().unwrap_or_else(PoisonError::into_inner);
    let one = logged.iter().find(|one| message(one) == "from a thread").unwrap();
    assert_eq!(one.fields["answer"], "42");
    assert_eq!(one.span["connector"], "Rogue");
}

#[test]
fn panic_is_logged_with_location_and_backtrace() {
    record_logs();
    let (_folder, connection) = connection([("fields", "panic")]);
    {
        let _span = tracing::info_span!("call", connection = "c-2").entered();
        connection.fields("Customer").unwrap_err();
    }
    let logged = logged_in("c-2");
    assert_eq!((logged.len(), logged[0].level, logged[0].target.as_str()), (1, Level::ERROR, "panic"));
    let text = message(&logged[0]);
    assert!(
        text.starts_with("the connector panicked at ") && text.ends_with(": rogue panic, café"),
        "{text}"
    );
    assert!(logged[0].fields["backtrace"].contains("rogue_connector"), "{:?}", logged[0].fields);
}

#[test]
fn log_records_of_loading_have_the_connector() {
    record_logs();
    let (_folder, _plugin) = rogue_with(&[("new", "log")]);
    let logged = LOGGED.lock().unwrap_or_else(PoisonError::into_inner);
    let in_load = |one: &&Logged| message(one) == "an error" && !one.span.contains_key("connection");
    assert_eq!(logged.iter().find(in_load).unwrap().span["connector"], "Rogue");
}

/// Settings are secrets: the host logs them at no level.
#[test]
fn settings_are_not_logged() {
    record_logs();
    let (_folder, plugin) = rogue_with(&[]);
    let settings = Settings::from([("Password", "correct horse battery staple")]);
    plugin.connector.test_settings(&settings);
    let connection = plugin.connector.connect(&settings).unwrap();
    let shown =
        format!("{:?} {connection:?} {:?}", plugin, LOGGED.lock().unwrap_or_else(PoisonError::into_inner));
    assert!(!shown.contains("battery"));
}
