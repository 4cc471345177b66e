//! Tests of the whole crate. `store_suite` is what every store must do; `sqlite` is what only the SQLite store does.

mod address_orders;
mod audit_log;
mod backup;
mod durability;
mod encryption_at_rest;
mod export;
mod interrupted_changes;
mod key_rotation;
mod limits;
mod maintenance;
mod open_connections;
mod sqlite;
mod state;
mod store_suite;

use std::convert::Infallible;
use std::sync::Arc;

use plugin_api::Settings;
use values::Guid;

use crate::audit::{AuditBatch, AuditKey, Origin};

use super::*;

/// A connection of tests that do nothing with it.
#[derive(Debug)]
struct EmptyConnection;

impl Live for EmptyConnection {
    fn lifetime(&self) -> Lifetime {
        Lifetime::UNLIMITED
    }

    fn refresh_every(&self) -> Option<std::time::Duration> {
        None
    }
}

/// The origin of the changes that tests make.
fn by() -> Origin {
    Origin::Host { host: "a test" }
}

/// A batch without records.
fn unrecorded() -> AuditBatch {
    let key = AuditKey::new(zeroize::Zeroizing::new([0; 32]));
    AuditBatch::new(Arc::new(key), by(), Vec::new(), 0)
}

fn guid(number: u128) -> Guid {
    Guid::from_u128(number)
}

fn plain(key: &str, value: Option<&str>) -> SealedSetting {
    SealedSetting { key: key.to_owned(), value: SealedValue::Plain(value.map(str::to_owned)) }
}

fn save_of(guid: Guid, connector: &str, settings: Vec<SealedSetting>) -> ConnectionSave {
    ConnectionSave {
        guid,
        connector: connector.to_owned(),
        settings,
        expected: Expected::Anything,
        state: None,
    }
}

async fn save(store: &dyn ConnectionStore, connection: ConnectionSave) -> Revision {
    store.save(&[connection], &unrecorded(), &|_| ()).await.unwrap()
}

/// Settings for a test. `Password` is meant to be a secret.
fn settings(server: &str, password: &str) -> Settings {
    Settings::from([("Server", server), ("Password", password)])
}
