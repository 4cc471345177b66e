//! Rules of the connections that a service stores: they are found by their GUID until they are deleted.

use contract::{Operation, Request};

use crate::reply::{Reply, text, texts};
use crate::rule::{Findings, Stop};
use crate::rules::connections::{delete_saved, may_save, new_guid, save_new};
use crate::rules::settings::{info, to_use};
use crate::subject::{NOBODY, Subject, Writes};

/// Every operation that is for a stored connection, with harmless arguments. WSDeleteConnection comes last.
fn for_a_connection<'r>() -> Vec<Request<'r>> {
    let actor_type = || text("Customer");
    vec![
        Request::TestConnection,
        Request::GetSupportedActorTypes,
        Request::GetSupportedActorTypeFields { actor_type: actor_type() },
        Request::GetActors { actor_type: actor_type(), erp_keys: texts(&["1"]), field_keys: None },
        Request::GetSearchableFields { actor_type: actor_type() },
        Request::SearchActorsAdvanced {
            actor_type: actor_type(),
            restrictions: Some(vec![]),
            field_keys: None,
        },
        Request::SearchActors { actor_type: actor_type(), search_text: text("a"), field_keys: None },
        Request::SearchActorByParent {
            actor_type: text("Person"),
            search_text: text("a"),
            parent_actor_type: actor_type(),
            parent_actor_erp_key: text("1"),
            field_keys: None,
        },
        Request::CreateActor {
            actor: Some(contract::Actor { actor_type: actor_type(), ..Default::default() }),
        },
        Request::SaveActors { actors: Some(vec![]) },
        Request::GetList { list_name: text(NOBODY) },
        Request::GetListItems { list_name: text(NOBODY), list_item_keys: texts(&["1"]) },
        Request::GetActorsByTimestamp {
            updated_on_or_after: text("2026"),
            actor_type: actor_type(),
            field_keys: None,
        },
        Request::DeleteConnection,
    ]
}

fn expect_unknown(findings: &mut Findings, reply: &Reply, operation: Operation, which: &str) {
    findings.expect(reply.is_unknown_connection(), &reply.shown_by, || {
        format!(
            "{operation} with {which}: State {} and ErrorCode {:?}, expected Error and UNKNOWN_CONNECTION_ID",
            reply.outcome.state,
            reply.error_code().unwrap_or_default()
        )
    });
}

pub(in crate::rules) async fn unknown(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    let guid = new_guid();
    let writes = [Operation::CreateActor, Operation::SaveActors];
    for request in for_a_connection() {
        let operation = request.operation();
        // A service that takes every GUID would write.
        if matches!(subject.writes, Writes::Nothing(_)) && writes.contains(&operation) {
            continue;
        }
        if let Some(reply) = findings.take(subject.call(guid, request).await) {
            expect_unknown(findings, &reply, operation, "a GUID that is not stored");
        }
    }
    Ok(())
}

/// Tests the connection of a GUID as it is written.
async fn test(subject: &Subject<'_>, guid: Option<&str>) -> Result<Reply, Stop> {
    let soap = subject.soap()?;
    soap.exchange(Operation::TestConnection, soap.request(guid, Request::TestConnection)).await
}

pub(in crate::rules) async fn forms(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    let guid = subject.guid()?.to_string();
    let digits = guid.replace('-', "");
    for form in [
        guid.to_uppercase(),
        digits.clone(),
        digits.to_uppercase(),
        format!("{{{guid}}}"),
        format!("({guid})"),
        format!("{{{}}}", guid.to_uppercase()),
    ] {
        let reply = test(subject, Some(&form)).await?;
        findings.expect(!reply.is_error(), &reply.shown_by, || {
            format!("the connection is not known as {form}: {}", reply.explanation())
        });
    }
    Ok(())
}

pub(in crate::rules) async fn no_guid(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    for (what, guid) in [
        ("null", None),
        ("empty", Some("")),
        ("no GUID", Some("no-guid")),
        ("cut short", Some("3aef3af6-8642")),
    ] {
        if let Some(reply) = findings.take(test(subject, guid).await) {
            findings.expect(reply.is_error(), &reply.shown_by, || {
                format!(
                    "WSTestConnection with a ConnectionGuid that is {what} succeeds, expected State=Error"
                )
            });
        }
    }
    Ok(())
}

pub(in crate::rules) async fn save_again(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    may_save(subject)?;
    let settings = to_use(subject);
    let save = Request::SaveConnection { connection_info: info(&settings) };
    subject.ok(save).await?;
    let reply = subject.ask(Request::TestConnection).await?;
    findings.expect(!reply.is_error(), &reply.shown_by, || {
        format!("after saving a connection again its test fails: {}", reply.explanation())
    });
    Ok(())
}

pub(in crate::rules) async fn delete(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    may_save(subject)?;
    let second = save_new(subject).await?;
    subject.ok_of(second, Request::TestConnection).await?;
    subject.ok_of(second, Request::DeleteConnection).await?;
    let reply = subject.call(second, Request::TestConnection).await?;
    expect_unknown(findings, &reply, Operation::TestConnection, "the GUID of a deleted connection");
    if reply.is_error() {
        subject.saved.borrow_mut().retain(|saved| *saved != second);
    }
    Ok(())
}

pub(in crate::rules) async fn independent(
    subject: &Subject<'_>,
    findings: &mut Findings,
) -> Result<(), Stop> {
    may_save(subject)?;
    subject.needs(&[506])?;
    let reply = subject.ask(Request::TestConnection).await?;
    findings.expect(!reply.is_error(), &reply.shown_by, || {
        format!("a connection no longer works after another one was deleted: {}", reply.explanation())
    });
    Ok(())
}

pub(in crate::rules) async fn back(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    may_save(subject)?;
    subject.needs(&[506])?;
    let guid = save_new(subject).await?;
    subject.ok_of(guid, Request::DeleteConnection).await?;
    let settings = to_use(subject);
    subject.ok_of(guid, Request::SaveConnection { connection_info: info(&settings) }).await?;
    let reply = subject.call(guid, Request::TestConnection).await?;
    findings.expect(!reply.is_error(), &reply.shown_by, || {
        format!("a deleted connection that was saved again does not work: {}", reply.explanation())
    });
    delete_saved(subject, guid).await;
    Ok(())
}
