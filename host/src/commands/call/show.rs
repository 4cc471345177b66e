//! Answers for people and for programs.

use std::io::{self, Write};

use contract::{Actor, Dictionary, Field, LocalizedText, Outcome, Payload, Reply, Text};
use serde_json::{Map, Value as Json, json};

use crate::commands::table::{Table, printable};
use erp_host_client::{CallError, Exchange, HttpRequest, HttpResponse};

/// How an answer is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// What travelled.
    Xml,
}

/// Shows an answer.
pub(super) fn exchange(out: &mut impl Write, exchange: &Exchange, form: Form) -> io::Result<()> {
    let traffic = &exchange.traffic;
    match form {
        Form::Xml => raw(out, &traffic.request, &traffic.response),
        Form::Json => {
            serde_json::to_writer_pretty(&mut *out, &as_json(&exchange.answer.reply))?;
            writeln!(out)
        }
        Form::Table => {
            match &exchange.answer.reply {
                Reply::Result { outcome: _, payload } => table(out, payload)?,
                Reply::Authentication(reply) => {
                    let token = reply.signed_application_token.as_ref().map(|token| token.0.as_ref());
                    writeln!(out, "token   {}", printable(token.unwrap_or("(none)")))?;
                }
            }
            let dialect = exchange.answer.envelope.dialect;
            let (elapsed, bytes) = (traffic.elapsed, traffic.response.body.len());
            summary(out, &exchange.outcome())?;
            writeln!(out, "{} in {elapsed:.1?}, {bytes} bytes, dialect {dialect}", exchange.operation)
        }
    }
}

/// Shows what came when it was no answer: only in its raw form, the rest says the error.
pub(super) fn what_came(out: &mut impl Write, error: &CallError, form: Form) -> io::Result<()> {
    match (&error.traffic, form) {
        (Some(traffic), Form::Xml) => raw(out, &traffic.request, &traffic.response),
        _ => Ok(()),
    }
}

fn raw(out: &mut impl Write, sent: &HttpRequest, answered: &HttpResponse) -> io::Result<()> {
    writeln!(out, "{} {}", sent.method, sent.url)?;
    headers(out, &sent.headers)?;
    body(out, &sent.body)?;
    writeln!(out, "\nstatus {}", answered.status)?;
    headers(out, &answered.headers)?;
    body(out, &answered.body)
}

fn headers(out: &mut impl Write, headers: &[(String, String)]) -> io::Result<()> {
    headers.iter().try_for_each(|(name, value)| writeln!(out, "{name}: {value}"))
}

fn body(out: &mut impl Write, body: &[u8]) -> io::Result<()> {
    writeln!(out)?;
    out.write_all(body)?;
    if body.ends_with(b"\n") { Ok(()) } else { writeln!(out) }
}

/// How the call ended, as far as there is something to say.
fn summary(out: &mut impl Write, outcome: &Outcome<'_>) -> io::Result<()> {
    write!(out, "state {}", outcome.state)?;
    for (name, text) in [
        ("code", &outcome.error_code),
        ("user", &outcome.user_explanation),
        ("tech", &outcome.tech_explanation),
    ] {
        if let Some(text) = text.as_deref().filter(|text| !text.is_empty()) {
            write!(out, "; {name}: {}", printable(LocalizedText::parse(text).get("US")))?;
        }
    }
    writeln!(out)
}

fn table(out: &mut impl Write, payload: &Payload<'_>) -> io::Result<()> {
    match payload {
        Payload::None => Ok(()),
        Payload::Items(None)
        | Payload::Fields(None)
        | Payload::Actors(None)
        | Payload::Actor(None)
        | Payload::ListItems(None) => writeln!(out, "(null)"),
        Payload::Items(Some(items)) => {
            for item in items {
                writeln!(out, "{}", shown(item))?;
            }
            count(out, items.len(), "item")
        }
        Payload::ListItems(Some(items)) => {
            let mut table = Table::new(["KEY", "TEXT"]);
            for (key, value) in items.iter() {
                table.row([printable(key), value.map_or_else(null, localized)]);
            }
            table.write(out)?;
            count(out, items.entries.len(), "item")
        }
        Payload::Fields(Some(fields)) => {
            let mut table = Table::new(["FIELD", "TYPE", "ACCESS", "LENGTH", "LIST", "DEFAULT", "NAME"]);
            for field in fields {
                table.row([
                    shown(&field.field_key),
                    field.field_type.to_string(),
                    field.access.to_string(),
                    if field.max_length > 0 { field.max_length.to_string() } else { String::new() },
                    field.list_name.as_deref().map(printable).unwrap_or_default(),
                    field.default_value.as_deref().map(printable).unwrap_or_default(),
                    field.display_name.as_deref().map(localized).unwrap_or_default(),
                ]);
            }
            table.write(out)?;
            count(out, fields.len(), "field")
        }
        Payload::Actors(Some(all)) => {
            actors(out, all)?;
            count(out, all.len(), "actor")
        }
        Payload::Actor(Some(one)) => actors(out, std::slice::from_ref(one)),
    }
}

