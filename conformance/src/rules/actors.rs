//! Rules of listing actors and getting them by their keys.

use std::collections::HashSet;

use contract::Request;
use plugin_api::Actor;

use super::connections::{delete_saved, may_save, save_new};
use super::samples::{is_of, sample};
use crate::reply::{Reply, all_of, difference, sorted_keys, text, texts};
use crate::rule::{Findings, Stop};
use crate::subject::{Listed, NOBODY, Subject};

pub(super) async fn listed(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    let mut all = Vec::new();
    for one in subject.described()? {
        let name = &one.name;
        let Some(reply) = findings.take(subject.ok(all_of(name)).await) else { continue };
        let actors = reply.actors();
        let mut seen = HashSet::new();
        findings.expect(true, &reply.shown_by, String::new);
        for actor in actors {
            let key = &actor.key;
            findings.expect(!key.is_empty(), &reply.shown_by, || format!("{name}: an actor has no ErpKey"));
            findings.expect(seen.insert(key), &reply.shown_by, || {
                format!("{name}: the ErpKey {key:?} comes twice")
            });
            findings.expect(actor.actor_type == *name, &reply.shown_by, || {
                format!("{name}: the actor {key:?} is of type {:?}", actor.actor_type)
            });
        }
        all.push(Listed { name: name.clone(), actors: actors.to_vec() });
    }
    if !all.is_empty() {
        let _ = subject.listed.set(all);
    }
    Ok(())
}

pub(super) async fn all_ways(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    for one in subject.listed()? {
        let actor_type = || text(&one.name);
        let expected = sorted_keys(&one.actors);
        for (what, request) in [
            (
                "a search with null restrictions",
                Request::SearchActorsAdvanced {
                    actor_type: actor_type(),
                    restrictions: None,
                    field_keys: None,
                },
            ),
            (
                "a search for an empty text",
                Request::SearchActors { actor_type: actor_type(), search_text: text(""), field_keys: None },
            ),
            (
                "what changed since null",
                Request::GetActorsByTimestamp {
                    updated_on_or_after: None,
                    actor_type: actor_type(),
                    field_keys: None,
                },
            ),
        ] {
            let Some(reply) = findings.take(subject.ok(request).await) else { continue };
            let differs = difference(&reply.keys(), &expected);
            findings.expect(differs.is_none(), &reply.shown_by, || {
                format!("{}: {what} {}", one.name, differs.unwrap_or_default())
            });
        }
    }
    Ok(())
}

pub(super) async fn values(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    findings.needs("there are no actors with fields");
    for one in subject.listed()? {
        let fields = subject.fields(&one.name);
        for actor in &one.actors {
            for (key, value) in &actor.fields {
                let place = || format!("{}: the field {key} of {:?}", one.name, actor.key);
                let Some(field) = fields.iter().find(|field| field.key == *key) else {
                    findings.expect_all(false, || format!("{} is not among the fields of the type", place()));
                    continue;
                };
                let (value, field_type) = (value.as_deref().unwrap_or_default(), field.field_type);
                findings.expect_all(is_of(value, field_type), || {
                    format!("{} holds {value:?}, which is no {field_type} in its wire form", place())
                });
            }
        }
    }
    Ok(())
}

pub(super) async fn parents(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    findings.needs("no actor has a parent");
    for one in subject.listed()? {
        for actor in one.actors.iter().filter(|actor| actor.parent.is_some()) {
            let Some(parent) = &actor.parent else { continue };
            let is_known = subject.listed()?.iter().find(|other| other.name == parent.actor_type);
            findings.expect_all(!parent.actor_type.is_empty(), || {
                format!("{}: {:?} has a ParentErpKey without a ParentActorType", one.name, actor.key)
            });
            if let Some(parents) = is_known {
                findings.expect_all(parents.actors.iter().any(|other| other.key == parent.key), || {
                    format!(
                        "{}: {:?} is below the {} {:?}, which is not there",
                        one.name, actor.key, parent.actor_type, parent.key
                    )
                });
            }
        }
    }
    Ok(())
}

/// Gets actors by their keys.
async fn get(
    subject: &Subject<'_>,
    actor_type: &str,
    keys: &[&str],
    fields: Option<&[&str]>,
) -> Result<Reply, Stop> {
    let request = Request::GetActors {
        actor_type: text(actor_type),
        erp_keys: texts(keys),
        field_keys: fields.and_then(texts),
    };
    subject.ok(request).await
}

pub(super) async fn by_keys(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    for one in subject.listed()? {
        let some = sample(&one.actors, 4);
        let mut asked: Vec<&str> = some.iter().map(|actor| actor.key.as_str()).collect();
        asked.insert(asked.len() / 2, NOBODY);
        let Some(reply) = findings.take(get(subject, &one.name, &asked, None).await) else { continue };
        let differs = difference(&reply.keys(), &sorted_keys(some.iter().copied()));
        findings.expect(differs.is_none(), &reply.shown_by, || {
            format!("{}: WSGetActors of {asked:?} {}", one.name, differs.unwrap_or_default())
        });
        for actor in reply.actors() {
            let Some(known) = some.iter().find(|known| known.key == actor.key) else { continue };
            findings.expect(same(actor, known), &reply.shown_by, || {
                format!("{}: WSGetActors gives {actor:?}, and the search gave {known:?}", one.name)
            });
        }
    }
    Ok(())
}

