//! Rules of large answers and many calls at once.

use std::collections::HashMap;

use contract::Request;
use plugin_api::Actor;

use super::actors::same;
use super::samples::sample;
use crate::reply::{difference, sorted_keys, text, texts};
use crate::rule::{Findings, Stop};
use crate::subject::{Listed, Subject};

/// Calls at once: more than a pool of a few threads serves, and less than what any limit would refuse.
const AT_ONCE: usize = 24;

/// Most actors that are asked for by their keys at once.
const MOST_KEYS: usize = 20_000;

/// Calls, each with the actors that it must give.
type Calls<'s> = Vec<(Request<'s>, Vec<&'s Actor>)>;

/// Calls for some actors by their keys.
fn by_key(one: &Listed) -> Calls<'_> {
    let some = sample(&one.actors, AT_ONCE);
    let calls = some.iter().cycle().take(AT_ONCE).map(|&actor| {
        let erp_keys = Some(vec![text(&actor.key)]);
        let get = Request::GetActors { actor_type: text(&one.name), erp_keys, field_keys: None };
        (get, vec![actor])
    });
    calls.collect()
}

/// Calls for all actors, in every way there is.
fn for_all(one: &Listed) -> Calls<'_> {
    let actor_type = || text(&one.name);
    let requests = [
        Request::SearchActorsAdvanced {
            actor_type: actor_type(),
            restrictions: Some(vec![]),
            field_keys: None,
        },
        Request::SearchActors { actor_type: actor_type(), search_text: text(""), field_keys: None },
        Request::GetActorsByTimestamp {
            updated_on_or_after: None,
            actor_type: actor_type(),
            field_keys: None,
        },
    ];
    requests.into_iter().map(|request| (request, one.actors.iter().collect())).collect()
}

pub(super) async fn at_once(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    subject.needs(&[701, 702, 704])?;
    let listed = subject.listed()?;
    let Some(largest) = listed.iter().max_by_key(|one| one.actors.len()) else {
        return Err(Stop::after(701));
    };
    if largest.actors.is_empty() {
        return Err(Stop::skip("there are no actors"));
    }
    let calls = if subject.is_in_process() {
        listed
            .iter()
            .flat_map(|one| by_key(one).into_iter().take(4).chain(for_all(one)))
            .filter(|(_, actors)| !actors.is_empty())
            .collect()
    } else {
        by_key(largest)
    };
    let requests: Vec<Request<'_>> = calls.iter().map(|(request, _)| request.clone()).collect();
    for ((request, expected), reply) in calls.iter().zip(subject.at_once(&requests).await?) {
        let Some(reply) = findings.take(reply) else { continue };
        let came: HashMap<&str, &Actor> =
            reply.actors().iter().map(|actor| (actor.key.as_str(), actor)).collect();
        // A call for all actors also gives those that were created by the rules of writing.
        let is_same = |known: &&Actor| came.get(known.key.as_str()).is_some_and(|actor| same(known, actor));
        let is_get = matches!(request, Request::GetActors { .. });
        let right = expected.iter().all(is_same) && (!is_get || came.len() == 1);
        findings.expect(right, &reply.shown_by, || {
            let (operation, count) = (request.operation(), expected.len());
            format!(
                "one of {} calls at once, {operation} for {count} actors such as {:?}, gives {}: {}",
                requests.len(),
                expected[0].key,
                reply.actors().len(),
                reply.explanation()
            )
        });
    }
    Ok(())
}

pub(super) async fn large_answer(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    subject.needs(&[701, 704])?;
    let listed = subject.listed()?;
    let Some(one) = listed.iter().max_by_key(|one| one.actors.len()) else { return Err(Stop::after(701)) };
    let keys: Vec<&str> = one.actors.iter().map(|actor| actor.key.as_str()).take(MOST_KEYS).collect();
    if keys.is_empty() {
        return Err(Stop::skip("there are no actors"));
    }
    let request =
        Request::GetActors { actor_type: text(&one.name), erp_keys: texts(&keys), field_keys: None };
    let reply = subject.ok(request).await?;
    let differs = difference(&reply.keys(), &sorted_keys(one.actors.iter().take(MOST_KEYS)));
    findings.expect(differs.is_none(), &reply.shown_by, || {
        format!("{}: WSGetActors of all {} keys {}", one.name, keys.len(), differs.unwrap_or_default())
    });
    Ok(())
}

pub(super) async fn refused_rows(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    findings.needs("no actor type has more actors than are sent at once (some 64 KiB)");
    let Some(connector) = subject.in_process() else { return Ok(()) };
    for Listed { name, .. } in subject.listed()? {
        let Some(refused) = findings.take(connector.refuse_rows(subject.guid()?, name)) else { continue };
        // One batch may be left over, and is sent when the method has returned.
        if refused.batches > 1 || (refused.batches == 1 && refused.failed) {
            findings.expect_all(refused.failed && refused.batches <= 2, || {
                let batches = refused.batches;
                format!("{name}: search goes on after the first batch that was refused ({batches} batches): expected its error")
            });
        }
    }
    Ok(())
}
