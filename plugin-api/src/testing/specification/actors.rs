//! Rules of listing and getting actors.

use std::collections::HashSet;

use super::report::{Findings, Stop};
use super::subject::{NOBODY, Subject, answer, difference, first, keys as keys_of, same};
use crate::testing::trial::{is_of, sample};
use crate::{Actor, Connection, Connector};

pub(super) fn keys<C: Connector>(subject: &Subject<'_, C>, findings: &mut Findings) -> Result<(), Stop> {
    for one in subject.types()? {
        let name = &one.name;
        let actors = one.actors.as_ref().map_err(|error| Stop::call(&format!("{name}: actors"), error))?;
        findings.expect(true, String::new);
        let mut seen = HashSet::new();
        for actor in actors {
            let key = &actor.key;
            findings.expect(!key.is_empty(), || format!("{name}: an actor has no key"));
            findings.expect(seen.insert(key), || format!("{name}: the key {key:?} comes twice"));
            findings.expect(actor.actor_type == *name, || {
                format!("{name}: the actor {key:?} is of type {}", actor.actor_type)
            });
        }
    }
    Ok(())
}

pub(super) fn stable<C: Connector>(subject: &Subject<'_, C>, findings: &mut Findings) -> Result<(), Stop> {
    let other = subject.connector.connect(subject.settings).map_err(|_| first(4))?;
    for one in subject.listed()? {
        let name = one.name;
        let again = subject.actors(name)?;
        compare(findings, &format!("{name}: actors, the second time,"), &again, one.actors);
        let what = format!("{name}: actors of a second connection");
        let elsewhere = answer(&what, name, None, |rows| other.actors(name, rows))?;
        let differs = difference(&keys_of(&elsewhere), &keys_of(one.actors));
        findings.expect(differs.is_none(), || format!("{what} {}", differs.unwrap_or_default()));
    }
    Ok(())
}

pub(super) fn values<C: Connector>(subject: &Subject<'_, C>, findings: &mut Findings) -> Result<(), Stop> {
    findings.needs("there are no actors with fields");
    for one in subject.listed()? {
        for actor in one.actors {
            for (key, value) in &actor.fields {
                let place = || format!("{}: the field {key} of {:?}", one.name, actor.key);
                let Some(field) = one.fields.iter().find(|field| field.key == *key) else {
                    findings.expect(false, || format!("{} is not among the fields of the type", place()));
                    continue;
                };
                let (value, field_type) = (value.as_deref().unwrap_or_default(), field.field_type);
                findings.expect(is_of(value, field_type), || {
                    format!("{} holds {value:?}, which is no {field_type} in its wire form", place())
                });
            }
        }
    }
    Ok(())
}

pub(super) fn all_ways<C: Connector>(subject: &Subject<'_, C>, findings: &mut Findings) -> Result<(), Stop> {
    for one in subject.stable()? {
        let (name, all) = (one.name, keys_of(one.actors));
        let mut expect_all = |what: &str, found: Vec<String>| {
            let differs = difference(&found, &all);
            findings.expect(differs.is_none(), || format!("{name}: {what} {}", differs.unwrap_or_default()));
        };
        expect_all("a search without restrictions", subject.search(name, &[])?);
        expect_all("a search for an empty text", subject.search_text(name, "", None)?);
        expect_all("what changed since no stamp", subject.changed_since(name, None)?);
    }
    Ok(())
}

pub(super) fn get<C: Connector>(subject: &Subject<'_, C>, findings: &mut Findings) -> Result<(), Stop> {
    for one in subject.stable()? {
        let name = one.name;
        let some: Vec<Actor> = sample(one.actors, 5).into_iter().cloned().collect();
        let keys: Vec<&str> = some.iter().map(|actor| actor.key.as_str()).collect();
        compare(findings, &format!("{name}: get of {keys:?}"), &subject.get(name, None, &keys)?, &some);
        if let (Some(actor), Some(key)) = (some.first(), keys.first()) {
            let asked = [NOBODY, key, key, NOBODY];
            let found = subject.get(name, None, &asked)?;
            compare(findings, &format!("{name}: get of {asked:?}"), &found, std::slice::from_ref(actor));
        }
        compare(findings, &format!("{name}: get of no keys"), &subject.get(name, None, &[])?, &[]);
        compare(findings, &format!("{name}: get of [{NOBODY:?}]"), &subject.get(name, None, &[NOBODY])?, &[]);
    }
    Ok(())
}

pub(super) fn selection<C: Connector>(subject: &Subject<'_, C>, findings: &mut Findings) -> Result<(), Stop> {
    subject.after(&[15])?;
    let connection = subject.connection()?;
    findings.needs("there are no actors");
    for one in subject.stable()? {
        let name = one.name;
        let some: Vec<Actor> = sample(one.actors, 3).into_iter().cloned().collect();
        let keys: Vec<&str> = some.iter().map(|actor| actor.key.as_str()).collect();
        if keys.is_empty() {
            continue;
        }
        let mut selections = vec![vec![], vec![NOBODY]];
        selections.extend(one.fields.iter().map(|field| vec![field.key.as_str()]));
        selections.push(one.fields.iter().map(|field| field.key.as_str()).chain([NOBODY]).collect());
        for selection in selections {
            let expected: Vec<Actor> = some.iter().map(|actor| selected(actor, &selection)).collect();
            let what = format!("{name}: get with the fields {selection:?}");
            compare(findings, &what, &subject.get(name, Some(&selection), &keys)?, &expected);
        }
        // The same where the whole type is asked for.
        if let Some(field) = one.fields.first() {
            let selection = [field.key.as_str()];
            let expected: Vec<Actor> = one.actors.iter().map(|actor| selected(actor, &selection)).collect();
            let what = format!("{name}: search with the fields {selection:?}");
            let found = answer(&what, name, Some(&selection), |rows| connection.search(name, &[], rows))?;
            compare(findings, &what, &found, &expected);
        }
    }
    Ok(())
}

fn selected(actor: &Actor, selection: &[&str]) -> Actor {
    let mut actor = actor.clone();
    actor.fields.retain(|(key, _)| selection.contains(&key.as_str()));
    actor
}

/// Expects these actors, in any order, with what they hold.
pub(super) fn compare(findings: &mut Findings, what: &str, came: &[Actor], expected: &[Actor]) {
    if let Some(differs) = difference(&keys_of(came), &keys_of(expected)) {
        findings.expect(false, || format!("{what} {differs}"));
        return;
    }
    findings.expect(true, String::new);
    let sorted = |actors: &[Actor]| {
        let mut actors: Vec<Actor> = actors.to_vec();
        actors.sort_by(|one, other| one.key.cmp(&other.key));
        actors
    };
    for (one, other) in sorted(came).iter().zip(&sorted(expected)) {
        findings.expect(same(one, other), || format!("{what} gives {one:?}, expected {other:?}"));
    }
}
