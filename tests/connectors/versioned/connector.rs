//! A connector that says which version of it answers, for tests that replace one version by another. Two packages are
//! built from this file, which differ in nothing but their version.

#![forbid(unsafe_code)]

use std::io::Read;
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use plugin_api::{
    Actor, ActorType, Connection, Connector, Context, Error, Field, Host, ListBased, ListItem, Parent,
    Result, Rows, Settings,
};

plugin_api::export!(Versioned);

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How many rows a search gives.
const ROWS: usize = 200;

/// The connector. Its option `panics` names a version that panics as it is made; `waits` names a version, and an address
/// that it connects to as it is made, and waits until that closes the connection.
pub struct Versioned;

/// A connection.
#[derive(Default)]
pub struct VersionedConnection {
    /// How many callbacks have run.
    callbacks: Arc<AtomicUsize>,
}

impl Connector for Versioned {
    const NAME: &'static str = "Versioned";
    const DESCRIPTION: &'static str = "Says which version of it answers";
    const ACTOR_TYPES: &'static [&'static str] = &["Customer"];

    type Connection = VersionedConnection;

    #[allow(clippy::panic)] // What the option is for.
    fn new(host: &Host) -> Result<Self> {
        if host.option("panics").any(|version| version == VERSION) {
            panic!("version {VERSION} panics as it is made");
        }
        let waits: Vec<_> = host.option("waits").collect();
        if let [version, address] = waits[..]
            && version == VERSION
        {
            wait_for(address)?;
        }
        Ok(Versioned)
    }

    fn settings(&self, _cx: &Context) -> Result<Vec<Field>> {
        Ok(vec![Field::text("Name"), Field::text(format!("Only in {VERSION}"))])
    }

    fn connect(&self, _cx: &Context, _: &Settings) -> Result<VersionedConnection> {
        Ok(VersionedConnection::default())
    }
}

impl Connection for VersionedConnection {
    fn actor_types(&self, _cx: &Context) -> Result<Vec<ActorType>> {
        Ok(vec!["Customer".into()])
    }

    fn fields(&self, _cx: &Context, _: &str) -> Result<Vec<Field>> {
        Ok(vec![Field::text("VERSION"), Field::text("TEXT")])
    }

    plugin_api::list_based!(get, search, changed_since);

    /// Rows with the version and the text. The text `until 127.0.0.1:4711` makes it wait until that address, to
    /// which it connects, closes the connection; `while somebody waits` makes it wait until the call is cancelled.
    fn search_text(
        &self,
        cx: &Context,
        actor_type: &str,
        text: &str,
        _: Option<&Parent>,
        rows: &mut Rows<'_>,
    ) -> Result<()> {
        if let Some(address) = text.strip_prefix("until ") {
            wait_for(address)?;
        }
        if text == "while somebody waits" {
            cx.progress("waiting");
            tracing::info!(has_deadline = cx.time_left().is_some(), "waits");
            while cx.time_left().is_some() && !cx.is_cancelled() {
                thread::sleep(Duration::from_millis(5));
            }
            tracing::info!("waits no more");
        }
        for key in 1..=ROWS {
            rows.push(&Actor::new(actor_type, key.to_string()).with("VERSION", VERSION).with("TEXT", text))?;
        }
        Ok(())
    }

    /// How many callbacks have run, and how many are left of earlier calls. The call has a callback itself; the list `until
    /// cancelled` waits for it, and fails.
    fn list(&self, cx: &Context, name: &str) -> Result<Option<Vec<ListItem>>> {
        let left = Arc::strong_count(&self.callbacks) - 1;
        let (done, is_done) = mpsc::channel();
        let callbacks = Arc::clone(&self.callbacks);
        cx.on_cancel(move || {
            callbacks.fetch_add(1, Ordering::SeqCst);
            let _ = done.send(());
        });
        if name == "until cancelled" {
            cx.progress("waiting");
            is_done.recv()?;
            return Err(Error::user("the callback has run"));
        }
        let run = self.callbacks.load(Ordering::SeqCst);
        Ok(Some(vec![ListItem::new("run", run.to_string()), ListItem::new("left", left.to_string())]))
    }
}

impl ListBased for VersionedConnection {
    fn actors(&self, _cx: &Context, _: &str, _: &mut Rows<'_>) -> Result<()> {
        Ok(())
    }
}

/// Waits until this address, to which it connects, closes the connection.
fn wait_for(address: &str) -> Result<()> {
    let waited = TcpStream::connect(address).and_then(|mut stream| stream.read_to_end(&mut Vec::new()));
    waited.map_err(|error| Error::user(format!("cannot wait for {address}: {error}")))?;
    Ok(())
}

impl Drop for VersionedConnection {
    fn drop(&mut self) {
        tracing::info!("closed by {VERSION}");
    }
}

impl Drop for Versioned {
    fn drop(&mut self) {
        tracing::info!("ended {VERSION}");
    }
}
