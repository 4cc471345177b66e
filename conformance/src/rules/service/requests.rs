//! Rules of requests that only a service has to understand: their size, their compression, and members that the plugin
//! API does not have.

use contract::{Operator, Request};

use crate::reply::{all_of, difference, text, texts};
use crate::rule::{Findings, Stop};
use crate::rules::samples::some_values;
use crate::rules::searching::{search, searched};
use crate::subject::{NOBODY, Subject, Writes};
use plugin_api::{FieldType, Restriction};

/// Keys in one request, more than 64 KiB of it.
const MANY_KEYS: usize = 2000;

pub(in crate::rules) async fn scalar_value(
    subject: &Subject<'_>,
    findings: &mut Findings,
) -> Result<(), Stop> {
    subject.needs(&[801])?;
    findings.needs("no searchable field of type Text has values");
    for (one, fields) in searched(subject)? {
        let Some(field) = fields.iter().find(|field| field.field_type == FieldType::Text) else { continue };
        let Some(value) = some_values(&one.actors, &field.key).first().copied() else { continue };
        let wanted = Restriction::new(&field.key, Operator::Equal, [value]);
        let Some(expected) = findings.take(search(subject, &one.name, &[wanted]).await) else { continue };
        for (what, values, scalar) in [
            ("ScalarValue, Values null", None, value),
            ("ScalarValue, Values empty", Some(vec![]), value),
            ("Values, and a ScalarValue that says something else", texts(&[value]), NOBODY),
        ] {
            let restriction = contract::Restriction {
                field_key: text(&field.key),
                operator: text("="),
                scalar_value: text(scalar),
                values,
            };
            let request = Request::SearchActorsAdvanced {
                actor_type: text(&one.name),
                restrictions: Some(vec![restriction]),
                field_keys: Some(vec![]),
            };
            let Some(reply) = findings.take(subject.ok(request).await) else { continue };
            let differs = difference(&reply.keys(), &expected.keys());
            findings.expect(differs.is_none(), &reply.shown_by, || {
                format!(
                    "{}: {} = {value:?} given as {what} {}",
                    one.name,
                    field.key,
                    differs.unwrap_or_default()
                )
            });
        }
    }
    Ok(())
}

pub(in crate::rules) async fn null_actors(
    subject: &Subject<'_>,
    findings: &mut Findings,
) -> Result<(), Stop> {
    if let Writes::Nothing(why) = subject.writes {
        return Err(Stop::skip(why));
    }
    subject.guid()?;
    for request in [
        Request::CreateActor { actor: None },
        Request::SaveActors { actors: None },
        Request::SaveActors { actors: Some(vec![]) },
    ] {
        if findings.take(subject.ask(request).await).is_some() {
            findings.expect_all(true, String::new);
        }
    }
    Ok(())
}

pub(in crate::rules) async fn large(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
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
        findings.expect(differs.is_none(), &reply.shown_by, || {
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

pub(in crate::rules) async fn gzip(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    let soap = subject.soap()?;
    let guid = subject.guid()?.to_string();
    let one = subject.listed()?.iter().max_by_key(|one| one.actors.len());
    let request = one.map_or(Request::GetSupportedActorTypes, |one| all_of(&one.name));
    let operation = request.operation();
    let plain = soap.request(Some(&guid), request);
    let mut willing = plain.clone();
    willing.accept_gzip = true;
    let unpacked = soap.exchange(operation, plain).await?;
    let response = unpacked.shown_by.0.as_ref().map(|exchange| &exchange.response);
    let coding = response.and_then(|response| response.header("Content-Encoding"));
    findings.expect(coding.is_none(), &unpacked.shown_by, || {
        format!("{operation}: the answer is packed with {coding:?}, and nobody asked for it")
    });
    let packed = soap.exchange(operation, willing).await?;
    findings.expect(packed.payload == unpacked.payload, &packed.shown_by, || {
        format!("{operation}: the answer is another one when gzip is accepted")
    });
    Ok(())
}
