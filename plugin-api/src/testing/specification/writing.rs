//! Rules of creating and saving actors.

use std::collections::HashSet;
use std::thread;

use super::report::{Findings, Stop};
use super::subject::{Listed, NOBODY, Subject, answer, same};
use crate::testing::collect;
use crate::{Access, Actor, Connection, Connector, Field, FieldType, Value};

const AT_ONCE: usize = 8;

/// The actor types that may be written to.
fn writable<'s, C: Connector>(
    subject: &'s Subject<'_, C>,
    findings: &mut Findings,
) -> Result<Vec<Listed<'s>>, Stop> {
    findings.needs("writing was not allowed: see Specification::writes");
    let mut listed = subject.stable()?;
    listed.retain(|one| one.writable);
    Ok(listed)
}

/// An actor to be created: the author's example, or a value for every field that may be written.
fn new_actor<C: Connector>(subject: &Subject<'_, C>, one: &Listed<'_>) -> Result<Actor, Stop> {
    if let Some(example) = subject.examples.iter().find(|example| example.actor_type == one.name) {
        return Ok(example.clone());
    }
    let mut actor = Actor::new(one.name, "");
    actor.parent = one.actors.iter().find_map(|actor| actor.parent.clone());
    for field in one.fields.iter().filter(|field| field.access != Access::ReadOnly) {
        if let Some(value) = any_value(subject, field, "Specification")? {
            actor.set(field.key.as_str(), value.as_str());
        }
    }
    Ok(actor)
}

/// A value that suits a field; texts begin with `text`.
fn any_value<C: Connector>(
    subject: &Subject<'_, C>,
    field: &Field,
    text: &str,
) -> Result<Option<String>, Stop> {
    let first = text == "Specification";
    Ok(match field.field_type {
        FieldType::Text => {
            let longest = usize::try_from(field.max_length).ok().filter(|longest| *longest > 0);
            Some(text.chars().take(longest.unwrap_or(usize::MAX)).collect())
        }
        FieldType::Integer => Some(if first { "[I:7]" } else { "[I:8]" }.to_owned()),
        FieldType::Double => Some(if first { "[F:2.5]" } else { "[F:3.5]" }.to_owned()),
        FieldType::Checkbox => Some(if first { "[I:1]" } else { "[I:0]" }.to_owned()),
        FieldType::Datetime => {
            let day = if first { "02/29/2024" } else { "03/01/2024" };
            Some(format!("[DT:{day} 12:30:00.0000000]"))
        }
        FieldType::List => {
            let name = field.list.as_deref().unwrap_or_default();
            let items = subject.connection()?.list(name);
            let items =
                items.map_err(|error| Stop::call(&format!("list {name:?}"), &error))?.unwrap_or_default();
            let item = if first { items.first() } else { items.last() };
            item.map(|item| item.key.clone())
        }
        _ => None,
    })
}

fn create<C: Connector>(subject: &Subject<'_, C>, actor: &Actor) -> Result<Actor, Stop> {
    let connection = subject.connection()?;
    let what = format!("{}: create", actor.actor_type);
    let mut came = answer(&what, &actor.actor_type, None, |rows| connection.create(actor, rows))?;
    match (came.pop(), came.len()) {
        (Some(created), 0) => Ok(created),
        (_, others) => Err(Stop::Failed(format!("{what} pushes {others} actors, expected the created one"))),
    }
}

fn save<C: Connector>(subject: &Subject<'_, C>, actors: &[Actor]) -> Result<Vec<Actor>, Stop> {
    let connection = subject.connection()?;
    let actor_type = actors.first().map_or("", |actor| actor.actor_type.as_str());
    answer(&format!("{actor_type}: save"), actor_type, None, |rows| connection.save(actors, rows))
}

fn get_one<C: Connector>(subject: &Subject<'_, C>, one: &Listed<'_>, key: &str) -> Result<Actor, Stop> {
    let mut found = subject.get(one.name, None, &[key])?;
    found
        .pop()
        .ok_or_else(|| Stop::Failed(format!("{}: get does not find {key:?}, which was written", one.name)))
}

/// The newest stamp of all actors of the connection.
fn newest_stamp<C: Connector>(subject: &Subject<'_, C>) -> Result<Option<String>, Stop> {
    let mut newest = None;
    for one in subject.stable()? {
        newest =
            newest.max(subject.actors(one.name)?.into_iter().filter_map(|actor| actor.last_modified).max());
    }
    Ok(newest)
}

