//! Rules of calls that are cancelled or over their deadline, and of an ERP system that is slow or away meanwhile.

use std::time::{Duration, Instant};

use contract::{Operation, Request, Text};
use plugin_api::{Actor, ErrorKind, Result as ApiResult};

use super::actors::same;
use super::writing::{carrier, change, expect_written, get_one, made, new_actor};
use crate::call_limits::{CallLimits, Ended};
use crate::erp_control::{ErpControl, Offered};
use crate::reply::{all_of, sorted_keys};
use crate::rule::{Findings, Stop};
use crate::subject::{Change, Outage, Subject, Writes};

/// The deadline of calls in process.
const DEADLINE: Duration = Duration::from_secs(2);

/// How much later a call may end in process: a machine may be busy.
const GRACE: Duration = Duration::from_secs(1);

/// How long a service may take for an answer: its deadline is its own.
const LONGEST_OF_SERVICE: Duration = Duration::from_secs(120);

/// When a call is cancelled that is at work.
const CANCELLED_AFTER: Duration = Duration::from_millis(300);

/// How long it may take until calls work again: a host does not try at once.
const RECOVERY: Duration = Duration::from_secs(60);
const RECOVERY_IN_PROCESS: Duration = Duration::from_secs(10);

/// How often that is tried.
const INTERVAL: Duration = Duration::from_millis(500);

/// The limits of a call while the ERP system fails.
fn limits(subject: &Subject<'_>) -> CallLimits {
    let wait = if subject.is_in_process() { DEADLINE + GRACE } else { LONGEST_OF_SERVICE };
    CallLimits { deadline: Some(DEADLINE), cancelled_after: None, wait }
}

/// A call that reads, with the keys of actors that its answer must have.
type Read = (Request<'static>, Vec<String>);

/// A call of each kind that reads.
fn reads(subject: &Subject<'_>) -> Result<Vec<Read>, Stop> {
    subject.needs(&[701, 702, 704, 1201])?;
    let some = subject.listed()?.iter().filter(|one| !one.actors.is_empty());
    let Some(one) = some.min_by_key(|one| one.actors.len()) else {
        return Err(Stop::skip("there are no actors"));
    };
    let owned = |text: &str| -> Text<'static> { Some(text.to_owned().into()) };
    let actor_type = || owned(&one.name);
    let first: Vec<_> = one.actors.iter().take(1).collect();
    let all = sorted_keys(&one.actors);
    Ok(vec![
        (
            Request::GetActors {
                actor_type: actor_type(),
                erp_keys: Some(first.iter().map(|actor| owned(&actor.key)).collect()),
                field_keys: None,
            },
            sorted_keys(first),
        ),
        (
            Request::SearchActorsAdvanced {
                actor_type: actor_type(),
                restrictions: Some(vec![]),
                field_keys: None,
            },
            all.clone(),
        ),
        (
            Request::SearchActors { actor_type: actor_type(), search_text: owned(""), field_keys: None },
            all.clone(),
        ),
        (
            Request::GetActorsByTimestamp {
                updated_on_or_after: None,
                actor_type: actor_type(),
                field_keys: None,
            },
            all,
        ),
    ])
}

/// What is wrong with the answer of a call that succeeded; `None` if it has all the keys.
fn lacks(reply: &crate::reply::Reply, keys: &[String]) -> Option<String> {
    let came = reply.keys();
    let missing = keys.iter().find(|key| came.binary_search(key).is_err())?;
    Some(format!("succeeds with {} actors and without {missing:?}", came.len()))
}

/// Expects a call that reads to have ended, with the right answer or an error.
fn expect_end(
    subject: &Subject<'_>,
    findings: &mut Findings,
    erp_system: &str,
    (operation, keys, ended): &(Operation, Vec<String>, Ended),
) {
    let expected = "expected an error, or the right answer";
    let late = || {
        let deadline = if subject.is_in_process() { DEADLINE } else { LONGEST_OF_SERVICE };
        format!(
            "{operation} has not ended {:.1?} after it began, {erp_system}; expected it within {deadline:?}",
            ended.took
        )
    };
    match &ended.reply {
        None => findings.expect_all(false, late),
        Some(Err(stop)) => {
            let _ = findings.take::<()>(Err(stop.clone()));
        }
        Some(Ok(reply)) if reply.is_error() => findings.expect(reply.is_explained(), &reply.shown_by, || {
            format!("{operation} fails without an explanation, {erp_system}")
        }),
        Some(Ok(reply)) => {
            let lacks = lacks(reply, keys);
            findings.expect(lacks.is_none(), &reply.shown_by, || {
                format!("{operation} {}, {erp_system}; {expected}", lacks.unwrap_or_default())
            });
        }
    }
}

/// Makes calls that read at the same time.
async fn read_all(
    subject: &Subject<'_>,
    reads: Vec<Read>,
    limits: CallLimits,
) -> Result<Vec<(Operation, Vec<String>, Ended)>, Stop> {
    let (requests, keys): (Vec<_>, Vec<_>) = reads.into_iter().unzip();
    let operations: Vec<_> = requests.iter().map(Request::operation).collect();
    let ended = subject.within(requests, limits).await?;
    Ok(operations.into_iter().zip(keys).zip(ended).map(|((one, keys), ended)| (one, keys, ended)).collect())
}

/// Expects calls to work again, of the same connection.
async fn recovered(subject: &Subject<'_>, after: &str, within: Duration) -> Result<(), Stop> {
    let started = Instant::now();
    loop {
        let limits = CallLimits { deadline: None, cancelled_after: None, wait: LONGEST_OF_SERVICE };
        let ended = read_all(subject, reads(subject)?, limits).await?;
        let wrong = ended.into_iter().find_map(|(operation, keys, ended)| {
            let (why, shown_by) = match ended.reply {
                None => (format!("has not ended after {:.0?}", ended.took), None),
                Some(Err(Stop::Failed(finding))) => (finding.text, finding.shown_by),
                Some(Err(Stop::Skip(why))) => (why, None),
                Some(Ok(reply)) => {
                    let why = if reply.is_error() {
                        format!("fails: {}", reply.explanation())
                    } else {
                        lacks(&reply, &keys)?
                    };
                    (why, reply.shown_by.0)
                }
            };
            Some((format!("{operation} {why}"), crate::reply::Evidence(shown_by)))
        });
        match wrong {
            None => return Ok(()),
            Some((why, shown_by)) if started.elapsed() >= within => {
                let text =
                    format!("{after}, still {:.0?} later: {why}; expected it to work", started.elapsed());
                return Err(Stop::failed(text, &shown_by));
            }
            Some(_) => subject.pause(INTERVAL).await,
        }
    }
}

/// How long it may take until calls work again.
fn recovery(subject: &Subject<'_>) -> Duration {
    if subject.is_in_process() { RECOVERY_IN_PROCESS } else { RECOVERY }
}

/// An ERP system that does not work, until this is dropped: also when the check is interrupted.
struct Failing<'c>(Option<&'c dyn ErpControl>);

