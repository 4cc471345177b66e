//! Rules of connections: saving them, knowing them by their GUID, forgetting them.

use contract::{Guid, Operation, Request};

use super::rule::{Findings, Stop};
use super::settings::{info, to_use};
use super::subject::{NOBODY, Reply, Subject, text, texts};

/// A GUID that nobody has.
pub(super) fn new_guid() -> Guid {
    let mut bits = [0; 16];
    // A host whose system has no random numbers has other troubles; the GUID is unlikely to be taken all the same.
    if getrandom::fill(&mut bits).is_err() {
        bits = std::process::id().to_be_bytes().repeat(4).try_into().unwrap_or([7; 16]);
    }
    Guid::from_u128(u128::from_be_bytes(bits))
}

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
    findings.expect(reply.is_unknown_connection(), &reply.traffic, || {
        format!(
            "{operation} with {which}: State {} and ErrorCode {:?}, expected Error and UNKNOWN_CONNECTION_ID",
            reply.outcome.state,
            reply.outcome.error_code.as_deref().unwrap_or_default()
        )
    });
}

pub(super) async fn unknown(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    let guid = new_guid().to_string();
    let writes = [Operation::CreateActor, Operation::SaveActors];
    for request in for_a_connection() {
        let operation = request.operation();
        // A service that takes every GUID would write.
        if subject.read_only && writes.contains(&operation) {
            continue;
        }
        if let Some(reply) = findings.take(subject.call(Some(&guid), request).await) {
            expect_unknown(findings, &reply, operation, "a GUID that is not stored");
        }
    }
    Ok(())
}

/// Saves the settings under a new GUID.
async fn save_new(subject: &Subject) -> Result<(Guid, Reply), Stop> {
    let (guid, settings) = (new_guid(), to_use(subject));
    subject.saved.borrow_mut().push(guid);
    let request = Request::SaveConnection { connection_info: info(&settings) };
    let reply = subject.call(Some(&guid.to_string()), request).await?.well(Operation::SaveConnection)?;
    Ok((guid, reply))
}

fn may_save(subject: &Subject) -> Result<(), Stop> {
    if subject.existing.is_some() {
        return Err(Stop::skip("an existing connection is used: --connection"));
    }
    settings_may_work(subject)?;
    subject.needs(&[502])
}

/// A service that cannot even test settings may save them all the same.
fn settings_may_work(subject: &Subject) -> Result<(), Stop> {
    if subject.settings_refused.get() {
        return Err(Stop::after(405));
    }
    subject.needs(&[401])
}

pub(super) async fn save(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    let guid = match subject.existing {
        Some(guid) => guid,
        None => {
            settings_may_work(subject)?;
            save_new(subject).await?.0
        }
    };
    let reply = subject.call(Some(&guid.to_string()), Request::TestConnection).await?;
    findings.expect(!reply.is_error(), &reply.traffic, || {
        format!("WSTestConnection of a connection that was saved fails: {}", reply.said())
    });
    if !reply.is_error() {
        let _ = subject.connection.set(guid);
    }
    Ok(())
}

pub(super) async fn forms(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
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
        let reply = subject.call(Some(&form), Request::TestConnection).await?;
        findings.expect(!reply.is_error(), &reply.traffic, || {
            format!("the connection is not known as {form}: {}", reply.said())
        });
    }
    Ok(())
}

pub(super) async fn no_guid(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    for (what, guid) in [
        ("null", None),
        ("empty", Some("")),
        ("no GUID", Some("no-guid")),
        ("cut short", Some("3aef3af6-8642")),
    ] {
        if let Some(reply) = findings.take(subject.call(guid, Request::TestConnection).await) {
            findings.expect(reply.is_error(), &reply.traffic, || {
                format!(
                    "WSTestConnection with a ConnectionGuid that is {what} goes well, expected State=Error"
                )
            });
        }
    }
    Ok(())
}

pub(super) async fn save_again(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    may_save(subject)?;
    let settings = to_use(subject);
    let save = Request::SaveConnection { connection_info: info(&settings) };
    subject.ok(save).await?;
    let reply = subject.ask(Request::TestConnection).await?;
    findings.expect(!reply.is_error(), &reply.traffic, || {
        format!("after saving a connection again its test fails: {}", reply.said())
    });
    Ok(())
}

pub(super) async fn delete(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    may_save(subject)?;
    let (second, _) = save_new(subject).await?;
    let guid = second.to_string();
    subject.call(Some(&guid), Request::TestConnection).await?.well(Operation::TestConnection)?;
    subject.call(Some(&guid), Request::DeleteConnection).await?.well(Operation::DeleteConnection)?;
    let reply = subject.call(Some(&guid), Request::TestConnection).await?;
    expect_unknown(findings, &reply, Operation::TestConnection, "the GUID of a deleted connection");
    if reply.is_error() {
        subject.saved.borrow_mut().retain(|saved| *saved != second);
    }
    Ok(())
}

pub(super) async fn independent(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    may_save(subject)?;
    subject.needs(&[506])?;
    let reply = subject.ask(Request::TestConnection).await?;
    findings.expect(!reply.is_error(), &reply.traffic, || {
        format!("a connection no longer works after another one was deleted: {}", reply.said())
    });
    Ok(())
}

pub(super) async fn back(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    may_save(subject)?;
    subject.needs(&[506])?;
    let (guid, _) = save_new(subject).await?;
    let text = guid.to_string();
    subject.call(Some(&text), Request::DeleteConnection).await?.well(Operation::DeleteConnection)?;
    let settings = to_use(subject);
    let save = Request::SaveConnection { connection_info: info(&settings) };
    subject.call(Some(&text), save).await?.well(Operation::SaveConnection)?;
    let reply = subject.call(Some(&text), Request::TestConnection).await?;
    findings.expect(!reply.is_error(), &reply.traffic, || {
        format!("a deleted connection that was saved again does not work: {}", reply.said())
    });
    delete_saved(subject, guid).await;
    Ok(())
}

/// Deletes a connection that we have made, as well as it goes.
pub(super) async fn delete_saved(subject: &Subject, guid: Guid) -> bool {
    let reply = subject.call(Some(&guid.to_string()), Request::DeleteConnection).await;
    let is_gone = reply.is_ok_and(|reply| !reply.is_error() || reply.is_unknown_connection());
    if is_gone {
        subject.saved.borrow_mut().retain(|saved| *saved != guid);
    }
    is_gone
}
