//! Rules of actor types and their fields.

use std::cell::OnceCell;
use std::collections::HashSet;

use contract::{FieldType, Request, actor_type};
use plugin_api::Value;

use super::rule::{Findings, Stop};
use super::subject::{Described, NOBODY, Subject, owned, text};

/// Types that exist in the contract without being used by ERP Sync.
const UNUSED: [&str; 2] = ["Employee", "Sale"];

pub(super) async fn types(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    let reply = subject.ok(Request::GetSupportedActorTypes).await?;
    let names = reply.items();
    findings.expect(!names.is_empty(), &reply.traffic, || "there are no actor types".to_owned());
    let mut seen = HashSet::new();
    for name in &names {
        findings.expect(
            actor_type::ALL.contains(&name.as_str()) || UNUSED.contains(&name.as_str()),
            &reply.traffic,
            || {
                format!(
                    "{name:?} is no actor type of the contract, expected some of {}",
                    actor_type::ALL.join(", ")
                )
            },
        );
        findings.expect(seen.insert(name), &reply.traffic, || format!("the actor type {name} comes twice"));
    }
    let again = subject.ok(Request::GetSupportedActorTypes).await?;
    findings.expect(again.items() == names, &again.traffic, || {
        "the actor types differ at the second call".to_owned()
    });
    if !names.is_empty() {
        let _ = subject.names.set(names);
    }
    Ok(())
}

pub(super) async fn keys(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    let mut described = Vec::new();
    for name in subject.names()? {
        let ask = || Request::GetSupportedActorTypeFields { actor_type: text(name) };
        let Some(reply) = findings.take(subject.ok(ask()).await) else { continue };
        let fields = reply.fields().unwrap_or_default();
        findings.expect(!fields.is_empty(), &reply.traffic, || format!("{name} has no fields"));
        let mut seen = HashSet::new();
        for field in &fields {
            let key = owned(&field.field_key);
            findings.expect(!key.is_empty(), &reply.traffic, || format!("{name}: a field has no key"));
            findings.expect(seen.insert(key.clone()), &reply.traffic, || {
                format!("{name}: the field {key} comes twice")
            });
        }
        let Some(again) = findings.take(subject.ok(ask()).await) else { continue };
        findings.expect(again.fields().as_deref() == Some(&fields), &again.traffic, || {
            format!("{name}: the fields differ at the second call")
        });
        described.push(Described { name: name.clone(), fields, searchable: OnceCell::new() });
    }
    if !described.is_empty() {
        let _ = subject.described.set(described);
    }
    Ok(())
}

pub(super) async fn sound(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    for one in subject.described()? {
        for field in &one.fields {
            let (name, key) = (&one.name, owned(&field.field_key));
            findings.expect_all(
                field.field_type != FieldType::List || !owned(&field.list_name).is_empty(),
                || format!("{name}: the field {key} is of type List, but names no list"),
            );
            let default = owned(&field.default_value);
            findings.expect_all(Value::parse(&default, field.field_type).is_ok(), || {
                format!("{name}: the default {default:?} of {key} is no {}", field.field_type)
            });
        }
    }
    Ok(())
}

pub(super) async fn searchable(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    for one in subject.described()? {
        let name = &one.name;
        let request = Request::GetSearchableFields { actor_type: text(name) };
        let Some(reply) = findings.take(subject.ok(request).await) else { continue };
        let keys = reply.items();
        let mut seen = HashSet::new();
        for key in &keys {
            findings.expect(seen.insert(key), &reply.traffic, || format!("{name}: {key} comes twice"));
            let is_field = one.fields.iter().any(|field| field.field_key.as_deref() == Some(key));
            findings.expect(is_field, &reply.traffic, || {
                format!("{name}: {key:?} can be searched, but is no field of the type")
            });
        }
        findings.expect(true, &reply.traffic, String::new);
        let _ = one.searchable.set(keys);
    }
    Ok(())
}

pub(super) async fn unknown_type(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    subject.guid()?;
    for (what, actor_type) in [("unknown", text(NOBODY)), ("null", None), ("empty", text(""))] {
        for request in [
            Request::GetSupportedActorTypeFields { actor_type: actor_type.clone() },
            Request::GetSearchableFields { actor_type: actor_type.clone() },
            Request::GetActors { actor_type: actor_type.clone(), erp_keys: None, field_keys: None },
            Request::SearchActors {
                actor_type: actor_type.clone(),
                search_text: text("a"),
                field_keys: None,
            },
            Request::SearchActorsAdvanced {
                actor_type: actor_type.clone(),
                restrictions: None,
                field_keys: None,
            },
            Request::SearchActorByParent {
                actor_type: actor_type.clone(),
                search_text: None,
                parent_actor_type: actor_type.clone(),
                parent_actor_erp_key: text("1"),
                field_keys: None,
            },
            Request::GetActorsByTimestamp {
                updated_on_or_after: None,
                actor_type: actor_type.clone(),
                field_keys: None,
            },
        ] {
            let operation = request.operation();
            let Some(reply) = findings.take(subject.ask(request).await) else { continue };
            let actors =
                reply.actors().len() + reply.items().len() + reply.fields().map_or(0, |all| all.len());
            findings.expect(reply.is_error() || actors == 0, &reply.traffic, || {
                format!("{operation} of an actor type that is {what} gives something, expected nothing or State=Error")
            });
        }
    }
    Ok(())
}

/// Fields of a type that can be searched.
pub(super) fn searchable_of(one: &Described) -> Result<Vec<plugin_api::Field>, Stop> {
    let keys = one.searchable.get().ok_or_else(|| Stop::after(604))?;
    let fields = one.fields.iter().filter(|field| keys.contains(&owned(&field.field_key)));
    Ok(fields
        .map(|field| {
            let mut made = plugin_api::Field::new(owned(&field.field_key), field.field_type);
            made.list = field.list_name.as_deref().map(str::to_owned);
            made
        })
        .collect())
}

/// The call that lists all actors of a type.
pub(super) fn all_of(actor_type: &str) -> Request<'_> {
    Request::SearchActorsAdvanced {
        actor_type: text(actor_type),
        restrictions: Some(vec![]),
        field_keys: None,
    }
}