impl Failing<'_> {
    fn end(mut self) -> Result<(), Stop> {
        self.0.take().map_or(Ok(()), |erp| erp.back().map_err(|error| not_controlled("brought back", &error)))
    }
}

impl Drop for Failing<'_> {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.0.take().map(ErpControl::back) {
            eprintln!("the ERP system could not be brought back: {error}");
        }
    }
}

fn not_controlled(what: &str, error: &plugin_api::Error) -> Stop {
    Stop::failed(format!("the ERP system could not be {what}: {error}"), crate::reply::Evidence::default())
}

fn make_slow<'c>(subject: &Subject<'c>) -> Result<Failing<'c>, Stop> {
    let none = "the ERP system cannot be made slow: see ErpControl::slow, --erp-slow";
    make_fail(subject, ErpControl::slow, "made slow", none)
}

fn take_away<'c>(subject: &Subject<'c>) -> Result<Failing<'c>, Stop> {
    let none = "the ERP system cannot be taken away: see ErpControl::away, --erp-stop";
    make_fail(subject, ErpControl::away, "taken away", none)
}

fn make_fail<'c>(
    subject: &Subject<'c>,
    how: fn(&'c dyn ErpControl) -> ApiResult<Offered>,
    what: &str,
    not_offered: &str,
) -> Result<Failing<'c>, Stop> {
    let erp = subject.erp.map_err(Stop::skip)?;
    let mut failing = Failing(Some(erp));
    match how(erp) {
        Ok(Offered::Yes) => Ok(failing),
        Ok(Offered::No) => {
            // Nothing was done.
            failing.0 = None;
            Err(Stop::skip(not_offered))
        }
        Err(error) => Err(not_controlled(what, &error)),
    }
}