/// Whether two actors are the same. Null and absent fields are, and the order of fields does not matter.
pub(super) fn same(one: &Actor, other: &Actor) -> bool {
    fn filled(actor: &Actor) -> Vec<(&str, &str)> {
        let fields = actor.fields.iter();
        let mut fields: Vec<_> =
            fields.filter_map(|(key, value)| Some((key.as_str(), value.as_deref()?))).collect();
        fields.sort_unstable();
        fields
    }
    one.key == other.key
        && one.actor_type == other.actor_type
        && one.parent == other.parent
        && one.last_modified == other.last_modified
        && filled(one) == filled(other)
}

pub(super) async fn repeatable(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    let listed = subject.listed()?;
    for one in listed {
        let name = &one.name;
        let Some(again) = findings.take(subject.ok(all_of(name)).await) else { continue };
        let differs = difference(&again.keys(), &sorted_keys(&one.actors));
        findings.expect(differs.is_none(), &again.shown_by, || {
            format!("{name}: a second search {}", differs.unwrap_or_default())
        });
        let by_key = one.by_key();
        for actor in again.actors() {
            let Some(known) = by_key.get(actor.key.as_str()) else { continue };
            findings.expect(same(actor, known), &again.shown_by, || {
                format!("{name}: a second search gives {actor:?}, and the first one gave {known:?}")
            });
        }
    }
    may_save(subject)?;
    let other = save_new(subject).await?;
    for one in listed {
        let Some(reply) = findings.take(subject.ok_of(other, all_of(&one.name)).await) else { continue };
        let differs = difference(&reply.keys(), &sorted_keys(&one.actors));
        findings.expect(differs.is_none(), &reply.shown_by, || {
            format!("{}: a search of another connection {}", one.name, differs.unwrap_or_default())
        });
    }
    delete_saved(subject, other).await;
    Ok(())
}

pub(super) async fn asked_twice(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    subject.needs(&[704])?;
    findings.needs("there are no actors");
    for one in subject.listed()? {
        let Some(actor) = one.actors.first() else { continue };
        let asked = [NOBODY, &actor.key, &actor.key, NOBODY];
        let Some(reply) = findings.take(get(subject, &one.name, &asked, None).await) else { continue };
        findings.expect(reply.keys() == [actor.key.as_str()], &reply.shown_by, || {
            format!("{}: WSGetActors of {asked:?} gives {:?}, expected it once", one.name, reply.keys())
        });
    }
    Ok(())
}

pub(super) async fn no_keys(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    for one in subject.listed()? {
        let actor_type = || text(&one.name);
        for (what, erp_keys) in [
            ("an empty array", Some(vec![])),
            ("null", None),
            ("an empty key and null", Some(vec![text(""), None])),
        ] {
            let request = Request::GetActors { actor_type: actor_type(), erp_keys, field_keys: None };
            let Some(reply) = findings.take(subject.ask(request).await) else { continue };
            // A null array may be refused; it must not mean everything.
            findings.expect(reply.actors().is_empty(), &reply.shown_by, || {
                format!(
                    "{}: WSGetActors with ErpKeys of {what} gives {} actors, expected none",
                    one.name,
                    reply.actors().len()
                )
            });
            findings.expect(what != "an empty array" || !reply.is_error(), &reply.shown_by, || {
                format!("{}: WSGetActors with no ErpKeys fails: {}", one.name, reply.explanation())
            });
        }
    }
    Ok(())
}

pub(super) async fn selection(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    subject.needs(&[704])?;
    findings.needs("there are no actors");
    for one in subject.listed()?.iter().filter(|one| !one.actors.is_empty()) {
        let (name, by_key) = (&one.name, one.by_key());
        let some = sample(&one.actors, 2);
        let keys: Vec<&str> = some.iter().map(|actor| actor.key.as_str()).collect();
        let fields: Vec<&str> = subject.fields(name).iter().map(|field| field.key.as_str()).collect();
        let mut selections: Vec<Vec<&str>> = vec![vec![], vec![NOBODY]];
        selections.extend(sample(&fields, 3).into_iter().map(|field| vec![*field, NOBODY]));
        for selection in &selections {
            let actor_type = || text(name);
            let field_keys = || texts(selection);
            for request in [
                Request::GetActors {
                    actor_type: actor_type(),
                    erp_keys: texts(&keys),
                    field_keys: field_keys(),
                },
                Request::SearchActorsAdvanced {
                    actor_type: actor_type(),
                    restrictions: Some(vec![]),
                    field_keys: field_keys(),
                },
                Request::SearchActors {
                    actor_type: actor_type(),
                    search_text: text(""),
                    field_keys: field_keys(),
                },
                Request::GetActorsByTimestamp {
                    updated_on_or_after: None,
                    actor_type: actor_type(),
                    field_keys: field_keys(),
                },
            ] {
                let operation = request.operation();
                let Some(reply) = findings.take(subject.ok(request).await) else { continue };
                for actor in reply.actors() {
                    let Some(&known) = by_key.get(actor.key.as_str()) else { continue };
                    let mut expected = known.clone();
                    expected.fields.retain(|(key, _)| selection.contains(&key.as_str()));
                    let only_these = actor.fields.iter().all(|(key, _)| selection.contains(&key.as_str()));
                    findings.expect(only_these && same(actor, &expected), &reply.shown_by, || {
                        let fields = |actor: &Actor| actor.fields.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>();
                        format!(
                            "{name}: {operation} with FieldKeys {selection:?} gives {:?} with the fields {:?}, expected {:?}",
                            actor.key, fields(actor), fields(&expected)
                        )
                    });
                }
            }
        }
    }
    Ok(())
}