/// Expects an actor to hold what was written, compared as values of the fields' types.
fn expect_written(findings: &mut Findings, one: &Listed<'_>, what: &str, actor: &Actor, written: &Actor) {
    for (key, value) in &written.fields {
        let field_type = one.fields.iter().find(|field| field.key == *key).map(|field| field.field_type);
        let read = |text: Option<&str>| match (text, field_type) {
            (Some(text), Some(field_type)) => {
                Value::parse(text, field_type).unwrap_or(Value::Null).to_string()
            }
            (text, _) => text.unwrap_or_default().to_owned(),
        };
        let (came, expected) = (actor.field(key).flatten(), value.as_deref());
        findings.expect(read(came) == read(expected), || {
            format!("{}: {what} has {came:?} in {key}, expected {expected:?}", one.name)
        });
    }
    findings.expect(written.parent.is_none() || actor.parent == written.parent, || {
        format!("{}: {what} has the parent {:?}, expected {:?}", one.name, actor.parent, written.parent)
    });
}

pub(super) fn created<C: Connector>(subject: &Subject<'_, C>, findings: &mut Findings) -> Result<(), Stop> {
    for one in writable(subject, findings)? {
        let new = new_actor(subject, &one)?;
        let created = create(subject, &new)?;
        let key = &created.key;
        findings.expect(!key.is_empty(), || format!("{}: the created actor has no key", one.name));
        findings.expect(one.actors.iter().all(|actor| actor.key != *key), || {
            format!("{}: the created actor has the key {key:?} of another one", one.name)
        });
        findings.expect(created.actor_type == one.name, || {
            format!("{}: the created actor is of type {:?}", one.name, created.actor_type)
        });
        expect_written(findings, &one, "the created actor", &created, &new);
        let found = get_one(subject, &one, key)?;
        expect_written(findings, &one, "the created actor, found again,", &found, &new);
        let listed = subject.actors(one.name)?.iter().any(|actor| actor.key == *key);
        findings.expect(listed, || format!("{}: actors does not list the created {key:?}", one.name));
    }
    Ok(())
}

/// Expects a stamp that no one who asks for changes misses.
fn expect_stamp<C: Connector>(
    subject: &Subject<'_, C>,
    findings: &mut Findings,
    name: &str,
    changed: &Actor,
    before: Option<&str>,
) -> Result<(), Stop> {
    let stamp = changed.last_modified.as_deref();
    findings.expect(stamp.is_none() || stamp >= before, || {
        format!(
            "{name}: {:?} got the stamp {stamp:?}, older than {before:?}, which was given out before",
            changed.key
        )
    });
    let since = subject.changed_since(name, before)?;
    findings.expect(since.binary_search(&changed.key).is_ok(), || {
        format!("{name}: what changed since {before:?} lacks {:?}, which changed just now", changed.key)
    });
    Ok(())
}

pub(super) fn created_stamp<C: Connector>(
    subject: &Subject<'_, C>,
    findings: &mut Findings,
) -> Result<(), Stop> {
    subject.after(&[34])?;
    for one in writable(subject, findings)? {
        let before = newest_stamp(subject)?;
        let created = create(subject, &new_actor(subject, &one)?)?;
        expect_stamp(subject, findings, one.name, &created, before.as_deref())?;
    }
    Ok(())
}

/// A change of one field of an actor: of a text, if there is one.
fn change<C: Connector>(
    subject: &Subject<'_, C>,
    one: &Listed<'_>,
    actor: &Actor,
) -> Result<Option<Actor>, Stop> {
    let fields = one.fields.iter().filter(|field| field.access != Access::ReadOnly);
    let mut fields: Vec<&Field> = fields.collect();
    fields.sort_by_key(|field| (field.key != "NAME", field.field_type != FieldType::Text));
    for field in fields {
        if let Some(value) = any_value(subject, field, "Changed")?
            && actor.text(&field.key) != value
        {
            return Ok(Some(Actor::new(one.name, actor.key.as_str()).with(field.key.as_str(), value)));
        }
    }
    Ok(None)
}

pub(super) fn saved<C: Connector>(subject: &Subject<'_, C>, findings: &mut Findings) -> Result<(), Stop> {
    subject.after(&[34])?;
    for one in writable(subject, findings)? {
        let new = new_actor(subject, &one)?;
        let created = [create(subject, &new)?, create(subject, &new)?];
        let mut changes = Vec::new();
        for actor in &created {
            changes.extend(change(subject, &one, actor)?);
        }
        if changes.len() < created.len() {
            continue;
        }
        let saved = save(subject, &changes)?;
        findings.expect(saved.len() == changes.len(), || {
            format!("{}: save of {} actors pushes {}", one.name, changes.len(), saved.len())
        });
        for (before, change) in created.iter().zip(&changes) {
            let mut expected = before.clone();
            expected.merge(change);
            let pushed = saved.iter().find(|actor| actor.key == before.key);
            findings
                .expect(pushed.is_some(), || format!("{}: save does not push {:?}", one.name, before.key));
            let found = get_one(subject, &one, &before.key)?;
            for (what, actor) in [("pushed by save", pushed), ("read again after save", Some(&found))] {
                let Some(actor) = actor else { continue };
                let expected = Actor { last_modified: actor.last_modified.clone(), ..expected.clone() };
                findings.expect(same(actor, &expected), || {
                    format!("{}: the actor {what} is {actor:?}, expected {expected:?}", one.name)
                });
            }
        }
    }
    Ok(())
}

