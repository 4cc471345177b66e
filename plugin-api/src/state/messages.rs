//! Requests and answers about state, as they cross the boundary.

use super::entry::{StateCondition, StateEntry, StateVersion, StateWritten};
use super::store::{StateAccess, StateStore};
use crate::caller::Caller;
use crate::encoding::{Malformed, Message, MessageRef, Reader};
use crate::service::{self, Service};
use crate::{Error, Result};

const ANYTHING: u32 = 0;
const ABSENT: u32 = 1;
const VERSION: u32 = 2;

const SET: u32 = 0;
const DELETED: u32 = 1;
const CHANGED: u32 = 2;

/// Serves a request about the state of a connection; `None` when the call belongs to no stored connection.
pub(crate) fn serve(
    state: Option<(&dyn StateStore, StateAccess)>,
    service: Service,
    request: MessageRef<'_>,
) -> Message {
    let serve = || -> Result<Message> {
        let (state, access) = state.ok_or_else(no_state)?;
        let reader = &mut request.reader();
        Ok(match service {
            Service::STATE_GET => {
                let entry = state.get(access, reader.text()?)?;
                service::answer(|message| put_entry(message, entry.as_ref()))
            }
            Service::STATE_SET => {
                let (key, value, condition) = (reader.text()?, reader.optional()?, condition(reader)?);
                let written = state.set(access, key, value, condition)?;
                service::answer(|message| put_written(message, written))
            }
            Service::STATE_KEYS => {
                let keys = state.keys(access, reader.text()?)?;
                service::answer(|message| {
                    message.put_count(keys.len());
                    keys.iter().for_each(|key| message.put_text(key));
                })
            }
            other => other.unknown(),
        })
    };
    serve().unwrap_or_else(|error| service::failure(&error))
}

fn no_state() -> Error {
    Error::user("the connector has no state here").tech("the call does not belong to a stored connection")
}

/// Asks the host for an entry.
pub(super) fn get(caller: &dyn Caller, key: &str) -> Result<Option<StateEntry>> {
    let mut request = Message::new();
    request.put_text(key);
    let mut answer = caller.ask(Service::STATE_GET, request.as_ref());
    let entry = service::read(answer.as_ref()).and_then(|mut reader| Ok(entry(&mut reader)?));
    answer.wipe();
    entry
}

/// Asks the host to write or delete an entry.
pub(super) fn set(
    caller: &dyn Caller,
    key: &str,
    value: Option<&str>,
    condition: StateCondition,
) -> Result<StateWritten> {
    let mut request = Message::new();
    request.reserve_text(key.len() + value.map_or(0, str::len) + VERSION_DIGITS);
    request.put_text(key);
    request.put_optional(value);
    put_condition(&mut request, condition);
    let answer = caller.ask(Service::STATE_SET, request.as_ref());
    request.wipe();
    Ok(written(&mut service::read(answer.as_ref())?)?)
}

/// Asks the host for keys.
pub(super) fn keys(caller: &dyn Caller, prefix: &str) -> Result<Vec<String>> {
    let mut request = Message::new();
    request.put_text(prefix);
    let answer = caller.ask(Service::STATE_KEYS, request.as_ref());
    let mut reader = service::read(answer.as_ref())?;
    let count = reader.count()?;
    (0..count).map(|_| Ok(reader.text()?.to_owned())).collect()
}

/// Digits of a version at most.
const VERSION_DIGITS: usize = 20;

fn put_entry(message: &mut Message, entry: Option<&StateEntry>) {
    message.put_optional(entry.map(StateEntry::value));
    if let Some(entry) = entry {
        put_version(message, entry.version());
    }
}

fn entry(reader: &mut Reader<'_>) -> Result<Option<StateEntry>, Malformed> {
    let Some(value) = reader.optional()? else { return Ok(None) };
    Ok(Some(StateEntry::new(value, version(reader)?)))
}

fn put_condition(message: &mut Message, condition: StateCondition) {
    match condition {
        StateCondition::Anything => message.put_number(ANYTHING),
        StateCondition::Absent => message.put_number(ABSENT),
        StateCondition::Version(version) => {
            message.put_number(VERSION);
            put_version(message, version);
        }
    }
}

fn condition(reader: &mut Reader<'_>) -> Result<StateCondition, Malformed> {
    Ok(match reader.number()? {
        ANYTHING => StateCondition::Anything,
        ABSENT => StateCondition::Absent,
        VERSION => StateCondition::Version(version(reader)?),
        _ => return Err(Malformed),
    })
}

fn put_written(message: &mut Message, written: StateWritten) {
    match written {
        StateWritten::Set(version) => {
            message.put_number(SET);
            put_version(message, version);
        }
        StateWritten::Deleted => message.put_number(DELETED),
        StateWritten::Changed => message.put_number(CHANGED),
    }
}

fn written(reader: &mut Reader<'_>) -> Result<StateWritten, Malformed> {
    Ok(match reader.number()? {
        SET => StateWritten::Set(version(reader)?),
        DELETED => StateWritten::Deleted,
        CHANGED => StateWritten::Changed,
        _ => return Err(Malformed),
    })
}

fn put_version(message: &mut Message, version: StateVersion) {
    message.put_display(version.number());
}

fn version(reader: &mut Reader<'_>) -> Result<StateVersion, Malformed> {
    reader.text()?.parse().map(StateVersion::new).map_err(|_| Malformed)
}
