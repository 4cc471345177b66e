//! Why a call ends without its operation having been done, and what its caller reads then.

use std::time::Duration;

use contract::{Call, Outcome, State};
use values::{Guid, error_code};

use super::connector::{Connector, Interrupted};
use erp_host_store::{OpenError, StoreError};

/// Why a call ends without its operation having been done.
#[derive(Debug, Clone)]
pub(super) enum Stop {
    /// Answered with this.
    Outcome(Outcome<'static>),
    /// Not answered: see [`super::Refused::Busy`].
    Busy,
}

/// The connection that a call names.
pub(super) fn connection_of(call: &Call<'_>) -> Result<Guid, Stop> {
    let text = call.connection_guid.as_deref().unwrap_or_default();
    if text.trim().is_empty() {
        return Err(Stop::Outcome(Outcome::error(
            "ConnectionGuid is missing from the request, expected one like 3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf",
        )));
    }
    text.parse().map_err(|error| Stop::Outcome(Outcome::error(format!("ConnectionGuid {error}"))))
}

/// A call for a connection of one connector came to the address of another one.
pub(super) fn other_connector(guid: Guid, own: &str, named: &str) -> Stop {
    Stop::Outcome(Outcome::error(format!(
        "the connection {guid} belongs to the connector '{own}', but the address names '{named}'; use the address with \
         ?ConnectorName={own}, or set up another connection"
    )))
}

/// What makes SuperOffice send the settings again (contract page, section 2).
pub(super) fn unknown_connection(guid: Guid) -> Stop {
    let why = format!("the connection {guid} is not known here; its settings must be saved first");
    Stop::Outcome(Outcome::error(why).with_error_code(error_code::UNKNOWN_CONNECTION_ID))
}

/// Why a connection is not open.
pub(super) fn not_opened(error: &OpenError<Stop>) -> Stop {
    let why = match error {
        OpenError::Connection(stop) => return stop.as_ref().clone(),
        OpenError::Store(error) => error.to_string(),
        OpenError::Ended => "opening it ended without a result".to_owned(),
    };
    tracing::error!("a connection is not opened: {why}");
    let outcome = Outcome::error("the connection could not be opened, see the host's log");
    Stop::Outcome(outcome.with_tech_explanation(why))
}

/// Why a connector gave no result.
pub(super) fn interrupted(why: Interrupted, connector: &Connector) -> Stop {
    match why {
        Interrupted::Full => Stop::Busy,
        Interrupted::Late(progress) => {
            Stop::Outcome(late(connector.name(), connector.deadline(), progress.as_deref()))
        }
        Interrupted::OutOfService(late) => Stop::Outcome(out_of_service(connector.name(), late)),
        Interrupted::Panicked => Stop::Outcome(panicked()),
    }
}

/// A call that its connector still works on.
pub(super) fn late(connector: &str, deadline: Duration, progress: Option<&str>) -> Outcome<'static> {
    let seconds = deadline.as_secs_f64();
    let goes_on = "the call may go on in the connector, and what it changes may still happen";
    let tech = match progress {
        Some(progress) => format!("{goes_on}; it said last: {progress}"),
        None => goes_on.to_owned(),
    };
    Outcome::error(format!("the connector '{connector}' did not answer within {seconds} seconds"))
        .with_tech_explanation(tech)
}

/// A connector that holds too many late calls.
fn out_of_service(connector: &str, late: usize) -> Outcome<'static> {
    let why = format!(
        "the connector '{connector}' is out of service, because its calls do not come back; try again later"
    );
    Outcome::error(why).with_tech_explanation(format!(
        "{late} calls have not ended by their deadlines; it serves again as soon as enough of them have"
    ))
}

fn panicked() -> Outcome<'static> {
    Outcome::error("the host failed to serve this call, see its log")
}

/// The error that a connector gave.
pub(super) fn owned(outcome: &plugin_api::Outcome) -> Outcome<'static> {
    let text = |text: &Option<String>| text.clone().map(Into::into);
    Outcome {
        state: State::Error,
        user_explanation: text(&outcome.user),
        tech_explanation: text(&outcome.tech),
        error_code: text(&outcome.code),
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        tracing::error!("the connection store failed: {error}");
        Stop::Outcome(
            Outcome::error("the host cannot use its store of connections, see its log; nothing was changed")
                .with_tech_explanation(error.to_string()),
        )
    }
}
