//! Rules of stamps.

use super::report::{Findings, Stop};
use super::subject::{Listed, Subject};
use crate::testing::trial::sample;
use crate::{Actor, Connector};

/// Some stamps of the actors of a type, from the oldest to the newest.
fn some_stamps<'a>(one: &Listed<'a>) -> Vec<&'a str> {
    let mut stamps: Vec<&str> =
        one.actors.iter().filter_map(|actor| actor.last_modified.as_deref()).collect();
    stamps.sort_unstable();
    stamps.dedup();
    sample(&stamps, 5).into_iter().copied().collect()
}

/// Expects the actors that must be in the answer; that more are in it does no harm.
fn expect_changed<C: Connector>(
    subject: &Subject<'_, C>,
    findings: &mut Findings,
    must: fn(&Actor, &str) -> bool,
    why: &str,
) -> Result<(), Stop> {
    for one in subject.stable()? {
        for stamp in some_stamps(&one) {
            let found = subject.changed_since(one.name, Some(stamp))?;
            for actor in one.actors.iter().filter(|actor| must(actor, stamp)) {
                findings.expect(found.binary_search(&actor.key).is_ok(), || {
                    let (name, key) = (one.name, &actor.key);
                    format!("{name}: what changed since {stamp:?} lacks {key:?}, {why}: expected it")
                });
            }
        }
    }
    Ok(())
}

pub(super) fn inclusive<C: Connector>(subject: &Subject<'_, C>, findings: &mut Findings) -> Result<(), Stop> {
    findings.needs("no actor has a stamp");
    let equal = |actor: &Actor, stamp: &str| actor.last_modified.as_deref() == Some(stamp);
    expect_changed(subject, findings, equal, "which has just that stamp")
}

pub(super) fn later<C: Connector>(subject: &Subject<'_, C>, findings: &mut Findings) -> Result<(), Stop> {
    findings.needs("there are no two stamps of actors of one type");
    let later = |actor: &Actor, stamp: &str| actor.last_modified.as_deref().is_none_or(|own| own > stamp);
    expect_changed(subject, findings, later, "which has a later stamp or none")
}
