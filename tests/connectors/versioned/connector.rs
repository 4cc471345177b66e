//! A connector that says which version of it answers, for tests that replace one version by another. Two packages are
//! built from this file, which differ in nothing but their version.

#![forbid(unsafe_code)]

use std::io::Read;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use plugin_api::{
    Actor, Call, Connection, Connector, Error, Field, Host, Outcome, Parent, Result, Rows, Settings,
};

plugin_api::export!(Versioned);

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How many rows a search gives.
const ROWS: usize = 200;

/// The connector. Its option `panics` names a version that panics as it is made; `waits` names a version, and an address
/// that it connects to as it is made, and waits until that closes the connection.
pub struct Versioned;

/// A connection.
pub struct VersionedConnection;

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
        Ok(VersionedConnection)
    }
}

impl Connection for VersionedConnection {
    fn actor_types(&self, _cx: &Context) -> Result<Vec<ActorType>> {
        Ok(vec!["Customer".to_owned()])
    }

    fn fields(&self, _cx: &Context, _: &str) -> Result<Vec<Field>> {
        Ok(vec![Field::text("VERSION"), Field::text("TEXT")])
    }

    fn actors(&self, _cx: &Context, _: &str, _: &mut Rows<'_>) -> Result<()> {
        Ok(())
    }

    /// Rows with the version and the text. The text `until 127.0.0.1:4711` makes it wait until that address, to
    /// which it connects, closes the connection; `while somebody waits` makes it wait until its caller does not, in a host
    /// that tells it.
    fn search_text(
        &self,
        _cx: &Context,
        actor_type: &str,
        text: &str,
        _: Option<&Parent>,
        rows: &mut Rows<'_>,
    ) -> Result<()> {
        if let Some(address) = text.strip_prefix("until ") {
            wait_for(address)?;
        }
        if text == "while somebody waits" {
            let call = Call::current();
            call.progress("waiting");
            tracing::info!(has_deadline = call.time_left().is_some(), "waits");
            while call.time_left().is_some() && !call.is_cancelled() {
                thread::sleep(Duration::from_millis(5));
            }
            tracing::info!("waits no more");
        }
        for key in 1..=ROWS {
            rows.push(&Actor::new(actor_type, key.to_string()).with("VERSION", VERSION).with("TEXT", text))?;
        }
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
