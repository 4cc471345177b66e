//! The connector that the speed comparison calls: rows of 20 fields from memory, the same as the gSOAP peer's
//! (`benches/peers/gsoap/server.cpp`), so that only the servers differ.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use plugin_api::{
    Actor, ActorType, Connection, Connector, Context, Error, Field, Host, ListBased, Result, Rows, Settings,
    SettingsForm,
};

/// What the comparison sends, and two settings more, so that the form is as large as the peer's.
#[derive(SettingsForm)]
struct Setup {
    /// Path of the workbook <full>
    #[setting(label(no = "Filnavn", us = "File name"), default = "ErpClient.xlsm", max_length = 500)]
    #[allow(dead_code)] // The rows stand in no file.
    filename: String,
    /// How many rows each actor type has
    #[setting(label(no = "Rader", us = "Rows"), default = 1000)]
    rows: u32,
    /// Path of the workbook <full>
    #[setting(label(no = "Filnavn", us = "File name"), default = "ErpClient.xlsm", max_length = 500)]
    #[allow(dead_code)]
    mode: Option<String>,
    /// Path of the workbook <full>
    #[setting(label(no = "Filnavn", us = "File name"), default = "ErpClient.xlsm", max_length = 500)]
    #[allow(dead_code)]
    hint: Option<String>,
}

/// The connector. Connections with as many rows share them: what 10,000 connections cost is to be measured of the host, and
/// not of 10,000 times the same rows, which no processor keeps at hand.
pub struct RowsConnector {
    rows: Mutex<HashMap<u32, Arc<[Actor]>>>,
}

/// Its rows, which no call changes.
pub struct InMemory {
    rows: Arc<[Actor]>,
}

impl Connector for RowsConnector {
    /// Its last letters make other names of the same length: the start of a host with many plugins is measured with copies.
    const NAME: &'static str = "RowsNamed00";
    const DESCRIPTION: &'static str = "Rows from memory, to measure the host";
    const ACTOR_TYPES: &'static [&'static str] = &[ACTOR_TYPE];
    type Connection = InMemory;

    fn new(_host: &Host) -> Result<Self> {
        Ok(RowsConnector { rows: Mutex::default() })
    }

    fn settings(&self, _cx: &Context) -> Result<Vec<Field>> {
        Ok(Setup::fields())
    }

    fn connect(&self, _cx: &Context, settings: &Settings) -> Result<InMemory> {
        let count = Setup::read(settings)?.rows;
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = rows.entry(count).or_insert_with(|| (1..=count).map(row).collect());
        Ok(InMemory { rows: Arc::clone(rows) })
    }
}

const ACTOR_TYPE: &str = "Customer";

/// The row of this number.
fn row(i: u32) -> Actor {
    let stamp = format!("[DT:01/{:02}/2026 12:00:00.0000000]", 1 + i % 28);
    let mut actor = Actor::new(ACTOR_TYPE, i.to_string()).stamped(stamp);
    for (key, value) in [
        ("NAME", format!("Customer number {i}")),
        ("NUMBER1", format!("[I:{}]", 1000 + i)),
        ("POSTALAD1", format!("Street {i}")),
        ("POSTALZIP", format!("{}", 1000 + i % 9000)),
        ("POSTALCITY", format!("City {}", i % 97)),
        ("EMAIL1", format!("mail{i}@example.org")),
        ("PHONE1", format!("+47 22 00 {i}")),
        ("LIMIT", format!("[F:{i}.5]")),
        ("SINCE", "[DT:12/31/2013 23:59:59.0000000]".to_owned()),
        ("ACTIVE", format!("[I:{}]", 1 - i % 2)),
        ("CATEGORY", format!("{}", 1 + i % 2)),
    ] {
        actor = actor.with(key, value.as_str());
    }
    for k in 11..20 {
        actor = actor.with(format!("TEXT{k}"), format!("Value of text field {k} in row {i}").as_str());
    }
    actor
}

impl Connection for InMemory {
    fn actor_types(&self, _cx: &Context) -> Result<Vec<ActorType>> {
        Ok(vec![ACTOR_TYPE.into()])
    }

    fn fields(&self, _cx: &Context, _actor_type: &str) -> Result<Vec<Field>> {
        let first = self.rows.first().ok_or_else(|| Error::user("this connection has no rows"))?;
        Ok(first.fields.iter().map(|(key, _)| Field::text(key)).collect())
    }

    plugin_api::list_based!(search, search_text);

    fn get(&self, _cx: &Context, _actor_type: &str, keys: &[&str], rows: &mut Rows<'_>) -> Result<()> {
        // The row of number `n` stands at `n - 1`.
        let places = keys.iter().filter_map(|key| key.parse::<usize>().ok()?.checked_sub(1));
        places.filter_map(|place| self.rows.get(place)).try_for_each(|row| rows.push(row))
    }

    fn changed_since(
        &self,
        _cx: &Context,
        _actor_type: &str,
        stamp: Option<&str>,
        rows: &mut Rows<'_>,
    ) -> Result<()> {
        let is_newer = |row: &&Actor| stamp.is_none_or(|stamp| row.last_modified.as_deref() >= Some(stamp));
        self.rows.iter().filter(is_newer).try_for_each(|row| rows.push(row))
    }
}

impl ListBased for InMemory {
    fn actors(&self, _cx: &Context, _actor_type: &str, rows: &mut Rows<'_>) -> Result<()> {
        self.rows.iter().try_for_each(|row| rows.push(row))
    }
}

plugin_api::export!(RowsConnector);
