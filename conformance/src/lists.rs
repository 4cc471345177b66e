//! Rules of lists.

use std::collections::HashSet;

use contract::{FieldType, Request, error_code};

use super::rule::{Findings, Stop};
use super::subject::{NOBODY, NamedList, Subject, difference, owned, text, texts};
use plugin_api::testing::trial::sample;

/// The names of the lists that fields of actors name, each once.
fn names(subject: &Subject) -> Result<Vec<String>, Stop> {
    let fields = subject.described()?.iter().flat_map(|one| &one.fields);
    let mut names: Vec<String> = fields
        .filter(|field| field.field_type == FieldType::List)
        .map(|field| owned(&field.list_name))
        .filter(|name| !name.is_empty())
        .collect();
    names.sort();
    names.dedup();
    Ok(names)
}

pub(super) async fn there(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    findings.needs("no field is of type List");
    let mut lists = Vec::new();
    for name in names(subject)? {
        let Some(reply) = findings.take(subject.ok(Request::GetList { list_name: text(&name) }).await) else {
            continue;
        };
        let items = reply.list();
        findings.expect(items.is_some(), &reply.traffic, || {
            format!("a field names the list {name:?}, which is null")
        });
        let items = items.unwrap_or_default();
        let mut seen = HashSet::new();
        for (key, _) in &items {
            findings
                .expect(seen.insert(key), &reply.traffic, || format!("{name}: the key {key:?} comes twice"));
            findings.expect(!key.is_empty(), &reply.traffic, || format!("{name}: an item has no key"));
        }
        lists.push((name, items));
    }
    let _ = subject.lists.set(lists);
    Ok(())
}

fn known(subject: &Subject) -> Result<&[NamedList], Stop> {
    subject.lists.get().map(Vec::as_slice).ok_or_else(|| Stop::after(901))
}

pub(super) async fn values(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    findings.needs("no actor has a value in a field of type List");
    let lists = known(subject)?;
    for one in subject.listed()? {
        for field in subject.fields(&one.name).iter().filter(|field| field.field_type == FieldType::List) {
            let (key, list) = (owned(&field.field_key), owned(&field.list_name));
            let Some((_, items)) = lists.iter().find(|(name, _)| *name == list) else { continue };
            for actor in &one.actors {
                let Some(value) = actor.field(&key).flatten().filter(|value| !value.is_empty()) else {
                    continue;
                };
                findings.expect_all(items.iter().any(|(item, _)| item == value), || {
                    format!(
                        "{}: the field {key} of {:?} holds {value:?}, which is no key of the list {list}",
                        one.name, actor.key
                    )
                });
            }
        }
    }
    Ok(())
}

pub(super) async fn items(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    findings.needs("there are no lists with items");
    for (name, items) in known(subject)?.iter().filter(|(_, items)| !items.is_empty()) {
        let some: Vec<(String, String)> = sample(items, 3).into_iter().cloned().collect();
        let keys: Vec<&str> = some.iter().map(|(key, _)| key.as_str()).collect();
        let ask = |keys: &[&str]| {
            let keys: Vec<_> = keys.iter().map(|key| Some((*key).to_owned().into())).collect();
            Request::GetListItems { list_name: Some(name.clone().into()), list_item_keys: Some(keys) }
        };
        let Some(reply) = findings.take(subject.ok(ask(&keys)).await) else { continue };
        let mut came = reply.list().unwrap_or_default();
        let mut expected = some.clone();
        came.sort();
        expected.sort();
        let told = |items: &[(String, String)]| {
            items.iter().map(|(key, text)| format!("{key}={text}")).collect::<Vec<_>>()
        };
        let differs = difference(&told(&came), &told(&expected));
        findings.expect(differs.is_none(), &reply.traffic, || {
            format!("{name}: the items {keys:?}: the answer {}", differs.unwrap_or_default())
        });
        let Some(reply) = findings.take(subject.ok(ask(&[])).await) else { continue };
        findings.expect(reply.list().unwrap_or_default().is_empty(), &reply.traffic, || {
            format!("{name}: items for no keys, expected none")
        });
        // Skipped or named: the contract has a code for it.
        let Some(reply) = findings.take(subject.ask(ask(&[NOBODY])).await) else { continue };
        let is_refused =
            reply.is_error() && reply.outcome.error_code.as_deref() == Some(error_code::UNKOWN_LISTITEM_ID);
        let is_skipped = !reply.is_error() && reply.list().unwrap_or_default().is_empty();
        findings.expect(is_refused || is_skipped, &reply.traffic, || {
            format!("{name}: an unknown key is answered by {} items, state {}, code {:?}; expected that it is skipped, or {}",
                reply.list().unwrap_or_default().len(), reply.outcome.state, reply.outcome.error_code, error_code::UNKOWN_LISTITEM_ID)
        });
    }
    Ok(())
}

pub(super) async fn unknown(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    subject.guid()?;
    for list_name in [text(NOBODY), text(""), None] {
        for request in [
            Request::GetList { list_name: list_name.clone() },
            Request::GetListItems { list_name: list_name.clone(), list_item_keys: texts(&["1"]) },
            Request::GetListItems { list_name: list_name.clone(), list_item_keys: None },
        ] {
            let operation = request.operation();
            let Some(reply) = findings.take(subject.ask(request).await) else { continue };
            findings.expect(reply.list().unwrap_or_default().is_empty(), &reply.traffic, || {
                format!("{operation} of the list {list_name:?} gives items, expected none")
            });
        }
    }
    Ok(())
}
