//! What host and worker say to each other.
//!
//! On a socket for calls, one at a time: a request, any number of replies and log records, `DONE`. On the control socket:
//! from the host an empty message with each new socket for calls, from the worker log records of threads that serve no
//! call. The end of the control socket is the end of the worker.
//!
//! Host and worker are the same file, so that nothing here has to be compatible with anything.

use plugin_api::abi::{About, ApiVersion, Malformed, Message, MessageRef, Reader};

// Requests.

/// Opens the plugin file of this path: answered with `ABOUT`, or with `REFUSED`.
pub(super) const OPEN: u32 = 1;
/// Makes the connector, with what the host tells it: answered with its description and the outcome, or with `REFUSED`.
pub(super) const LOAD: u32 = 2;
/// An operation of the connector.
pub(super) const CONNECTOR_CALL: u32 = 3;
/// Opens a connection with these settings; `DONE` tells its number.
pub(super) const CONNECT: u32 = 4;
/// An operation of a connection.
pub(super) const CONNECTION_CALL: u32 = 5;
/// Closes a connection.
pub(super) const CLOSE: u32 = 6;
/// Nobody wants the answer of the call under way any more.
pub(super) const STOP: u32 = 7;

// Replies.

/// A reply of the connector's; its kind is the detail.
pub(super) const REPLY: u32 = 17;
/// A log record.
pub(super) const LOG: u32 = 18;
/// What the plugin says about itself.
pub(super) const ABOUT: u32 = 19;
/// Why the plugin is not opened or loaded: a text.
pub(super) const REFUSED: u32 = 20;
/// What the connector says that it does: a text.
pub(super) const PROGRESS: u32 = 22;
/// The end of a call; after `CONNECT` with the number of the connection, or 0.
pub(super) const DONE: u32 = 21;

/// [`super::frame::Head::time`] of a call that may take as long as it takes.
pub(super) const NO_LIMIT: u32 = u32::MAX;

/// A message without content.
pub(super) const NOTHING: MessageRef<'static> = MessageRef { text: "", marks: &[] };

pub(super) fn text(text: &str) -> Message {
    let mut message = Message::new();
    message.put_text(text);
    message
}

pub(super) fn put_about(about: &About) -> Message {
    let mut message = text(&about.connector);
    message.put_text(&about.version);
    for ApiVersion { major, minor, patch } in [about.api, about.needs] {
        [major, minor, patch].into_iter().for_each(|number| message.put_number(number));
    }
    message.put_text(&about.rustc);
    message.put_text(&about.target);
    message.put_number(u32::from(about.panic_aborts));
    message
}

pub(super) fn about(message: MessageRef<'_>) -> Result<About, Malformed> {
    let reader = &mut message.reader();
    let api = |reader: &mut Reader<'_>| {
        Ok(ApiVersion { major: reader.number()?, minor: reader.number()?, patch: reader.number()? })
    };
    Ok(About {
        connector: reader.text()?.to_owned(),
        version: reader.text()?.to_owned(),
        api: api(reader)?,
        needs: api(reader)?,
        rustc: reader.text()?.to_owned(),
        target: reader.text()?.to_owned(),
        panic_aborts: reader.number()? != 0,
    })
}

/// What the host tells the connector: its version, the data folder, and options.
pub(super) fn put_host(version: &str, data_folder: &str, options: &[(String, String)]) -> Message {
    let mut message = text(version);
    message.put_text(data_folder);
    for (name, value) in options {
        message.put_text(name);
        message.put_text(value);
    }
    message
}

pub(super) fn host(message: MessageRef<'_>) -> Result<plugin_api::Host, Malformed> {
    let reader = &mut message.reader();
    let (version, data_folder) = (reader.text()?.to_owned(), reader.text()?.to_owned());
    let mut options = Vec::new();
    while !reader.is_empty() {
        options.push((reader.text()?.to_owned(), reader.text()?.to_owned()));
    }
    Ok(plugin_api::abi::client::host(version, data_folder, options))
}