pub(super) fn saved_stamp<C: Connector>(
    subject: &Subject<'_, C>,
    findings: &mut Findings,
) -> Result<(), Stop> {
    subject.after(&[35, 36])?;
    for one in writable(subject, findings)? {
        let created = create(subject, &new_actor(subject, &one)?)?;
        let Some(change) = change(subject, &one, &created)? else { continue };
        // Somebody else changes in between.
        create(subject, &new_actor(subject, &one)?)?;
        let before = newest_stamp(subject)?;
        save(subject, &[change])?;
        let saved = get_one(subject, &one, &created.key)?;
        expect_stamp(subject, findings, one.name, &saved, before.as_deref())?;
    }
    Ok(())
}

pub(super) fn null_and_empty<C: Connector>(
    subject: &Subject<'_, C>,
    findings: &mut Findings,
) -> Result<(), Stop> {
    subject.after(&[36])?;
    for one in writable(subject, findings)? {
        findings.needs("no text field may be left empty");
        let is_free = |field: &&Field| field.access == Access::Normal && field.field_type == FieldType::Text;
        let Some(field) = one.fields.iter().find(is_free) else { continue };
        let key = field.key.as_str();
        let created = create(subject, &new_actor(subject, &one)?.with(key, "Text"))?;
        let after = |value: Option<&str>| {
            let actor = Actor::new(one.name, created.key.as_str());
            save(subject, &[actor.clone().with(key, "Text")])?;
            save(subject, &[actor.with(key, value)])?;
            Ok(get_one(subject, &one, &created.key)?.field(key).flatten().map(str::to_owned))
        };
        let (null, empty) = (after(None)?, after(Some(""))?);
        for (saved, came) in [("null", &null), ("an empty text", &empty)] {
            findings.expect(came.as_deref().unwrap_or_default().is_empty(), || {
                format!("{}: {key} was saved as {saved} and is still {came:?}", one.name)
            });
        }
        findings.expect(null == empty || (null.is_none() && empty.is_some()), || {
            format!("{}: {key} saved as null is read as {null:?}, and saved as empty as {empty:?}", one.name)
        });
    }
    Ok(())
}

pub(super) fn refused<C: Connector>(subject: &Subject<'_, C>, findings: &mut Findings) -> Result<(), Stop> {
    let connection = subject.connection()?;
    for one in writable(subject, findings)? {
        let name = one.name;
        let before = subject.actors(name)?;
        let nobody = Actor { actor_type: NOBODY.to_owned(), ..new_actor(subject, &one)? };
        let created = collect(NOBODY, None, |rows| connection.create(&nobody, rows));
        findings.expect(created.is_err(), || {
            format!("create makes an actor of the type {NOBODY:?}, expected an error")
        });
        let nobody = Actor { key: NOBODY.to_owned(), ..new_actor(subject, &one)? };
        let saved = collect(name, None, |rows| connection.save(&[nobody], rows));
        findings.expect(saved.is_err(), || {
            format!(
                "{name}: save takes an actor with the key {NOBODY:?}, which nobody has: expected an error"
            )
        });
        super::actors::compare(
            findings,
            &format!("{name}: actors, after calls that were refused,"),
            &subject.actors(name)?,
            &before,
        );
    }
    Ok(())
}

pub(super) fn at_once<C: Connector>(subject: &Subject<'_, C>, findings: &mut Findings) -> Result<(), Stop> {
    subject.after(&[34])?;
    let connection = subject.connection()?;
    for one in writable(subject, findings)? {
        let (name, new) = (one.name, new_actor(subject, &one)?);
        let new = &new;
        let create = || collect(name, None, |rows| connection.create(new, rows));
        let ended: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(create)).collect();
            threads.into_iter().map(thread::ScopedJoinHandle::join).collect()
        });
        let mut keys = HashSet::new();
        for created in ended {
            match created {
                Ok(Ok((actors, _))) => keys.extend(actors.into_iter().map(|actor| actor.key)),
                Ok(Err(error)) => {
                    findings
                        .expect(false, || format!("{name}: one of {AT_ONCE} creates at once fails: {error}"));
                }
                Err(_) => {
                    findings.expect(false, || format!("{name}: one of {AT_ONCE} creates at once panicked"))
                }
            }
        }
        findings.expect(keys.len() == AT_ONCE, || {
            format!("{name}: {AT_ONCE} actors created at once have {} keys, expected one each", keys.len())
        });
        let listed: HashSet<String> = subject.actors(name)?.into_iter().map(|actor| actor.key).collect();
        findings.expect(keys.iter().all(|key| listed.contains(key)), || {
            format!("{name}: not all of {AT_ONCE} actors that were created at once are found again")
        });
    }
    Ok(())
}