/// A column for every field that some actor has.
fn actors(out: &mut impl Write, actors: &[Actor<'_>]) -> io::Result<()> {
    let mut fields: Vec<&str> = Vec::new();
    for (key, _) in actors.iter().filter_map(|actor| actor.field_values.as_ref()).flat_map(Dictionary::iter) {
        if !fields.contains(&key) {
            fields.push(key);
        }
    }
    let has_parents = actors.iter().any(|actor| actor.parent_erp_key.is_some());
    let mut columns = vec!["KEY".to_owned()];
    columns.extend(fields.iter().map(|key| printable(key)));
    columns.push("STAMP".to_owned());
    if has_parents {
        columns.push("PARENT".to_owned());
    }
    let mut table = Table::new(columns);
    for actor in actors {
        let mut row = vec![shown(&actor.erp_key)];
        row.extend(fields.iter().map(|key| match actor.field_values.as_ref().and_then(|all| all.get(key)) {
            None => String::new(),
            Some(value) => value.map_or_else(null, printable),
        }));
        row.push(actor.last_modified.as_deref().map(printable).unwrap_or_default());
        if has_parents {
            let parent = [&actor.parent_actor_type, &actor.parent_erp_key];
            let parts: Vec<String> = parts_of(&parent).collect();
            row.push(parts.join(":"));
        }
        table.row(row);
    }
    table.write(out)
}

fn parts_of<'t>(texts: &'t [&'t Text<'t>]) -> impl Iterator<Item = String> + 't {
    texts.iter().filter_map(|text| text.as_deref()).map(printable)
}

fn count(out: &mut impl Write, count: usize, what: &str) -> io::Result<()> {
    writeln!(out, "{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn null() -> String {
    "(null)".to_owned()
}

fn shown(text: &Text<'_>) -> String {
    text.as_deref().map_or_else(null, printable)
}

fn localized(text: &str) -> String {
    printable(LocalizedText::parse(text).get("US"))
}

/// A reply in the contract's own names.
pub(super) fn as_json(reply: &Reply<'_>) -> Json {
    let (outcome, payload) = match reply {
        Reply::Authentication(reply) => {
            return json!({
                "Reason": reply.reason,
                "SignedApplicationToken": reply.signed_application_token.as_ref().map(|token| &token.0),
                "Succeeded": reply.succeeded,
            });
        }
        Reply::Result { outcome, payload } => (outcome, payload),
    };
    let mut members = Map::new();
    members.insert("State".to_owned(), json!(outcome.state.as_str()));
    members.insert("IsOk".to_owned(), json!(outcome.state.is_ok()));
    members.insert("ErrorCode".to_owned(), json!(outcome.error_code));
    members.insert("UserExplanation".to_owned(), json!(outcome.user_explanation));
    members.insert("TechExplanation".to_owned(), json!(outcome.tech_explanation));
    match payload {
        Payload::None => {}
        Payload::Fields(fields) => {
            let fields = fields.as_ref().map(|fields| fields.iter().map(field_json).collect::<Vec<_>>());
            members.insert("FieldMetaDataObjects".to_owned(), json!(fields));
        }
        Payload::Items(items) => {
            members.insert("Items".to_owned(), json!(items));
        }
        Payload::Actors(actors) => {
            let actors = actors.as_ref().map(|actors| actors.iter().map(actor_json).collect::<Vec<_>>());
            members.insert("Actors".to_owned(), json!(actors));
        }
        Payload::Actor(actor) => {
            members.insert("Actor".to_owned(), json!(actor.as_ref().map(actor_json)));
        }
        Payload::ListItems(items) => {
            members.insert("ListItems".to_owned(), json!(items.as_ref().map(dictionary_json)));
        }
    }
    Json::Object(members)
}

fn actor_json(actor: &Actor<'_>) -> Json {
    json!({
        "ActorType": actor.actor_type,
        "ErpKey": actor.erp_key,
        "FieldValues": actor.field_values.as_ref().map(dictionary_json),
        "LastModified": actor.last_modified,
        "ParentActorType": actor.parent_actor_type,
        "ParentErpKey": actor.parent_erp_key,
    })
}

fn field_json(field: &Field<'_>) -> Json {
    json!({
        "FieldKey": field.field_key,
        "FieldType": field.field_type.as_str(),
        "Access": field.access.as_str(),
        "DisplayName": field.display_name,
        "DisplayDescription": field.display_description,
        "DefaultValue": field.default_value,
        "ListName": field.list_name,
        "MaxLength": field.max_length,
        "Rank": field.rank,
    })
}

fn dictionary_json(dictionary: &Dictionary<'_>) -> Json {
    Json::Object(dictionary.iter().map(|(key, value)| (key.to_owned(), json!(value))).collect())
}