pub(super) async fn cancelled(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    let cancelled_after = |after| CallLimits { cancelled_after: Some(after), ..limits(subject) };
    let ended = read_all(subject, reads(subject)?, cancelled_after(Duration::ZERO)).await?;
    ended.iter().for_each(|one| expect_end(subject, findings, "cancelled before", one));
    recovered(subject, "after calls that were cancelled", Duration::ZERO).await?;
    let slow = match make_slow(subject) {
        Err(Stop::Skip(_)) => return Ok(()),
        slow => slow?,
    };
    let ended = read_all(subject, reads(subject)?, cancelled_after(CANCELLED_AFTER)).await?;
    slow.end()?;
    let what = "cancelled while the ERP system is slow";
    ended.iter().for_each(|one| expect_end(subject, findings, what, one));
    recovered(subject, "after calls that were cancelled at work", recovery(subject)).await
}

pub(super) async fn slow(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    subject.needs(&[1501])?;
    let reads = reads(subject)?;
    let slow = make_slow(subject)?;
    let ended = read_all(subject, reads, limits(subject)).await?;
    slow.end()?;
    ended.iter().for_each(|one| expect_end(subject, findings, "while the ERP system is slow", one));
    recovered(subject, "after the ERP system was slow", recovery(subject)).await
}

/// What happens while the ERP system is away. It is taken away once.
async fn outage<'s>(subject: &'s Subject<'_>) -> Result<&'s Outage, Stop> {
    if subject.outage.get().is_none() {
        let happened = happened(subject).await;
        let _ = subject.outage.set(happened);
    }
    subject.outage.get().map_or_else(
        || Err(Stop::skip("the ERP system was not away")),
        |it| it.as_ref().map_err(Clone::clone),
    )
}

async fn happened(subject: &Subject<'_>) -> Result<Outage, Stop> {
    subject.needs(&[1501])?;
    let reads = reads(subject)?;
    let planned = planned(subject).await?;
    let away = take_away(subject)?;
    let reads = read_all(subject, reads, limits(subject)).await?;
    let requests = planned.iter().map(Planned::request).collect();
    let ended = subject.within(requests, limits(subject)).await?;
    away.end()?;
    let back = recovered(subject, "after the ERP system was away", recovery(subject)).await;
    let changes = if back.is_ok() { changes(subject, "away", planned, ended).await? } else { Vec::new() };
    Ok(Outage { reads, back, changes })
}

pub(super) async fn away(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    let outage = outage(subject).await?;
    outage.reads.iter().for_each(|one| expect_end(subject, findings, "while the ERP system is away", one));
    outage.back.clone()
}

pub(super) async fn kinds(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    let outage = outage(subject).await?;
    findings.needs("no call failed while the ERP system was away");
    let reads = outage.reads.iter().map(|(operation, _, ended)| (operation, ended, false));
    let changes = outage.changes.iter().map(|change| (&change.operation, &change.ended, true));
    for (operation, ended, is_change) in reads.chain(changes) {
        let Some(Ok(reply)) = &ended.reply else { continue };
        if !reply.is_error() {
            continue;
        }
        let kind = reply.outcome.kind;
        let is_right = kind == ErrorKind::Unavailable || is_change && kind == ErrorKind::UnknownOutcome;
        findings.expect(is_right, &reply.shown_by, || {
            let expected = if is_change { "unavailable or unknown outcome" } else { "unavailable" };
            format!(
                "{operation} while the ERP system is away is an error of the kind {kind}: {}; expected {expected}",
                reply.explanation()
            )
        });
    }
    Ok(())
}

/// A change that is tried while the ERP system does not work.
struct Planned {
    before: Option<Actor>,
    sent: Actor,
    /// The keys of all actors of the type before.
    known: Vec<String>,
}

impl Planned {
    fn request(&self) -> Request<'static> {
        let actor = carrier(&self.sent).into_owned();
        match self.before {
            None => Request::CreateActor { actor: Some(actor) },
            Some(_) => Request::SaveActors { actors: Some(vec![actor]) },
        }
    }
}

/// A new actor of each type that is written to, and a change of one that was created here.
async fn planned(subject: &Subject<'_>) -> Result<Vec<Planned>, Stop> {
    let mut planned = Vec::new();
    if matches!(subject.writes, Writes::Nothing(_)) || subject.needs(&[1101, 1103]).is_err() {
        return Ok(planned);
    }
    for one in subject.listed()? {
        let Some(key) = made(subject, &one.name).keys.first().cloned() else { continue };
        let known = subject.ok(all_of(&one.name)).await?.keys();
        let (before, _) = get_one(subject, &one.name, &key).await?;
        planned.push(Planned { before: None, sent: new_actor(subject, one), known });
        if let Some(sent) = change(subject, &before) {
            planned.push(Planned { before: Some(before), sent, known: Vec::new() });
        }
    }
    Ok(planned)
}

