//! The stores pass one suite (`suite`); what is special to each stands beside it.

mod archive;
mod backup;
mod killed;
mod open;
mod recorded;
mod rekey;
mod secrets;
mod sqlite;
mod suite;

use std::sync::Arc;

use plugin_api::Settings;
use values::Guid;

use crate::audit::{AuditKey, Origin, Recording};

use super::*;

/// By whom a change comes that a test makes.
fn by() -> Origin {
    Origin::Host { host: "a test" }
}

/// Records nothing.
fn unrecorded() -> Recording {
    let key = AuditKey::new(zeroize::Zeroizing::new([0; 32]));
    Recording::new(Arc::new(key), by(), Vec::new(), 0)
}

fn guid(number: u128) -> Guid {
    Guid::from_u128(number)
}

fn plain(key: &str, value: Option<&str>) -> SealedSetting {
    SealedSetting { key: key.to_owned(), value: SealedValue::Plain(value.map(str::to_owned)) }
}

fn save_of(guid: Guid, connector: &str, settings: Vec<SealedSetting>) -> ConnectionSave {
    ConnectionSave { guid, connector: connector.to_owned(), settings, expected: Expected::Anything }
}

async fn save(store: &dyn ConnectionStore, connection: ConnectionSave) -> Revision {
    store.save(&[connection], &unrecorded(), &|_| ()).await.unwrap()
}

/// Settings with a secret named `Password`.
fn settings(server: &str, password: &str) -> Settings {
    Settings::from([("Server", server), ("Password", password)])
}
