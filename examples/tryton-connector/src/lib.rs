//! A connector for a real ERP system: customers, their contact persons, and projects of Tryton, both ways.
#![forbid(unsafe_code)]

mod actors;
mod tryton;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use plugin_api::{Actor, ActorType, Connection, Connector, Context, DateTime, Error, ErrorKind, Field, Host};
use plugin_api::{
    ListItem, Query, QueryBased, Restriction, Result, ResultExt, Rows, Saves, Secret, Settings, SettingsForm,
};
use plugin_http::Client;
use serde_json::{Value as Json, json};

use self::actors::{Column, Company, columns, contact_of, domain, id, model, reads, values};
use self::tryton::{call, client, date, read_date, records};

/// A record has the time at which its transaction began, and others see it when that ends: so changes are read since a
/// little before the stamp.
const LONGEST_TRANSACTION: Duration = Duration::from_secs(60);

/// What an administrator fills in for a connection.
#[derive(SettingsForm)]
struct Setup {
    /// The address of the Tryton server, such as https://erp.example.com:8000.
    server: String,
    database: String,
    user: String,
    password: Secret,
    /// Parties of this category are customers.
    #[setting(label(us = "Category", no = "Kategori"), default = "Customer")]
    category: String,
    /// Parties with this relation to a customer are contact persons.
    #[setting(label(us = "Relation", no = "Relasjon"), default = "Contact of")]
    relation: String,
}

/// The connector.
pub struct TrytonConnector;

impl Connector for TrytonConnector {
    const NAME: &'static str = "Tryton";
    const DESCRIPTION: &'static str = "Customers, contact persons and projects of Tryton 8.0";
    type Connection = Erp;

    fn new(_host: &Host) -> Result<Self> {
        Ok(TrytonConnector)
    }

    fn settings(&self, _cx: &Context) -> Result<Vec<Field>> {
        Ok(Setup::fields())
    }

    fn connect(&self, cx: &Context, settings: &Settings) -> Result<Erp> {
        let setup = Setup::read(settings)?;
        let http = client(&setup.server, &setup.database, setup.user, setup.password)?;
        let preferences = call(&http, cx, "res.user.get_preferences", json!([true, {}]))?;
        let company = preferences["company"].as_i64();
        let named = |model: &str, name: &str| {
            let found =
                call(&http, cx, &format!("{model}.search"), json!([[["name", "=", name]], 0, 1, null, {}]))?;
            found[0]
                .as_i64()
                .ok_or_else(|| Error::settings(format!("Tryton has no {model} with the name {name:?}")))
        };
        let company = Company {
            id: company.ok_or_else(|| Error::settings("the user of Tryton belongs to no company"))?,
            customers: named("party.category", &setup.category)?,
            contact_of: named("party.relation.type", &setup.relation)?,
        };
        Ok(Erp { http, company, creating: Mutex::default() })
    }
}

/// An open connection: a session of a user of Tryton.
pub struct Erp {
    http: Client,
    company: Company,
    /// Held while a record is created: on SQLite, Tryton does not lock the sequence of its numbers.
    creating: Mutex<()>,
}

impl Connection for Erp {
    fn close(&self, cx: &Context) -> Result<()> {
        self.http.log_out(cx)
    }

    fn actor_types(&self, _cx: &Context) -> Result<Vec<ActorType>> {
        Ok(vec!["Customer".into(), ActorType::new("Person").below("Customer"), "Project".into()])
    }

    fn fields(&self, _cx: &Context, actor_type: &str) -> Result<Vec<Field>> {
        Ok(columns(actor_type)?.into_iter().map(|column| column.field).collect())
    }

    fn searchable_fields(&self, _cx: &Context, actor_type: &str) -> Result<Vec<String>> {
        Ok(columns(actor_type)?
            .into_iter()
            .filter(Column::is_searched)
            .map(|column| column.field.key)
            .collect())
    }

    fn list(&self, cx: &Context, name: &str) -> Result<Option<Vec<ListItem>>> {
        let (model, domain) = match name {
            "Countries" => ("country.country", json!([])),
            "Languages" => ("ir.lang", json!([])),
            "Statuses" => ("project.work.status", json!([["types", "in", ["project"]]])),
            _ => return Ok(None),
        };
        let pages: Vec<Vec<Json>> =
            records(&self.http, cx, model, domain, &["name"]).collect::<Result<_>>()?;
        let text = |item: &Json| item["name"].as_str().unwrap_or_default().to_owned();
        Ok(Some(
            pages.iter().flatten().map(|item| ListItem::new(item["id"].to_string(), text(item))).collect(),
        ))
    }

