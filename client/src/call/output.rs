//! Writes a reply: as a table for people, as JSON for programs, or as the HTTP messages.

use std::io::{self, Write};

use contract::{Actor, Dictionary, LocalizedText, Outcome, Payload, Reply, Text};

use super::json::reply_to_json;
use crate::{CallError, Exchange, HttpExchange};
use erp_host_terminal::{Table, printable};
use values::Value;

/// How a reply is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputFormat {
    /// A table, for people.
    Table(TableStyle),
    /// JSON, for programs.
    Json,
    /// The HTTP request and response, byte for byte.
    Xml,
}

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TableStyle {
    /// Whether values are in the contract's form, such as `[F:1.5]`.
    pub wire_values: bool,
    /// The width of the terminal; rows that are wider are wrapped.
    pub width: Option<usize>,
}

/// Writes a reply.
///
/// # Errors
/// The output cannot be written.
pub fn write_exchange(out: &mut impl Write, exchange: &Exchange, format: OutputFormat) -> io::Result<()> {
    let traffic = &exchange.traffic;
    match format {
        OutputFormat::Xml => write_raw(out, traffic),
        OutputFormat::Json => {
            serde_json::to_writer_pretty(&mut *out, &reply_to_json(&exchange.answer.reply))?;
            writeln!(out)
        }
        OutputFormat::Table(style) => {
            match &exchange.answer.reply {
                Reply::Result { outcome, payload } if outcome.state.is_ok() => table(out, payload, style)?,
                // The command ends with the message of the error.
                Reply::Result { .. } => {}
                Reply::Authentication(reply) => {
                    let token = reply.signed_application_token.as_ref().map(|token| token.0.as_ref());
                    writeln!(out, "token   {}", printable(token.unwrap_or("(none)")))?;
                }
            }
            let profile = exchange.answer.envelope.profile().name();
            let (elapsed, bytes) = (traffic.elapsed, traffic.response.body.len());
            summary(out, &exchange.outcome())?;
            writeln!(out, "{} in {elapsed:.1?}, {bytes} bytes, profile {profile}", exchange.operation)
        }
    }
}

/// Writes the HTTP messages of a call that failed, if they are asked for. In the other formats the error is enough.
///
/// # Errors
/// The output cannot be written.
pub fn write_error_traffic(out: &mut impl Write, error: &CallError, format: OutputFormat) -> io::Result<()> {
    match (&error.traffic, format) {
        (Some(traffic), OutputFormat::Xml) => write_raw(out, traffic),
        _ => Ok(()),
    }
}

fn write_raw(out: &mut impl Write, traffic: &HttpExchange) -> io::Result<()> {
    let HttpExchange { request, response, .. } = traffic;
    writeln!(out, "{} {}", request.method, request.url)?;
    headers(out, &request.headers)?;
    body(out, &request.body)?;
    writeln!(out, "\nstatus {}", response.status)?;
    headers(out, &response.headers)?;
    body(out, &response.body)
}

fn headers(out: &mut impl Write, headers: &[(String, String)]) -> io::Result<()> {
    headers.iter().try_for_each(|(name, value)| writeln!(out, "{name}: {value}"))
}

fn body(out: &mut impl Write, body: &[u8]) -> io::Result<()> {
    writeln!(out)?;
    out.write_all(body)?;
    if body.ends_with(b"\n") { Ok(()) } else { writeln!(out) }
}

/// Writes the state, and the error code and explanations that there are. Those of an error are in the message that the
/// command ends with.
fn summary(out: &mut impl Write, outcome: &Outcome<'_>) -> io::Result<()> {
    if !outcome.state.is_ok() {
        return Ok(());
    }
    write!(out, "state {}", outcome.state)?;
    let same = outcome.user_explanation == outcome.tech_explanation;
    for (name, text) in [
        ("code", &outcome.error_code),
        ("user", &outcome.user_explanation),
        ("tech", if same { &None } else { &outcome.tech_explanation }),
    ] {
        if let Some(text) = text.as_deref().filter(|text| !text.is_empty()) {
            write!(out, "; {name}: {}", printable(LocalizedText::parse(text).get("US")))?;
        }
    }
    writeln!(out)
}

fn table(out: &mut impl Write, payload: &Payload<'_>, style: TableStyle) -> io::Result<()> {
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
            table.write(out, style.width)?;
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
                    field.default_value.as_deref().map(|value| style.value(value)).unwrap_or_default(),
                    field.display_name.as_deref().map(localized).unwrap_or_default(),
                ]);
            }
            table.write(out, style.width)?;
            count(out, fields.len(), "field")
        }
        Payload::Actors(Some(all)) => {
            actors(out, all, style)?;
            count(out, all.len(), "actor")
        }
        Payload::Actor(Some(one)) => actors(out, std::slice::from_ref(one), style),
    }
}

/// Writes a table with a column for every field that some actor has.
fn actors(out: &mut impl Write, actors: &[Actor<'_>], style: TableStyle) -> io::Result<()> {
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
            Some(value) => value.map_or_else(null, |value| style.value(value)),
        }));
        row.push(actor.last_modified.as_deref().map(printable).unwrap_or_default());
        if has_parents {
            let parent = [&actor.parent_actor_type, &actor.parent_erp_key];
            let parts: Vec<String> = parts_of(&parent).collect();
            row.push(parts.join(":"));
        }
        table.row(row);
    }
    table.write(out, style.width)
}

impl TableStyle {
    /// A value as people read it, or as it travels.
    fn value(self, text: &str) -> String {
        if self.wire_values {
            return printable(text);
        }
        match Value::from_wire(text) {
            Value::Integer(number) => number.to_string(),
            Value::Double(number) => number.to_string(),
            Value::DateTime(date) => {
                let sortable = date.to_sortable().replace('T', " ");
                let seconds = sortable.trim_end_matches('0').trim_end_matches('.');
                // Only a fraction of a second is cut.
                if sortable.contains('.') { seconds.to_owned() } else { sortable }
            }
            _ => printable(text),
        }
    }
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
