//! The rule of opening a connection, and opening more of them.

use std::hash::{BuildHasher, RandomState};

use contract::{Guid, Request};

use super::settings::{info, to_use};
use crate::rule::{Findings, Stop};
use crate::subject::Subject;

/// A random GUID.
pub(super) fn new_guid() -> Guid {
    // The standard library seeds each state with random numbers of the system.
    let half = || u128::from(RandomState::new().hash_one(()));
    Guid::from_u128((half() << 64) | half())
}

/// Saves the settings under a new GUID, which opens a connection.
pub(super) async fn save_new(subject: &Subject<'_>) -> Result<Guid, Stop> {
    let (guid, settings) = (new_guid(), to_use(subject));
    subject.saved.borrow_mut().push(guid);
    subject.ok_of(guid, Request::SaveConnection { connection_info: info(&settings) }).await?;
    Ok(guid)
}

/// Whether another connection may be saved.
pub(super) fn may_save(subject: &Subject<'_>) -> Result<(), Stop> {
    if subject.existing.is_some() {
        return Err(Stop::skip("an existing connection is used: --connection"));
    }
    settings_may_work(subject)?;
    subject.needs(&[502])
}

/// Settings whose test failed are not tried again.
fn settings_may_work(subject: &Subject<'_>) -> Result<(), Stop> {
    if subject.settings_fail() {
        return Err(Stop::after(405));
    }
    subject.needs(&[401])
}

pub(super) async fn save(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    let guid = match subject.existing {
        Some(guid) => guid,
        None => {
            settings_may_work(subject)?;
            save_new(subject).await?
        }
    };
    let reply = subject.call(guid, Request::TestConnection).await?;
    findings.expect(!reply.is_error(), &reply.shown_by, || {
        format!("WSTestConnection of a connection that was saved fails: {}", reply.explanation())
    });
    if !reply.is_error() {
        let _ = subject.connection.set(guid);
    }
    Ok(())
}

/// Deletes a connection that was saved here. True: it is gone.
pub(crate) async fn delete_saved(subject: &Subject<'_>, guid: Guid) -> bool {
    let reply = subject.call(guid, Request::DeleteConnection).await;
    let is_gone = reply.is_ok_and(|reply| !reply.is_error() || reply.is_unknown_connection());
    if is_gone {
        subject.saved.borrow_mut().retain(|saved| *saved != guid);
    }
    is_gone
}
