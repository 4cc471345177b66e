//! Rules of many calls at once and of many rows.

use std::thread;

use super::actors::compare;
use super::report::{Findings, Stop};
use super::subject::{Listed, Subject, difference, keys as keys_of};
use crate::abi::MessageRef;
use crate::rows::RowSink;
use crate::testing::trial::sample;
use crate::{Connection, Connector, Error, Result, Rows};

const THREADS: usize = 4;
const ROUNDS: usize = 3;
const MANY: usize = 10_000;

pub(super) fn concurrency<C: Connector>(
    subject: &Subject<'_, C>,
    findings: &mut Findings,
) -> Result<(), Stop> {
    subject.after(&[14, 15])?;
    let listed = subject.stable()?;
    // Only what the threads need goes to them: a connector may be called from anywhere, its settings' form may not.
    let connection = subject.connection()?;
    let one_thread = || -> Vec<String> {
        let rounds = (0..ROUNDS).flat_map(|_| &listed);
        rounds.flat_map(|one| one_round(connection, one)).collect()
    };
    let problems: Vec<String> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(one_thread)).collect();
        let ended = threads.into_iter().map(thread::ScopedJoinHandle::join);
        ended.flat_map(|ended| ended.unwrap_or_else(|_| vec!["a call panicked".to_owned()])).collect()
    });
    findings.expect(true, String::new);
    for problem in problems {
        findings.expect(false, || problem);
    }
    Ok(())
}

/// What is wrong with the answers about an actor type in a thread of its own.
fn one_round(connection: &impl Connection, one: &Listed<'_>) -> Vec<String> {
    let name = one.name;
    let all = keys_of(one.actors);
    let some: Vec<&str> = sample(one.actors, 5).iter().map(|actor| actor.key.as_str()).collect();
    let mut some_sorted: Vec<String> = some.iter().map(|key| (*key).to_owned()).collect();
    some_sorted.sort();
    let mut problems = Vec::new();
    let mut expect =
        |what: &str, expected: &[String], method: &dyn Fn(&mut Rows<'_>) -> Result<crate::Outcome>| {
            match crate::testing::collect(name, Some(&[]), method) {
                Ok((found, _)) => problems.extend(
                    difference(&keys_of(&found), expected)
                        .map(|differs| format!("{name}: {what}, called from many threads, {differs}")),
                ),
                Err(error) => {
                    problems.push(format!("{name}: {what}, called from many threads, fails: {error}"));
                }
            }
        };
    expect("get", &some_sorted, &|rows| connection.get(name, &some, rows));
    expect("search", &all, &|rows| connection.search(name, &[], rows));
    expect("search_text", &all, &|rows| connection.search_text(name, "", None, rows));
    expect("changed_since", &all, &|rows| connection.changed_since(name, None, rows));
    let fields = connection.fields(name);
    if fields.as_ref().ok().map(Vec::as_slice) != Some(one.fields) {
        problems.push(format!("{name}: fields, called from many threads, gives others"));
    }
    problems
}

pub(super) fn ten_thousand<C: Connector>(
    subject: &Subject<'_, C>,
    findings: &mut Findings,
) -> Result<(), Stop> {
    subject.after(&[15])?;
    let listed = subject.stable()?;
    let largest = listed.iter().max_by_key(|one| one.actors.len());
    if let Some(one) = largest {
        findings.needs(format!(
            "the actor type with most actors is {} with {}, {MANY} are needed",
            one.name,
            one.actors.len()
        ));
    }
    for one in listed.iter().filter(|one| one.actors.len() >= MANY) {
        let keys: Vec<&str> = one.actors.iter().map(|actor| actor.key.as_str()).collect();
        let found = subject.get(one.name, None, &keys)?;
        compare(findings, &format!("{}: get of all {} keys", one.name, keys.len()), &found, one.actors);
    }
    Ok(())
}

pub(super) fn no_more_rows<C: Connector>(
    subject: &Subject<'_, C>,
    findings: &mut Findings,
) -> Result<(), Stop> {
    let connection = subject.connection()?;
    findings.needs("no actor type has more actors than are sent at once (some 64 KiB)");
    for one in subject.stable()? {
        let name = one.name;
        let mut full = Full::default();
        let ended = connection.search(name, &[], &mut Rows::new(name, None, &mut full)).is_ok();
        // One batch may be left over, and is sent when the method has returned.
        if full.batches > 1 || (full.batches == 1 && !ended) {
            findings.expect(!ended && full.batches <= 2, || {
                let batches = full.batches;
                format!("{name}: search goes on after the first row that nobody wanted ({batches} times): expected its error")
            });
        }
    }
    Ok(())
}

/// Takes no rows at all.
#[derive(Default)]
struct Full {
    batches: usize,
}

impl RowSink for Full {
    fn push(&mut self, _batch: MessageRef<'_>) -> Result<()> {
        self.batches += 1;
        Err(Error::user("no more rows are wanted"))
    }
}
