//! The life of a connection across the boundary: opened, refreshed, closed once, and deleted with its folder.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::abi::adapter::connector_object;
use crate::abi::client::{ConnectionClient, ConnectorClient};
use crate::{
    ActorType, Connection, Connector, Context, Error, ErrorKind, Field, Host, Lifetime, Outcome, Result,
    Settings, State,
};

const GUID: &str = "3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf";

type Events = Arc<Mutex<Vec<String>>>;

/// Records what happens to its connections. A setting makes the method of that name fail.
struct Recorder(Events);

struct Recorded {
    events: Events,
    settings: Settings,
}

impl Recorded {
    fn record(&self, method: &'static str) -> Result<()> {
        self.events.lock().unwrap().push(method.to_owned());
        match self.settings.get(method) {
            Some("panic") => panic!("on purpose"),
            Some(text) => Err(Error::new(ErrorKind::Reopen, text)),
            None => Ok(()),
        }
    }
}

impl Connector for Recorder {
    const NAME: &'static str = "Recorder";
    type Connection = Recorded;

    fn new(_: &Host) -> Result<Self> {
        Ok(Recorder(Events::default()))
    }

    fn settings(&self, _cx: &Context) -> Result<Vec<Field>> {
        Ok(Vec::new())
    }

    fn connect(&self, cx: &Context, settings: &Settings) -> Result<Recorded> {
        if settings.connection().is_some() {
            std::fs::write(cx.folder()?.join("session"), "token")?;
        } else {
            assert!(cx.folder().unwrap_err().user_text().contains("no folder"));
        }
        Ok(Recorded { events: Arc::clone(&self.0), settings: settings.clone() })
    }

    fn connection_deleted(&self, cx: &Context, guid: &str) -> Result<()> {
        let token = std::fs::read_to_string(cx.folder()?.join("session")).unwrap_or_default();
        self.0.lock().unwrap().push(format!("deleted {guid}{token}"));
        if token == "kept" { Err(Error::user("not now")) } else { Ok(()) }
    }
}

impl Connection for Recorded {
    fn test(&self, _cx: &Context) -> Result<()> {
        self.record("test")
    }

    fn lifetime(&self, _cx: &Context) -> Lifetime {
        self.record("lifetime").unwrap();
        Lifetime::default().idle(Duration::from_millis(1500)).refresh_every(Duration::MAX)
    }

    fn refresh(&self, cx: &Context) -> Result<()> {
        assert!(cx.folder()?.ends_with(GUID), "{cx:?}");
        self.record("refresh")
    }

    fn close(&self, _cx: &Context) -> Result<()> {
        self.record("close")
    }

    fn actor_types(&self, _cx: &Context) -> Result<Vec<ActorType>> {
        Ok(Vec::new())
    }

    fn fields(&self, _cx: &Context, _: &str) -> Result<Vec<Field>> {
        Ok(Vec::new())
    }

    crate::list_based!(get, search, search_text, changed_since);
}

impl crate::ListBased for Recorded {
    fn actors(&self, _cx: &Context, _: &str, _: &mut crate::Rows<'_>) -> Result<()> {
        Ok(())
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        self.events.lock().unwrap().push("dropped".to_owned());
    }
}

/// A connector in a data folder of its own, which is removed at the end.
struct Place {
    events: Events,
    connector: ConnectorClient,
    data_folder: PathBuf,
}

impl Place {
    fn new(name: &str) -> Self {
        let data_folder = std::env::temp_dir().join(format!("erp-host-life-{name}-{}", std::process::id()));
        let events = Events::default();
        let object = connector_object(Recorder(Arc::clone(&events)), data_folder.clone());
        Place { events, connector: ConnectorClient::new("Recorder".into(), Arc::new(object)), data_folder }
    }

    fn connect<const N: usize>(&self, settings: [(&str, &str); N]) -> Result<ConnectionClient, Outcome> {
        self.connector.connect(&Settings::from(settings).of_connection(GUID, 1))
    }

    fn events(&self) -> Vec<String> {
        std::mem::take(&mut self.events.lock().unwrap())
    }

    fn folder(&self) -> PathBuf {
        self.data_folder.join("connections").join(GUID)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.data_folder);
    }
}

#[test]
fn connection_is_closed_once_before_it_is_dropped() {
    let place = Place::new("closed");
    let connection = place.connect([]).unwrap();
    let lifetime = connection.opened().lifetime;
    assert_eq!((lifetime.idle, lifetime.age), (Some(Duration::from_millis(1500)), None));
    assert!(lifetime.refresh_every > Some(Duration::from_secs(49 * 24 * 3600)));
    assert_eq!(connection.refresh(), Outcome::ok());
    assert_eq!(connection.close(), Outcome::ok());
    drop(connection);
    assert_eq!(place.events(), ["lifetime", "refresh", "close", "dropped"]);
    // By a host that does not ask for it.
    drop(place.connect([]).unwrap());
    assert_eq!(place.events(), ["lifetime", "close", "dropped"]);
    // Settings that are only tried out.
    assert_eq!(place.connector.test_settings(&Settings::default()), Outcome::ok());
    assert_eq!(place.events(), ["test", "close", "dropped"]);
}

#[test]
fn connection_that_fails_to_close_is_dropped_too() {
    let place = Place::new("failing");
    let connection =
        place.connect([("close", "the ERP system does not answer"), ("refresh", "ended")]).unwrap();
    let outcome = connection.refresh();
    assert_eq!((outcome.state, outcome.kind), (State::Error, ErrorKind::Reopen));
    assert_eq!(connection.close().user.as_deref(), Some("the ERP system does not answer"));
    drop(connection);
    assert_eq!(place.events(), ["lifetime", "refresh", "close", "dropped"]);
    drop(place.connect([("close", "panic")]).unwrap());
    assert_eq!(place.events(), ["lifetime", "close", "dropped"]);
    // A connection whose opening does not end.
    assert_eq!(place.connect([("lifetime", "panic")]).unwrap_err().state, State::Error);
    assert_eq!(place.events(), ["lifetime", "close", "dropped"]);
    let tested = place.connector.test_settings(&Settings::from([("close", "no logout")]));
    assert_eq!((tested.state, tested.user.as_deref()), (State::Warning, Some("no logout")));
}

#[test]
fn folder_of_a_connection_is_for_its_owner_and_removed_after_the_notice() {
    let place = Place::new("folder");
    assert_eq!(place.connector.connection_folders(), Ok(Vec::new()));
    drop(place.connect([]).unwrap());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(place.folder().metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }
    // What is no name of a connection is left alone.
    std::fs::create_dir(place.folder().with_file_name("not one")).unwrap();
    assert_eq!(place.connector.connection_folders(), Ok(vec![GUID.to_owned()]));
    place.events();

    // A notice that fails leaves the folder for the next one.
    std::fs::write(place.folder().join("session"), "kept").unwrap();
    assert_eq!(place.connector.connection_deleted(GUID).user.as_deref(), Some("not now"));
    assert!(place.folder().exists());
    std::fs::write(place.folder().join("session"), "token").unwrap();
    for token in ["token", ""] {
        assert_eq!(place.connector.connection_deleted(GUID), Outcome::ok());
        assert!(!place.folder().exists());
        assert_eq!(place.events().last(), Some(&format!("deleted {GUID}{token}")));
    }
    // A name that leads elsewhere has no folder.
    let outside = place.data_folder.join("session");
    std::fs::write(&outside, "").unwrap();
    assert_eq!(place.connector.connection_deleted("..").state, State::Error);
    assert!(Path::new(&outside).exists());
}
