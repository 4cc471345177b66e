//! Rules of lists.

use contract::Request;
use plugin_api::{FieldType, ListItem, error_code};

use super::problems::item_problems;
use super::samples::sample;
use crate::reply::{difference, text, texts};

use crate::rule::{Findings, Stop};
use crate::subject::{NOBODY, NamedList, Subject};

/// The names of the lists that fields of actors name, each once.
fn names(subject: &Subject<'_>) -> Result<Vec<String>, Stop> {
    let fields = subject.described()?.iter().flat_map(|one| &one.fields);
    let mut names: Vec<String> = fields
        .filter(|field| field.field_type == FieldType::List)
        .filter_map(|field| field.list.clone())
        .filter(|name| !name.is_empty())
        .collect();
    names.sort();
    names.dedup();
    Ok(names)
}

pub(super) async fn there(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    findings.needs("no field is of type List");
    let mut lists = Vec::new();
    for name in names(subject)? {
        let ask = || Request::GetList { list_name: text(&name) };
        let Some(reply) = findings.take(subject.ok(ask()).await) else { continue };
        let items = reply.list();
        findings.expect(items.is_some(), &reply.shown_by, || {
            format!("a field names the list {name:?}, which is null")
        });
        let problem = item_problems(items.unwrap_or_default());
        findings.expect(problem.is_none(), &reply.shown_by, || {
            format!("the list {name:?} {}", problem.unwrap_or_default())
        });
        let Some(again) = findings.take(subject.ok(ask()).await) else { continue };
        findings.expect(again.list() == items, &again.shown_by, || {
            format!("the list {name:?} is another one at the second call")
        });
        let items = items.unwrap_or_default().to_vec();
        lists.push((name, items));
    }
    let _ = subject.lists.set(lists);
    Ok(())
}

fn known<'s>(subject: &'s Subject<'_>) -> Result<&'s [NamedList], Stop> {
    subject.needs(&[901])?;
    subject.lists.get().map(Vec::as_slice).ok_or_else(|| Stop::after(901))
}

pub(super) async fn values(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    findings.needs("no actor has a value in a field of type List");
    let lists = known(subject)?;
    for one in subject.listed()? {
        for field in subject.fields(&one.name).iter().filter(|field| field.field_type == FieldType::List) {
            let (key, list) = (&field.key, field.list.as_deref().unwrap_or_default());
            let Some((_, items)) = lists.iter().find(|(name, _)| name == list) else { continue };
            for actor in &one.actors {
                let Some(value) = actor.field(key).flatten().filter(|value| !value.is_empty()) else {
                    continue;
                };
                findings.expect_all(items.iter().any(|item| item.key == value), || {
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

pub(super) async fn items(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    findings.needs("there are no lists with items");
    for (name, items) in known(subject)?.iter().filter(|(_, items)| !items.is_empty()) {
        let some: Vec<ListItem> = sample(items, 3).into_iter().cloned().collect();
        let keys: Vec<&str> = some.iter().map(|item| item.key.as_str()).collect();
        let ask = |keys: &[&str]| {
            let keys: Vec<_> = keys.iter().map(|key| Some((*key).to_owned().into())).collect();
            Request::GetListItems { list_name: Some(name.clone().into()), list_item_keys: Some(keys) }
        };
        let Some(reply) = findings.take(subject.ok(ask(&keys)).await) else { continue };
        let pairs = |items: &[ListItem]| {
            let mut pairs: Vec<String> =
                items.iter().map(|item| format!("{}={}", item.key, item.text)).collect();
            pairs.sort();
            pairs
        };
        let differs = difference(&pairs(reply.list().unwrap_or_default()), &pairs(&some));
        findings.expect(differs.is_none(), &reply.shown_by, || {
            format!("{name}: the items {keys:?}: the answer {}", differs.unwrap_or_default())
        });
        let Some(reply) = findings.take(subject.ok(ask(&[])).await) else { continue };
        findings.expect(reply.list().unwrap_or_default().is_empty(), &reply.shown_by, || {
            format!("{name}: items for no keys, expected none")
        });
        // Skipped or named: the contract has a code for it.
        let Some(reply) = findings.take(subject.ask(ask(&[NOBODY])).await) else { continue };
        let is_refused = reply.is_error() && reply.error_code() == Some(error_code::UNKOWN_LISTITEM_ID);
        let is_skipped = !reply.is_error() && reply.list().unwrap_or_default().is_empty();
        findings.expect(is_refused || is_skipped, &reply.shown_by, || {
            format!("{name}: an unknown key is answered by {} items, state {}, code {:?}; expected that it is skipped, or {}",
                reply.list().unwrap_or_default().len(), reply.outcome.state, reply.error_code(), error_code::UNKOWN_LISTITEM_ID)
        });
    }
    Ok(())
}

pub(super) async fn unknown(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    subject.guid()?;
    for list_name in [text(NOBODY), text(""), None] {
        for request in [
            Request::GetList { list_name: list_name.clone() },
            Request::GetListItems { list_name: list_name.clone(), list_item_keys: texts(&["1"]) },
            Request::GetListItems { list_name: list_name.clone(), list_item_keys: None },
        ] {
            let operation = request.operation();
            let Some(reply) = findings.take(subject.ask(request).await) else { continue };
            // The plugin API keeps a list that does not exist apart from an empty one.
            let is_error = subject.is_in_process() && list_name == text(NOBODY) && reply.list().is_some();
            findings.expect(
                reply.list().unwrap_or_default().is_empty() && !is_error,
                &reply.shown_by,
                || {
                    let expected = if is_error { "None" } else { "none" };
                    format!("{operation} of the list {list_name:?} gives items, expected {expected}")
                },
            );
        }
    }
    Ok(())
}