    plugin_api::query_based!(get, search, search_text, changed_since);

    fn create(&self, cx: &Context, actor: &Actor, rows: &mut Rows<'_>) -> Result<()> {
        let values = values(actor, &Json::Null, &self.company)?;
        let method = format!("{}.create", model(&actor.actor_type));
        let one_at_a_time = self.creating.lock().unwrap_or_else(PoisonError::into_inner);
        cx.check()?;
        let created = call(&self.http, cx, &method, json!([[values], {}]))?;
        drop(one_at_a_time);
        self.written(cx, &actor.actor_type, &created[0], rows)
    }

    fn save(&self, cx: &Context, saves: &mut Saves<'_>) -> Result<()> {
        saves.each(|actor, rows| self.save_one(cx, actor, rows))
    }
}

impl QueryBased for Erp {
    fn query(&self, cx: &Context, actor_type: &str, query: &Query<'_>, rows: &mut Rows<'_>) -> Result<()> {
        let columns = columns(actor_type)?;
        // A key that is none has no children.
        let parent = query.parent.map(|parent| id(&parent.key).unwrap_or_default());
        let mut domain = vec![domain(actor_type, &self.company, parent)];
        if let Some(keys) = query.keys {
            let ids: Vec<i64> = keys.iter().filter_map(|key| id(key).ok()).collect();
            domain.push(json!(["id", "in", ids]));
        }
        let narrowed = |restriction: &Restriction| {
            let column = columns.iter().find(|column| column.field.key == restriction.field);
            column.and_then(|column| column.narrowed_by(restriction))
        };
        domain.extend(query.restrictions.iter().filter_map(narrowed));
        // A text that Tryton compares in another way is left to the filter of the rows.
        let any: Option<Vec<Json>> = query.any.iter().map(narrowed).collect();
        if let (Some(text), Some(any)) = (query.text, any) {
            let key = json!(["id", "=", id(text).unwrap_or_default()]);
            domain.push(json!([vec![json!("OR"), key], any].concat()));
        }
        if let Some(stamp) = query.changed_since {
            let stamp = DateTime::parse_sortable(stamp).user("the stamp is none of Tryton")?;
            let since = date(stamp.saturating_sub(LONGEST_TRANSACTION));
            domain.push(json!(["OR", ["write_date", ">=", since], ["create_date", ">=", since]]));
        }
        for page in records(&self.http, cx, model(actor_type), json!(domain), &reads(actor_type, &columns)) {
            for record in page? {
                let mut row = rows.row(&record["id"]);
                if let Some(date) = read_date(&record["write_date"]).or(read_date(&record["create_date"])) {
                    row.last_modified(&date.to_sortable());
                }
                if let Some(customer) = contact_of(&record, &self.company)["to"].as_i64() {
                    row.parent("Customer", &customer.to_string());
                }
                for column in &columns {
                    row.field(&column.field.key, column.value(&record));
                }
                row.end()?;
            }
        }
        Ok(())
    }
}

impl Erp {
    /// Changes the fields that came, unless somebody else changes the record between reading and writing it.
    fn save_one(&self, cx: &Context, actor: &Actor, rows: &mut Rows<'_>) -> Result<()> {
        let (actor_type, model) = (actor.actor_type.as_str(), model(&actor.actor_type));
        let only = json!([domain(actor_type, &self.company, None), ["id", "=", id(&actor.key)?]]);
        let fields = reads(actor_type, &columns(actor_type)?);
        let found = records(&self.http, cx, model, only, &fields).next().transpose()?.unwrap_or_default();
        let missing = || Error::not_found("Tryton has no such record");
        let record = found.first().ok_or_else(missing)?;
        let context = json!({"_timestamp": {format!("{model},{}", actor.key): record["_timestamp"]}});
        let params = json!([[record["id"]], values(actor, record, &self.company)?, context]);
        call(&self.http, cx, &format!("{model}.write"), params)?;
        self.written(cx, actor_type, &record["id"], rows)
    }

    /// Pushes an actor that was written: a failure here does not undo that.
    fn written(&self, cx: &Context, actor_type: &str, id: &Json, rows: &mut Rows<'_>) -> Result<()> {
        let read = self.get(cx, actor_type, &[&id.to_string()], rows);
        read.map_err(|error| error.of_kind(ErrorKind::UnknownOutcome))
    }
}

plugin_api::export!(TrytonConnector);
