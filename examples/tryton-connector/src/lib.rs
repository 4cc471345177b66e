//! A connector for a real ERP system: customers, their contact persons, and projects of Tryton, both ways.
#![forbid(unsafe_code)]

mod actors;
mod tryton;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use plugin_api::{
    Actor, ActorType, Connection, Connector, Context, DateTime, Error, ErrorKind, Field, FieldType, Host,
    ListItem, Matcher, Operator, Parent, Restriction, Result, ResultExt, Rows, Secret, Settings,
    SettingsForm, TextMatcher,
};
use serde_json::{Value as Json, json};

use self::actors::{Column, Company, columns, contact_of, domain, id, model, reads, values};
use self::tryton::{Tryton, date, read_date};

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
    #[setting(label(us = "Category of customers", no = "Kategori for kunder"), default = "Customer")]
    category: String,
    /// Parties with this relation to a customer are contact persons of it.
    #[setting(
        label(us = "Relation of contact persons", no = "Relasjon for kontaktpersoner"),
        default = "Contact of"
    )]
    relation: String,
}

/// The connector.
pub struct TrytonConnector;

/// An open connection: a session of a user of Tryton.
pub struct Erp {
    tryton: Tryton,
    company: Company,
    company_name: String,
    /// Held while a record is created: on SQLite, Tryton does not lock the sequence of its numbers.
    creating: Mutex<()>,
}

impl Connector for TrytonConnector {
    const NAME: &'static str = "Tryton";
    const DESCRIPTION: &'static str = "Customers, contact persons and projects of Tryton 8.0";
    const ACTOR_TYPES: &'static [&'static str] = &["Customer", "Person", "Project"];
    type Connection = Erp;

    fn new(_host: &Host) -> Result<Self> {
        Ok(TrytonConnector)
    }

    fn settings(&self, _cx: &Context) -> Result<Vec<Field>> {
        Ok(Setup::fields())
    }

    fn connect(&self, cx: &Context, settings: &Settings) -> Result<Erp> {
        let setup = Setup::read(settings)?;
        let tryton = Tryton::new(&setup.server, &setup.database, setup.user, setup.password)?;
        let preferences = tryton.read(cx, "res.user.get_preferences", json!([true, {}]))?;
        let company = preferences["company"].as_i64();
        let company = Company {
            id: company.ok_or_else(|| Error::settings("the user of Tryton belongs to no company"))?,
            customers: tryton.named(cx, "party.category", &setup.category)?,
            contact_of: tryton.named(cx, "party.relation.type", &setup.relation)?,
        };
        let company_name = preferences["company.rec_name"].as_str().unwrap_or_default().to_owned();
        Ok(Erp { tryton, company, company_name, creating: Mutex::default() })
    }
}

impl Connection for Erp {
    fn test(&self, cx: &Context) -> Result<()> {
        cx.info(format!("connected to {} in Tryton", self.company_name));
        Ok(())
    }

    fn actor_types(&self, _cx: &Context) -> Result<Vec<ActorType>> {
        Ok(vec!["Customer".into(), ActorType::new("Person").below("Customer"), "Project".into()])
    }

    fn fields(&self, _cx: &Context, actor_type: &str) -> Result<Vec<Field>> {
        Ok(columns(actor_type)?.into_iter().map(|column| column.field).collect())
    }

    fn list(&self, cx: &Context, name: &str) -> Result<Option<Vec<ListItem>>> {
        let (model, domain) = match name {
            "Countries" => ("country.country", json!([])),
            "Languages" => ("ir.lang", json!([])),
            "Statuses" => ("project.work.status", json!([["types", "in", ["project"]]])),
            _ => return Ok(None),
        };
        let mut items = Vec::new();
        for page in self.tryton.records(cx, model, domain, &["name"]) {
            let text = |record: &Json| record["name"].as_str().unwrap_or_default().to_owned();
            items.extend(page?.iter().map(|record| ListItem::new(record["id"].to_string(), text(record))));
        }
        Ok(Some(items))
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
        let columns = columns(actor_type)?;
        let matcher = TextMatcher::new(text, &self.fields(cx, actor_type)?, parent);
        let contains = Restriction::new("", Operator::Contains, [text.trim()]);
        let is_text = |column: &&Column| column.field.field_type == FieldType::Text;
        let narrowed = columns.iter().filter(is_text).filter_map(|column| column.narrowed_by(&contains));
        let mut any: Vec<Json> = narrowed.collect();
        if !any.is_empty() {
            any.splice(0..0, [json!("OR"), json!(["id", "=", id(text.trim()).unwrap_or_default()])]);
        }
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
        let filter = json!(["OR", ["write_date", ">=", since], ["create_date", ">=", since]]);
        self.find(cx, actor_type, None, filter, rows)
    }

    fn create(&self, cx: &Context, actor: &Actor, rows: &mut Rows<'_>) -> Result<()> {
        let values = values(actor, &Json::Null, &self.company)?;
        let method = format!("{}.create", model(&actor.actor_type));
        let one_at_a_time = self.creating.lock().unwrap_or_else(PoisonError::into_inner);
        cx.check()?;
        let created = self.tryton.write(cx, &method, json!([[values], {}]))?;
        drop(one_at_a_time);
        self.written(cx, &actor.actor_type, &created[0], rows)
    }

    fn close(&self, cx: &Context) -> Result<()> {
        self.tryton.log_out(cx)
    }

    fn save(&self, cx: &Context, actors: &[Actor], rows: &mut Rows<'_>) -> Result<()> {
        actors.iter().try_for_each(|actor| self.save_one(cx, actor, rows))
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
        for page in self.tryton.records(cx, model(actor_type), domain, &reads(actor_type, &columns)) {
            for record in page? {
                let mut row = rows.row(&record["id"]);
                if let Some(changed) = read_date(&record["write_date"]).or(read_date(&record["create_date"]))
                {
                    row.last_modified(&changed.to_sortable());
                }
                if let Some(relation) = contact_of(&record, &self.company) {
                    row.parent("Customer", &relation["to"].to_string());
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
        let found = self.tryton.records(cx, model, only, &fields).next().transpose()?.unwrap_or_default();
        let Some(record) = found.first() else {
            return Err(Error::not_found(format!("Tryton has no {actor_type} {}", actor.key)));
        };
        let context = json!({"_timestamp": {format!("{model},{}", actor.key): record["_timestamp"]}});
        let params = json!([[record["id"]], values(actor, record, &self.company)?, context]);
        self.tryton.write(cx, &format!("{model}.write"), params)?;
        self.written(cx, actor_type, &record["id"], rows)
    }

    /// Pushes an actor that was written. A failure here does not undo that.
    fn written(&self, cx: &Context, actor_type: &str, id: &Json, rows: &mut Rows<'_>) -> Result<()> {
        let read = self.find(cx, actor_type, None, json!(["id", "=", id]), rows);
        read.map_err(|error| error.of_kind(ErrorKind::UnknownOutcome))
    }
}

plugin_api::export!(TrytonConnector);
