//! Rules of actor types and their fields.

use std::cell::OnceCell;
use std::collections::HashSet;

use contract::Request;
use plugin_api::{Field, FieldType, actor_type};

use super::connections::{delete_saved, may_save, save_new};
use super::problems::{default_problem, key_problems};
use crate::reply::{text, texts};

use crate::rule::{Findings, Stop};
use crate::subject::{Described, NOBODY, Subject};

/// Types that exist in the contract without being used by ERP Sync.
const UNUSED: [&str; 2] = ["Employee", "Sale"];

pub(super) async fn types(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    let reply = subject.ok(Request::GetSupportedActorTypes).await?;
    let names = reply.texts().to_vec();
    findings.expect(!names.is_empty(), &reply.shown_by, || "there are no actor types".to_owned());
    let mut seen = HashSet::new();
    for name in &names {
        findings.expect(
            actor_type::ALL.contains(&name.as_str()) || UNUSED.contains(&name.as_str()),
            &reply.shown_by,
            || {
                format!(
                    "{name:?} is no actor type of the contract, expected some of {}",
                    actor_type::ALL.join(", ")
                )
            },
        );
        findings.expect(seen.insert(name), &reply.shown_by, || format!("the actor type {name} comes twice"));
        let declared = subject.in_process().map(|calls| calls.declared_actor_types()).unwrap_or_default();
        findings.expect(declared.is_empty() || declared.contains(&name.as_str()), &reply.shown_by, || {
            format!("the actor type {name} is not among Connector::ACTOR_TYPES")
        });
    }
    let again = subject.ok(Request::GetSupportedActorTypes).await?;
    findings.expect(again.texts() == names, &again.shown_by, || {
        "the actor types differ at the second call".to_owned()
    });
    if let Some(calls) = subject.in_process() {
        let _ = subject.actor_types.set(calls.actor_types(subject.guid()?)?);
    }
    if !names.is_empty() {
        let _ = subject.names.set(names);
    }
    Ok(())
}

pub(super) async fn keys(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    let mut described = Vec::new();
    for name in subject.names()? {
        let ask = || Request::GetSupportedActorTypeFields { actor_type: text(name) };
        let Some(reply) = findings.take(subject.ok(ask()).await) else { continue };
        let fields = reply.fields().unwrap_or_default().to_vec();
        findings.expect(!fields.is_empty(), &reply.shown_by, || format!("{name} has no fields"));
        for problem in key_problems(&fields) {
            findings.expect(false, &reply.shown_by, || format!("{name}: {problem}"));
        }
        let Some(again) = findings.take(subject.ok(ask()).await) else { continue };
        findings.expect(again.fields() == Some(&fields), &again.shown_by, || {
            format!("{name}: the fields differ at the second call")
        });
        described.push(Described { name: name.clone(), fields, searchable: OnceCell::new() });
    }
    if !described.is_empty() {
        let _ = subject.described.set(described);
    }
    Ok(())
}

pub(super) async fn sound(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    for one in subject.described()? {
        for field in &one.fields {
            let (name, key) = (&one.name, &field.key);
            let names_list = field.list.as_deref().is_some_and(|list| !list.is_empty());
            findings.expect_all(field.field_type != FieldType::List || names_list, || {
                format!("{name}: the field {key} is of type List, but names no list")
            });
            let problem = default_problem(field);
            findings.expect_all(problem.is_none(), || {
                format!("{name}: the field {}", problem.unwrap_or_default())
            });
        }
    }
    Ok(())
}

pub(super) async fn searchable(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    for one in subject.described()? {
        let name = &one.name;
        let request = Request::GetSearchableFields { actor_type: text(name) };
        let Some(reply) = findings.take(subject.ok(request).await) else { continue };
        let keys = reply.texts().to_vec();
        let mut seen = HashSet::new();
        for key in &keys {
            findings.expect(seen.insert(key), &reply.shown_by, || format!("{name}: {key} comes twice"));
            let field = one.fields.iter().find(|field| field.key == *key);
            findings.expect(field.is_some(), &reply.shown_by, || {
                format!("{name}: {key:?} can be searched, but is no field of the type")
            });
            let holds_value =
                field.is_none_or(|field| !matches!(field.field_type, FieldType::Password | FieldType::Label));
            findings.expect(holds_value, &reply.shown_by, || {
                format!("{name}: {key} can be searched, but is of a type that cannot")
            });
        }
        findings.expect(true, &reply.shown_by, String::new);
        let _ = one.searchable.set(keys);
    }
    Ok(())
}

/// Every call that is about an actor type.
fn of_type<'r>(actor_type: &contract::Text<'r>) -> Vec<Request<'r>> {
    vec![
        Request::GetSupportedActorTypeFields { actor_type: actor_type.clone() },
        Request::GetSearchableFields { actor_type: actor_type.clone() },
        Request::GetActors { actor_type: actor_type.clone(), erp_keys: texts(&[NOBODY]), field_keys: None },
        Request::SearchActors { actor_type: actor_type.clone(), search_text: text("a"), field_keys: None },
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
    ]
}

pub(super) async fn unknown_type(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    subject.guid()?;
    for (what, actor_type) in [("unknown", text(NOBODY)), ("null", None), ("empty", text(""))] {
        for request in of_type(&actor_type) {
            let operation = request.operation();
            let Some(reply) = findings.take(subject.ask(request).await) else { continue };
            let actors = reply.actors().len() + reply.texts().len() + reply.fields().map_or(0, <[_]>::len);
            findings.expect(reply.is_error() || actors == 0, &reply.shown_by, || {
                format!("{operation} of an actor type that is {what} gives something, expected nothing or State=Error")
            });
        }
    }
    Ok(())
}

pub(super) async fn unknown_type_fails(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    subject.guid()?;
    for request in of_type(&text(NOBODY)) {
        let operation = request.operation();
        let Some(reply) = findings.take(subject.ask(request).await) else { continue };
        findings.expect(reply.is_error(), &reply.shown_by, || {
            format!("{operation} of the actor type {NOBODY:?} succeeds, expected an error that names the types there are")
        });
    }
    Ok(())
}

pub(super) async fn of_another_connection(
    subject: &Subject<'_>,
    findings: &mut Findings,
) -> Result<(), Stop> {
    may_save(subject)?;
    let described = subject.described()?;
    let other = save_new(subject).await?;
    for Described { name, fields, .. } in described {
        let request = Request::GetSupportedActorTypeFields { actor_type: text(name) };
        let Some(reply) = findings.take(subject.ok_of(other, request).await) else { continue };
        let keys = |fields: &[Field]| fields.iter().map(|field| field.key.clone()).collect::<Vec<_>>();
        let same = keys(reply.fields().unwrap_or_default()) == keys(fields);
        findings.expect(same, &reply.shown_by, || {
            format!("{name}: another connection with the same settings has other fields")
        });
    }
    let types = subject.ok_of(other, Request::GetSupportedActorTypes).await?;
    findings.expect(types.texts() == subject.names()?, &types.shown_by, || {
        "another connection with the same settings has other actor types".to_owned()
    });
    delete_saved(subject, other).await;
    Ok(())
}

/// Fields of a type that can be searched.
pub(super) fn searchable_of(one: &Described) -> Result<Vec<Field>, Stop> {
    let keys = one.searchable.get().ok_or_else(|| Stop::after(604))?;
    Ok(one.fields.iter().filter(|field| keys.contains(&field.key)).cloned().collect())
}