/// What came of changes, after the ERP system works again.
async fn changes(
    subject: &Subject<'_>,
    erp_system: &'static str,
    planned: Vec<Planned>,
    ended: Vec<Ended>,
) -> Result<Vec<Change>, Stop> {
    let mut changes = Vec::new();
    for (Planned { before, sent, known }, ended) in planned.into_iter().zip(ended) {
        let name = &sent.actor_type;
        let (operation, after) = match &before {
            Some(before) => (Operation::SaveActors, vec![get_one(subject, name, &before.key).await?.0]),
            None => {
                let all = subject.ok(all_of(name)).await?;
                let is_new = |actor: &&Actor| known.binary_search(&actor.key).is_err();
                let new: Vec<Actor> = all.actors().iter().filter(is_new).cloned().collect();
                new.iter().for_each(|actor| subject.leaves(name, &actor.key));
                (Operation::CreateActor, new)
            }
        };
        changes.push(Change { erp_system, operation, before, sent, ended, after });
    }
    Ok(changes)
}

/// Changes while the ERP system is slow, and what came of them.
async fn changes_while_slow(subject: &Subject<'_>) -> Result<Vec<Change>, Stop> {
    subject.needs(&[1501, 1502])?;
    let planned = planned(subject).await?;
    let slow = make_slow(subject)?;
    let requests = planned.iter().map(Planned::request).collect();
    let ended = subject.within(requests, limits(subject)).await?;
    slow.end()?;
    recovered(subject, "after the ERP system was slow", recovery(subject)).await?;
    changes(subject, "slow", planned, ended).await
}

pub(super) async fn half_done(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    if let Writes::Nothing(why) = subject.writes {
        return Err(Stop::skip(why));
    }
    subject.needs(&[1101, 1103])?;
    let away = findings.take(outage(subject).await).map(|outage| outage.changes.clone());
    let slow = findings.take(changes_while_slow(subject).await);
    for change in away.into_iter().chain(slow).flatten() {
        expect_whole(subject, findings, &change);
    }
    // Where there is no other reason.
    let _ = findings.take::<()>(Err(Stop::skip("no actor type lets actors be created")));
    Ok(())
}

/// Expects a change to be done whole or not at all, as its reply says.
fn expect_whole(subject: &Subject<'_>, findings: &mut Findings, change: &Change) {
    let Change { erp_system, operation, before, sent, ended, after } = change;
    let what = format!("{}: {operation} while the ERP system is {erp_system}", sent.actor_type);
    let reply = match &ended.reply {
        None => {
            findings.expect_all(false, || format!("{what} has not ended after {:.1?}", ended.took));
            return;
        }
        Some(Err(stop)) => {
            let _ = findings.take::<()>(Err(stop.clone()));
            return;
        }
        Some(Ok(reply)) => reply,
    };
    let outcome = if reply.is_error() {
        format!("fails with the kind {} ({})", reply.outcome.kind, reply.explanation())
    } else {
        "succeeds".to_owned()
    };
    let may_be_done = !reply.is_error() || reply.outcome.kind == ErrorKind::UnknownOutcome;
    let may_be_undone = reply.is_error();
    let Some(before) = before else {
        let count = after.len();
        let is_right = (count == 0 && may_be_undone) || (count == 1 && may_be_done);
        findings.expect(is_right, &reply.shown_by, || {
            let expected = match (may_be_undone, may_be_done) {
                (true, false) => "none, or the kind unknown outcome",
                (true, true) => "one at most",
                _ => "one",
            };
            format!("{what} {outcome}, and {count} new actors are there afterwards; expected {expected}")
        });
        for actor in after {
            expect_written(subject, findings, "the created actor", &(actor.clone(), reply.clone()), sent);
        }
        return;
    };
    let is_now = |expected: &Actor| {
        after.iter().all(|after| {
            let mut expected = expected.clone();
            expected.last_modified.clone_from(&after.last_modified);
            same(after, &expected)
        })
    };
    let mut changed = before.clone();
    changed.merge(sent);
    let is_right = (may_be_undone && is_now(before)) || (may_be_done && is_now(&changed));
    findings.expect(is_right, &reply.shown_by, || {
        format!(
            "{what}: saving {:?} {outcome}, and afterwards it is {after:?}; before it was {before:?}",
            sent.fields
        )
    });
}
