//! The protocol between host and worker: the frame types, and the messages that only these two exchange.
//!
//! On a call socket, one call at a time: a request, any number of replies and log records, then `DONE`. In between the worker may
//! ask for services of the host, one after the other: each `SERVICE` has an `ANSWER`. When the host ends its
//! side of the socket, the call is cancelled, and it is the last one. On the control
//! socket: from the host one byte with each new call socket, from the worker the log records and measurements of threads that are in no call.
//! The worker ends when the control socket is closed.
//!
//! Host and worker are the same program file, so the protocol needs no compatibility between versions.

use plugin_api::abi::{About, ApiVersion, Malformed, Message, MessageRef, Reader};

// Requests.

/// Opens the plugin file of this path. The reply is `ABOUT` or `REFUSED`.
pub(super) const OPEN: u32 = 1;
/// Makes the connector, with the host's version, data folder and options, and whether the host records measurements. The reply is the description, or `REFUSED`.
pub(super) const LOAD: u32 = 2;
/// An operation of the connector.
pub(super) const CONNECTOR_CALL: u32 = 3;
/// Opens a connection with these settings; the header of `DONE` has its number.
pub(super) const CONNECT: u32 = 4;
/// An operation of a connection.
pub(super) const CONNECTION_CALL: u32 = 5;
/// Closes a connection.
pub(super) const CLOSE: u32 = 6;

// Replies.

/// A reply of the connector; the header's detail is its kind.
pub(super) const REPLY: u32 = 17;
/// A log record.
pub(super) const LOG: u32 = 18;
/// The plugin's handshake.
pub(super) const ABOUT: u32 = 19;
/// Why the plugin is not opened or its connector not made: a text.
pub(super) const REFUSED: u32 = 20;
/// The end of a call. After `CONNECT` the header has the number of the connection, or 0.
pub(super) const DONE: u32 = 21;
/// The connector's progress text.
pub(super) const PROGRESS: u32 = 22;

/// Asks for a service of the host; the header's detail is its number.
pub(super) const SERVICE: u32 = 23;
/// The answer of the host to `SERVICE`.
pub(super) const ANSWER: u32 = 24;
/// A measurement.
pub(super) const MEASUREMENT: u32 = 25;

/// The time left of a call without a deadline.
pub(super) const NO_LIMIT: u32 = u32::MAX;

pub(super) const EMPTY: MessageRef<'static> = MessageRef { text: "", marks: &[] };

pub(super) fn text(text: &str) -> Message {
    let mut message = Message::new();
    message.put_text(text);
    message
}

/// The handshake, and what the system cannot restrict or allow.
pub(super) fn put_about(about: &About, notes: &[String]) -> Message {
    let mut message = text(&about.connector);
    message.put_text(&about.version);
    for ApiVersion { major, minor, patch } in [about.api, about.needs] {
        [major, minor, patch].into_iter().for_each(|number| message.put_number(number));
    }
    message.put_text(&about.rustc);
    message.put_text(&about.target);
    message.put_number(u32::from(about.panic_aborts));
    for note in notes {
        message.put_text(note);
    }
    message
}

pub(super) fn about(message: MessageRef<'_>) -> Result<(About, Vec<String>), Malformed> {
    let reader = &mut message.reader();
    let api = |reader: &mut Reader<'_>| {
        Ok(ApiVersion { major: reader.number()?, minor: reader.number()?, patch: reader.number()? })
    };
    let about = About {
        connector: reader.text()?.to_owned(),
        version: reader.text()?.to_owned(),
        api: api(reader)?,
        needs: api(reader)?,
        rustc: reader.text()?.to_owned(),
        target: reader.text()?.to_owned(),
        panic_aborts: reader.number()? != 0,
    };
    let mut notes = Vec::new();
    while !reader.is_empty() {
        notes.push(reader.text()?.to_owned());
    }
    Ok((about, notes))
}

/// What `Connector::new` gets: the host's version, the data folder and the options; and whether measurements are recorded.
pub(super) fn put_host(
    version: &str,
    data_folder: &str,
    options: &[(String, String)],
    is_recording: bool,
) -> Message {
    let mut message = text(version);
    message.put_text(data_folder);
    message.put_number(u32::from(is_recording));
    for (name, value) in options {
        message.put_text(name);
        message.put_text(value);
    }
    message
}

pub(super) fn host(message: MessageRef<'_>) -> Result<(plugin_api::Host, bool), Malformed> {
    let reader = &mut message.reader();
    let (version, data_folder) = (reader.text()?.to_owned(), reader.text()?.to_owned());
    let is_recording = reader.number()? != 0;
    let mut options = Vec::new();
    while !reader.is_empty() {
        options.push((reader.text()?.to_owned(), reader.text()?.to_owned()));
    }
    Ok((plugin_api::abi::client::host(version, data_folder, options), is_recording))
}
