//! Rules of lists.

use std::collections::HashSet;

use super::report::{Findings, Stop};
use super::subject::{NOBODY, Subject, first};
use crate::{Connection, Connector, FieldType, ListItem};

/// The names of the lists that fields name, each once.
fn names<C: Connector>(subject: &Subject<'_, C>) -> Result<Vec<String>, Stop> {
    let mut names = Vec::new();
    for one in subject.types()? {
        for field in one.fields.as_ref().map_err(|_| first(7))? {
            if field.field_type == FieldType::List {
                names.extend(field.list.clone());
            }
        }
    }
    names.sort();
    names.dedup();
    Ok(names)
}

fn list<C: Connector>(subject: &Subject<'_, C>, name: &str) -> Result<Option<Vec<ListItem>>, Stop> {
    subject.connection()?.list(name).map_err(|error| Stop::call(&format!("list {name:?}"), &error))
}

pub(super) fn there<C: Connector>(subject: &Subject<'_, C>, findings: &mut Findings) -> Result<(), Stop> {
    findings.needs("no field is of type List");
    for one in subject.types()? {
        for field in one.fields.as_ref().map_err(|_| first(7))? {
            if field.field_type == FieldType::List {
                let named = field.list.as_deref().is_some_and(|name| !name.is_empty());
                findings.expect(named, || {
                    format!("{}: the field {} is of type List, but names no list", one.name, field.key)
                });
            }
        }
    }
    for name in names(subject)? {
        let Some(items) = list(subject, &name)? else {
            findings.expect(false, || format!("a field names the list {name:?}, which is not there"));
            continue;
        };
        let problem = item_problems(&items);
        findings.expect(problem.is_none(), || format!("the list {name:?} {}", problem.unwrap_or_default()));
        let again = list(subject, &name)?;
        findings.expect(Some(&items) == again.as_ref(), || {
            format!("the list {name:?} is another one at the second call")
        });
    }
    Ok(())
}

pub(super) fn values<C: Connector>(subject: &Subject<'_, C>, findings: &mut Findings) -> Result<(), Stop> {
    subject.after(&[28])?;
    findings.needs("no actor has a value in a field of type List");
    for one in subject.listed()? {
        for field in one.fields.iter().filter(|field| field.field_type == FieldType::List) {
            let items = list(subject, field.list.as_deref().unwrap_or_default())?.unwrap_or_default();
            let items: HashSet<&str> = items.iter().map(|item| item.key.as_str()).collect();
            for actor in one.actors {
                let value = actor.text(&field.key);
                if !value.is_empty() {
                    findings.expect(items.contains(value), || {
                        let (name, key) = (one.name, &actor.key);
                        format!("{name}: {} of {key:?} is {value:?}, which is not in its list", field.key)
                    });
                }
            }
        }
    }
    Ok(())
}

pub(super) fn items<C: Connector>(subject: &Subject<'_, C>, findings: &mut Findings) -> Result<(), Stop> {
    subject.after(&[28])?;
    let connection = subject.connection()?;
    let ask = |name: &str, keys: &[&str]| {
        let answered = connection.list_items(name, keys);
        answered.map_err(|error| Stop::call(&format!("list_items of {name:?}"), &error))
    };
    for name in names(subject)? {
        let all = list(subject, &name)?.unwrap_or_default();
        let mut keys: Vec<&str> = all.iter().map(|item| item.key.as_str()).collect();
        keys.push(NOBODY);
        let mut cases = vec![(keys, all.clone()), (vec![], vec![]), (vec![NOBODY], vec![])];
        if let Some(last) = all.last() {
            cases.push((vec![last.key.as_str()], vec![last.clone()]));
        }
        for (keys, mut expected) in cases {
            let mut came = ask(&name, &keys)?.unwrap_or_default();
            let order = |one: &ListItem, other: &ListItem| one.key.cmp(&other.key);
            came.sort_by(order);
            expected.sort_by(order);
            findings.expect(came == expected, || {
                format!("list_items of {name:?} with {keys:?} gives {came:?}, expected {expected:?}")
            });
        }
    }
    findings.expect(list(subject, NOBODY)?.is_none(), || {
        format!("list {NOBODY:?} gives items, expected None for a list that is not there")
    });
    findings.expect(ask(NOBODY, &[NOBODY])?.is_none(), || {
        format!("list_items of {NOBODY:?} gives items, expected None for a list that is not there")
    });
    Ok(())
}

/// What is wrong with the keys of a list's items.
pub(super) fn item_problems(items: &[ListItem]) -> Option<String> {
    let mut seen = HashSet::new();
    items.iter().find_map(|item| match item.key.as_str() {
        "" => Some(format!("has an item without a key: {:?}", item.text)),
        key if !seen.insert(key) => Some(format!("has the key {key:?} twice")),
        _ => None,
    })
}
