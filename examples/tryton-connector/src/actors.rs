//! The actor types as tables: each field, and where a record of Tryton has it.

use plugin_api::field_key::{company, person, project};
use plugin_api::{
    Actor, DateTime, Error, Field, FieldType, LikeDialect, Operator, Restriction, Result, Value, us,
};
use serde_json::{Value as Json, json};

use crate::tryton::{date, read_date};

/// What the records of a connection have in common.
pub(crate) struct Company {
    /// The company that projects belong to.
    pub(crate) id: i64,
    /// The category of the parties that are customers.
    pub(crate) customers: i64,
    /// The relation of a contact person to their customer.
    pub(crate) contact_of: i64,
}

/// A field, and its path in a record: `name`, `addresses.city`, `contacts.phone` for the contact mechanism of this type.
/// A field of type List has the ID of another record, and a number is a duration in hours.
pub(crate) struct Column {
    pub(crate) field: Field,
    path: &'static str,
}

/// The fields of an actor type.
pub(crate) fn columns(actor_type: &str) -> Result<Vec<Column>> {
    let name = |key| Field::text(key).label(us("Name").no("Navn")).mandatory();
    let number = |key| Field::text(key).label(us("Number").no("Nummer")).read_only();
    let columns = match actor_type {
        "Customer" => vec![
            (name(company::NAME), "name"),
            (number(company::NUMBER2), "code"),
            (Field::text(company::PHONE), "contacts.phone"),
            (Field::text(company::EMAIL), "contacts.email"),
            (Field::text(company::URL), "contacts.website"),
            (Field::text(company::STREETAD1), "addresses.street"),
            (Field::text(company::STREETZIP), "addresses.postal_code"),
            (Field::text(company::STREETCITY), "addresses.city"),
            (Field::list(company::COUNTRY, "Countries"), "addresses.country"),
            (Field::list("LANGUAGE", "Languages"), "lang"),
            (Field::checkbox("ACTIVE").default(true), "active"),
        ],
        // Tryton has one field for the first and the last name.
        "Person" => vec![
            (name(person::LASTNAME), "name"),
            (number(person::NUMBER), "code"),
            (Field::text(person::PHONE_DIRECT), "contacts.phone"),
            (Field::text(person::PHONE_MOBILE), "contacts.mobile"),
            (Field::text(person::EMAIL), "contacts.email"),
            (Field::list("LANGUAGE", "Languages"), "lang"),
            (Field::checkbox("ACTIVE").default(true), "active"),
        ],
        "Project" => vec![
            (name(project::NAME), "name"),
            (number(project::NUMBER), "number"),
            (Field::text(project::TEXT), "comment"),
            (Field::date_time(project::ENDDATE), "constraint_finish_time"),
            (Field::list("STATUS", "Statuses"), "status"),
            (Field::double("EFFORT").label(us("Effort in hours").no("Timer")), "effort_duration"),
        ],
        _ => return Err(Error::user(format!("there is no actor type {actor_type:?}"))),
    };
    Ok(columns.into_iter().map(|(field, path)| Column { field, path }).collect())
}

/// The model of Tryton that has an actor type.
pub(crate) fn model(actor_type: &str) -> &'static str {
    if actor_type == "Project" { "project.work" } else { "party.party" }
}

/// Which records of the model are such actors, as a domain of Tryton; below a parent if there is one.
pub(crate) fn domain(actor_type: &str, company: &Company, parent: Option<i64>) -> Json {
    let of_customer = json!(["to.categories", "=", company.customers]);
    let to = parent.map_or(of_customer, |id| json!(["to", "=", id]));
    match actor_type {
        "Customer" => json!([["categories", "=", company.customers]]),
        "Person" => json!([["relations", "where", [["type", "=", company.contact_of], to]]]),
        _ => json!([["type", "=", "project"], ["company", "=", company.id]]),
    }
}

/// The fields of a record that have those of an actor type, the stamp and the parent.
pub(crate) fn reads(actor_type: &str, columns: &[Column]) -> Vec<&'static str> {
    let own = columns.iter().map(|column| column.path).filter(|path| !path.starts_with("contacts."));
    let mut reads: Vec<_> = own.chain(["write_date", "create_date", "_timestamp"]).collect();
    if model(actor_type) == "party.party" {
        reads.extend(["contact_mechanisms.type", "contact_mechanisms.value"]);
    }
    if actor_type == "Person" {
        reads.extend(["relations.type", "relations.to"]);
    }
    reads
}

impl Column {
    /// Whether Tryton can search it: not a default language, nor a street that it has put together.
    pub(crate) fn is_searched(&self) -> bool {
        !matches!(self.path, "lang" | "addresses.street")
    }

    /// A condition that holds for all records that a restriction finds, and perhaps for more; `None` when there is none.
    pub(crate) fn narrowed_by(&self, restriction: &Restriction) -> Option<Json> {
        let path = if self.path.starts_with("contacts.") { "contact_mechanisms.value" } else { self.path };
        let condition = |operator: &str, value: Json| Some(json!([path, operator, value]));
        match self.field.field_type {
            FieldType::Text => condition("ilike", json!(restriction.like(LikeDialect::SQL.ascii_case())?)),
            FieldType::List if restriction.operator == Operator::OneOf => {
                let ids: Result<Vec<i64>> = restriction.values.iter().map(|key| id(key)).collect();
                condition("in", json!(ids.ok()?))
            }
            FieldType::Checkbox => condition("=", json!(restriction.value::<Option<bool>>().ok()??)),
            FieldType::Double => Some(within(path, restriction.range().ok()?, duration)),
            FieldType::Datetime => Some(within(path, restriction.range().ok()?, date)),
            _ => None,
        }
    }

