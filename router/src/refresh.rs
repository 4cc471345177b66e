//! Refreshes of open connections, in the background: each is a call of its connector, and gives way to all others.

use std::sync::Arc;

use plugin_api::{ErrorKind, Outcome};
use tokio::time::Instant;

use super::connector::{CallError, LiveConnection};
use super::early_outcome::NotOpened;
use super::share::Share;
use erp_host_runtime::LogContext;
use erp_host_store::{Connections, DueRefresh, OpenConnection};

/// The operation in the log.
const REFRESH: &str = "refresh";

/// Refreshes a connection. A host refreshes each connection that it has open, whatever other hosts do.
pub(super) async fn refresh(
    connections: Connections<LiveConnection, NotOpened>,
    due: DueRefresh<LiveConnection>,
) {
    let open = Arc::clone(due.connection());
    let connector = Arc::clone(&open.connection().connector);
    let guid = open.guid();
    let log_context = LogContext {
        operation: REFRESH,
        connector: Some(Arc::clone(connector.name())),
        connection: Some(guid),
    };
    let begun = Instant::now();
    // Due until the call has really ended, also after its deadline.
    let work = move || due.connection().connection().client().refresh();
    match connector.call_in_background(Share::Connection(guid), log_context, work).await {
        Ok(outcome) => end(&connections, &open, &outcome, begun),
        Err(CallError::QueueFull(_) | CallError::NoThread(_) | CallError::OutOfService(_)) => {
            open.postpone_refresh();
        }
        Err(CallError::DeadlineExceeded(progress)) => {
            let seconds = connector.deadline().as_secs_f64();
            let (connector, progress) = (&**connector.name(), progress.as_deref());
            tracing::warn!(
                connection = %guid,
                connector,
                operation = REFRESH,
                progress,
                "a refresh has not ended within {seconds} seconds"
            );
        }
        // It is in the log.
        Err(CallError::Panicked | CallError::CallerLeft) => {}
    }
}

/// Logs how a refresh ended, and does what the kind of its failure asks for. Of failures in a row only the first is a warning.
fn end(
    connections: &Connections<LiveConnection, NotOpened>,
    open: &Arc<OpenConnection<LiveConnection>>,
    outcome: &Outcome,
    begun: Instant,
) {
    let (connection, connector) = (open.guid(), &**open.connection().connector.name());
    let has_failed = !outcome.state.is_ok();
    let had_failed = open.connection().set_refresh_failed(has_failed);
    let (kind, code) = (outcome.kind.as_str(), outcome.code.as_deref());
    let (user, tech) = (outcome.user.as_deref(), outcome.tech.as_deref());
    let ms = begun.elapsed().as_millis();
    match (had_failed, has_failed) {
        (false, true) => {
            tracing::warn!(%connection, connector, operation = REFRESH, kind, code, user, tech, ms, "a refresh has failed");
        }
        (true, true) => {
            tracing::debug!(%connection, connector, operation = REFRESH, kind, code, user, tech, ms, "a refresh has failed again");
        }
        (true, false) => {
            tracing::info!(%connection, connector, operation = REFRESH, ms, "the connection is refreshed again");
        }
        (false, false) => tracing::debug!(%connection, connector, operation = REFRESH, ms, "refreshed"),
    }
    match outcome.kind {
        ErrorKind::Reopen if has_failed => {
            tracing::info!(%connection, connector, "closed: it has to be opened again");
            connections.close(open);
        }
        ErrorKind::Settings if has_failed => connections.fail(open, NotOpened::connector_error(outcome)),
        _ => {}
    }
}
