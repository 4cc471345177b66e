//! A connector for a real ERP system: customers, their contact persons, and projects of Tryton, both ways.
#![forbid(unsafe_code)]

mod actors;
mod tryton;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use plugin_api::{Actor, ActorType, Connection, Connector, Context, DateTime, Error, ErrorKind, Field};
use plugin_api::{
    FieldType, Host, ListItem, Matcher, Operator, Parent, Restriction, Result, ResultExt, Rows, Saves,
};
use plugin_api::{Secret, Settings, SettingsForm, TextMatcher};
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

    fn get(&self, cx: &Context, actor_type: &str, keys: &[&str], rows: &mut Rows<'_>) -> Result<()> {
        let ids: Vec<i64> = keys.iter().filter_map(|key| id(key).ok()).collect();
        self.find(cx, actor_type, None, json!(["id", "in", ids]), rows)
    }

    fn search(
        &self,
        cx: &Context,
        actor_type: &str,
        restrictions: &[Restriction],
        rows: &mut Rows<'_>,
    ) -> Result<()> {
        let matcher = Matcher::of(self, cx, actor_type, restrictions)?;
        let columns = columns(actor_type)?;
        let column = |of: &Restriction| columns.iter().find(|column| column.field.key == of.field);
        let narrowed = restrictions.iter().filter_map(|of| column(of)?.narrowed_by(of)).collect();
        self.find(cx, actor_type, matcher.parent(), narrowed, &mut rows.filtered(&matcher)?)
    }

    fn search_text(
        &self,
        cx: &Context,
        actor_type: &str,
        text: &str,
        parent: Option<&Parent>,
        rows: &mut Rows<'_>,
    ) -> Result<()> {
        let is_looked_at =
            |column: &Column| column.is_searched() && column.field.field_type == FieldType::Text;
        let columns: Vec<Column> = columns(actor_type)?.into_iter().filter(is_looked_at).collect();
        let contains = Restriction::new("", Operator::Contains, [text.trim()]);
        let mut any: Vec<Json> = columns.iter().filter_map(|column| column.narrowed_by(&contains)).collect();
        if !any.is_empty() {
            any.splice(0..0, [json!("OR"), json!(["id", "=", id(text.trim()).unwrap_or_default()])]);
        }
        let fields: Vec<Field> = columns.into_iter().map(|column| column.field).collect();
        let matcher = TextMatcher::new(text, &fields, parent);
        self.find(cx, actor_type, parent, json!(any), &mut rows.filtered(&matcher)?)
    }

    fn changed_since(
        &self,
        cx: &Context,
        actor_type: &str,
        stamp: Option<&str>,
        rows: &mut Rows<'_>,
    ) -> Result<()> {
        let Some(stamp) = stamp else { return self.find(cx, actor_type, None, json!([]), rows) };
        let stamp = DateTime::parse_sortable(stamp).user("the stamp is none of Tryton")?;
        let since = date(stamp.saturating_sub(LONGEST_TRANSACTION));
        let changed = json!(["OR", ["write_date", ">=", since], ["create_date", ">=", since]]);
        self.find(cx, actor_type, None, changed, rows)
    }

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

impl Erp {
    /// Pushes the actors of a type that are below this parent and in this domain.
    fn find(
        &self,
        cx: &Context,
        actor_type: &str,
        parent: Option<&Parent>,
        filter: Json,
        rows: &mut Rows<'_>,
    ) -> Result<()> {
        // A key that is none has no children.
        let parent = parent.map(|parent| id(&parent.key).unwrap_or_default());
        let domain = json!([domain(actor_type, &self.company, parent), filter]);
        let columns = columns(actor_type)?;
        for page in records(&self.http, cx, model(actor_type), domain, &reads(actor_type, &columns)) {
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
        let read = self.find(cx, actor_type, None, json!(["id", "=", id]), rows);
        read.map_err(|error| error.of_kind(ErrorKind::UnknownOutcome))
    }
}

plugin_api::export!(TrytonConnector);