    /// The value that a record has.
    pub(crate) fn value<'r>(&self, record: &'r Json) -> Value<'r> {
        let json = match self.path.split_once('.') {
            None => &record[self.path],
            Some(("contacts", kind)) => &contact(record, kind)["value"],
            Some((_, name)) => &record["addresses."][0][name],
        };
        match (self.field.field_type, json) {
            (_, Json::Null) => Value::Null,
            // A boolean of SQLite is a number.
            (FieldType::Checkbox, json) => Value::Checkbox([json!(true), json!(1)].contains(json)),
            (FieldType::Datetime, json) => read_date(json).map_or(Value::Null, Value::DateTime),
            (FieldType::Double, json) => Value::Double(json["seconds"].as_f64().unwrap_or_default() / 3600.0),
            (_, Json::String(text)) => Value::Text(text.into()),
            (_, json) => Value::Text(json.to_string().into()),
        }
    }

    /// The value that an actor was sent with.
    fn sent(&self, actor: &Actor) -> Result<Json> {
        let key = &self.field.key;
        Ok(match self.field.field_type {
            // Null is not ticked; Tryton would hide a record whose box is neither.
            FieldType::Checkbox => json!(actor.get::<bool>(key)?),
            FieldType::Datetime => json!(actor.get::<Option<DateTime>>(key)?.map(date)),
            FieldType::Double => json!(actor.get::<Option<f64>>(key)?.map(duration)),
            FieldType::List => json!(id(actor.text(key)).ok()),
            _ => json!(Some(actor.text(key)).filter(|text| !text.is_empty())),
        })
    }
}

/// What has to be written so that a record has the values of an actor; `before` is null for a new one.
pub(crate) fn values(actor: &Actor, before: &Json, company: &Company) -> Result<Json> {
    let (mut values, mut address, mut contacts) = (json!({}), json!({}), Vec::new());
    for column in columns(&actor.actor_type)? {
        let (key, value) = (&column.field.key, column.sent(actor)?);
        // Where a new record has no value, Tryton has its default.
        if !actor.has(key) || actor.is_unchanged(key) || (before.is_null() && value.is_null()) {
            continue;
        }
        match column.path.split_once('.') {
            Some(("contacts", kind)) => contacts.push(match &contact(before, kind)["id"] {
                Json::Null if value.is_null() => continue,
                id if value.is_null() => json!(["delete", [id]]),
                id => below(id, json!({"type": kind, "value": value})),
            }),
            Some((_, name)) => address[name] = value,
            None => values[column.path] = value,
        }
    }
    if !contacts.is_empty() {
        values["contact_mechanisms"] = json!(contacts);
    }
    if address != json!({}) {
        values["addresses"] = json!([below(&before["addresses."][0]["id"], address)]);
    }
    if let Some(parent) = &actor.parent {
        let relation = json!({"to": id(&parent.key)?, "type": company.contact_of});
        values["relations"] = json!([below(&contact_of(before, company)["id"], relation)]);
    }
    match actor.actor_type.as_str() {
        _ if !before.is_null() => {}
        "Customer" => values["categories"] = json!([["add", [company.customers]]]),
        "Project" => (values["type"], values["company"]) = (json!("project"), json!(company.id)),
        _ => {}
    }
    Ok(values)
}

/// The change of a record below another one, which may not exist yet.
fn below(id: &Json, values: Json) -> Json {
    if id.is_null() { json!(["create", [values]]) } else { json!(["write", [id], values]) }
}

/// The relation of a contact person to their customer.
pub(crate) fn contact_of<'r>(record: &'r Json, company: &Company) -> &'r Json {
    first(&record["relations."], &json!(company.contact_of))
}

fn contact<'r>(record: &'r Json, kind: &str) -> &'r Json {
    first(&record["contact_mechanisms."], &json!(kind))
}

/// The first of these records that has this type.
fn first<'r>(records: &'r Json, kind: &Json) -> &'r Json {
    let found = records.as_array().and_then(|all| all.iter().find(|record| &record["type"] == kind));
    found.unwrap_or(&Json::Null)
}

/// A condition on a field with bounds.
fn within<T>(path: &str, (from, to): (Option<T>, Option<T>), json: fn(T) -> Json) -> Json {
    let bounds = [(">=", from), ("<=", to)].into_iter();
    bounds.filter_map(|(operator, bound)| Some(json!([path, operator, json(bound?)]))).collect()
}

fn duration(hours: f64) -> Json {
    json!({"__class__": "timedelta", "seconds": hours * 3600.0})
}

/// The ID of a record.
pub(crate) fn id(key: &str) -> Result<i64> {
    key.parse().map_err(|_| Error::not_found(format!("there is no record with the key {key:?}")))
}
