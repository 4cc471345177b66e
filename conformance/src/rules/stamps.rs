//! Rules of stamps: which actors changed since one.

use contract::Request;
use plugin_api::Actor;

use super::samples::sample;
use crate::reply::text;

use crate::rule::{Findings, Stop};
use crate::subject::{Listed, Subject};

/// Some stamps of the actors of a type, from the smallest text to the greatest.
fn some_stamps(one: &Listed) -> Vec<&str> {
    let mut stamps: Vec<&str> =
        one.actors.iter().filter_map(|actor| actor.last_modified.as_deref()).collect();
    stamps.sort_unstable();
    stamps.dedup();
    sample(&stamps, 4).into_iter().copied().collect()
}

/// Expects the actors that must be in the answer; that more are in it does no harm.
async fn expect_changed(
    subject: &Subject<'_>,
    findings: &mut Findings,
    must: fn(&Actor, &str) -> bool,
    why: &str,
) -> Result<(), Stop> {
    for one in subject.listed()? {
        for stamp in some_stamps(one) {
            let request = Request::GetActorsByTimestamp {
                updated_on_or_after: text(stamp),
                actor_type: text(&one.name),
                field_keys: Some(vec![]),
            };
            let Some(reply) = findings.take(subject.ok(request).await) else { continue };
            let came = reply.keys();
            for actor in one.actors.iter().filter(|actor| must(actor, stamp)) {
                findings.expect(came.binary_search(&actor.key).is_ok(), &reply.shown_by, || {
                    format!("{}: what changed since {stamp:?} lacks {:?}, {why}", one.name, actor.key)
                });
            }
        }
    }
    Ok(())
}

pub(super) async fn inclusive(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    findings.needs("no actor has a stamp");
    let equal = |actor: &Actor, stamp: &str| actor.last_modified.as_deref() == Some(stamp);
    expect_changed(subject, findings, equal, "which has just that stamp").await
}

pub(super) async fn later(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    // The plugin API compares stamps as texts, and an actor without one may have changed at any time.
    if subject.is_in_process() {
        findings.needs("there are no two stamps of actors of one type");
        let later = |actor: &Actor, stamp: &str| actor.last_modified.as_deref().is_none_or(|own| own > stamp);
        return expect_changed(subject, findings, later, "which has a later stamp or none").await;
    }
    // Stamps of a service have a form of its own; only those of one sortable form can be compared.
    let form =
        |stamp: &str| stamp.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect::<String>();
    let all: Vec<&str> = subject
        .listed()?
        .iter()
        .flat_map(|one| &one.actors)
        .filter_map(|actor| actor.last_modified.as_deref())
        .collect();
    let mut forms: Vec<String> = all.iter().map(|stamp| form(stamp)).collect();
    forms.sort();
    forms.dedup();
    let is_sortable = forms.len() == 1 && !forms.iter().any(|form| form.starts_with("[DT:"));
    if !is_sortable {
        return Err(Stop::skip("the stamps are no texts of one sortable form, such as 2013-05-13T13:50:45"));
    }
    findings.needs("there are no two stamps of actors of one type");
    let later = |actor: &Actor, stamp: &str| actor.last_modified.as_deref().is_some_and(|own| own > stamp);
    expect_changed(subject, findings, later, "which has a later one").await
}

pub(super) async fn stamped(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    findings.needs("there are no actors");
    for one in subject.listed()? {
        for actor in &one.actors {
            let has_one = actor.last_modified.as_deref().is_some_and(|stamp| !stamp.is_empty());
            findings.expect_all(has_one, || format!("{}: {:?} has no LastModified", one.name, actor.key));
        }
    }
    Ok(())
}

pub(super) async fn nonsense(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    for name in subject.names()? {
        for stamp in ["", "no stamp at all", "9999-12-31T23:59:59.9999999"] {
            let request = Request::GetActorsByTimestamp {
                updated_on_or_after: text(stamp),
                actor_type: text(name),
                field_keys: Some(vec![]),
            };
            if findings.take(subject.ask(request).await).is_some() {
                findings.expect_all(true, String::new);
            }
        }
    }
    Ok(())
}
