//! Rules of large answers and many calls at once.

use contract::{Operation, Request};
use tokio::task::JoinSet;

use super::actors::same;
use super::fields::all_of;
use super::rule::{Findings, Stop};
use super::subject::{NOBODY, Subject, difference, text, texts};
use plugin_api::testing::trial::sample;

/// Calls at once: more than a pool of a few threads serves, and less than what any limit would refuse.
const AT_ONCE: usize = 24;

/// Keys in one request, more than 64 KiB of it.
const MANY_KEYS: usize = 2000;

pub(super) async fn at_once(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    subject.needs(&[701, 704])?;
    let guid = subject.guid()?.to_string();
    let listed = subject.listed()?;
    let Some(one) = listed.iter().max_by_key(|one| one.actors.len()) else { return Err(Stop::after(701)) };
    let some = sample(&one.actors, AT_ONCE);
    let keys: Vec<&str> = some.iter().map(|actor| actor.key.as_str()).collect();
    if keys.is_empty() {
        return Err(Stop::skip("there are no actors"));
    }
    let mut calls = JoinSet::new();
    for at in 0..AT_ONCE {
        let key = keys[at % keys.len()].to_owned();
        let request = subject.request(
            Some(&guid),
            Request::GetActors { actor_type: text(&one.name), erp_keys: texts(&[&key]), field_keys: None },
        );
        let client = subject.client.clone();
        calls.spawn(async move { (key, client.exchange(Operation::GetActors, request).await) });
    }
    while let Some(ended) = calls.join_next().await {
        let Ok((key, answer)) = ended else { continue };
        let Some(reply) = findings.take(subject.judge(Operation::GetActors, answer)) else { continue };
        let came = reply.actors();
        let is_it =
            came.len() == 1 && one.actors.iter().any(|known| known.key == key && same(known, &came[0]));
        findings.expect(is_it, &reply.traffic, || {
            let (name, keys, said) = (&one.name, reply.keys(), reply.said());
            format!("{name}: one of {AT_ONCE} calls at once, for {key:?}, gives {keys:?}, {said}")
        });
    }
    Ok(())
}

pub(super) async fn large_answer(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    subject.needs(&[701, 704])?;
    let listed = subject.listed()?;
    let Some(one) = listed.iter().max_by_key(|one| one.actors.len()) else { return Err(Stop::after(701)) };
    let keys: Vec<&str> = one.actors.iter().map(|actor| actor.key.as_str()).take(20_000).collect();
    if keys.is_empty() {
        return Err(Stop::skip("there are no actors"));
    }
    let request =
        Request::GetActors { actor_type: text(&one.name), erp_keys: texts(&keys), field_keys: None };
    let reply = subject.ok(request).await?;
    let mut expected: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
    expected.sort();
    let differs = difference(&reply.keys(), &expected);
    findings.expect(differs.is_none(), &reply.traffic, || {
        format!("{}: WSGetActors of all {} keys {}", one.name, keys.len(), differs.unwrap_or_default())
    });
    Ok(())
}

pub(super) async fn large_request(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    subject.needs(&[704])?;
    for one in subject.listed()?.iter().take(1) {
        let known = one.actors.first().map(|actor| actor.key.clone());
        let mut keys: Vec<String> = (0..MANY_KEYS).map(|at| format!("{NOBODY}-{at:08}")).collect();
        keys.extend(known.clone());
        let request =
            Request::GetActors { actor_type: text(&one.name), erp_keys: texts(&keys), field_keys: None };
        let reply = subject.ok(request).await?;
        let expected: Vec<String> = known.into_iter().collect();
        let differs = difference(&reply.keys(), &expected);
        findings.expect(differs.is_none(), &reply.traffic, || {
            format!(
                "{}: WSGetActors of {} keys, all but one unknown, {}",
                one.name,
                keys.len(),
                differs.unwrap_or_default()
            )
        });
    }
    Ok(())
}

pub(super) async fn packed(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    let guid = subject.guid()?.to_string();
    let one = subject.listed()?.iter().max_by_key(|one| one.actors.len());
    let request = one.map_or(Request::GetSupportedActorTypes, |one| all_of(&one.name));
    let operation = request.operation();
    let plain = subject.request(Some(&guid), request);
    let mut willing = plain.clone();
    willing.accept_gzip = true;
    let unpacked = subject.exchange(operation, plain).await?;
    let coding = unpacked.traffic.response.header("Content-Encoding").map(str::to_owned);
    findings.expect(coding.is_none(), &unpacked.traffic, || {
        format!("{operation}: the answer is packed with {coding:?}, and nobody asked for it")
    });
    let packed = subject.exchange(operation, willing).await?;
    findings.expect(packed.payload == unpacked.payload, &packed.traffic, || {
        format!("{operation}: the answer is another one when gzip is accepted")
    });
    Ok(())
}
