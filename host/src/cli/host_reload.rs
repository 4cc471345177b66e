//! Makes the running host reload its plugins folder, and waits for its report.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::control::{self, ReloadReport, ReloadRequest};

/// How long a running host may take to accept a request; usually a second.
const ACCEPT_TIMEOUT: Duration = Duration::from_secs(15);

/// How long the reload may take. The host goes on with it after that.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(120);

/// Time between two looks for the report.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Whether a host runs on this data folder.
///
/// # Errors
/// Its lock cannot be read, with what to do.
pub(crate) fn is_host_running(data: &Path) -> Result<bool, String> {
    control::is_host_running(data).map_err(|error| {
        let data = data.display();
        format!(
            "cannot see whether a host runs on the data folder {data}: {error}; run this as the host's user"
        )
    })
}

/// Makes the host that runs on this data folder reload.
///
/// # Errors
/// It cannot be asked, or does not answer, with what to do.
pub(crate) fn reload_host(data: &Path) -> Result<ReloadReport, String> {
    let shown = data.display();
    let request = ReloadRequest::send(data).map_err(|error| {
        format!("cannot write to the data folder {shown}: {error}; run this as the host's user")
    })?;
    let started = Instant::now();
    loop {
        if let Some(report) =
            request.report().map_err(|error| format!("the host's answer cannot be read: {error}"))?
        {
            return Ok(report);
        }
        let waited = started.elapsed();
        if waited > ACCEPT_TIMEOUT && !request.is_taken() {
            let why = "it may still be busy with a plugin file from before, or be stopping";
            return Err(format!("the host on the data folder {shown} does not answer: {why}; see its log"));
        }
        if waited > RELOAD_TIMEOUT {
            let why = "it goes on; a connector may hang as it is made";
            return Err(format!(
                "the host was not done within {} seconds: {why}; see its log",
                RELOAD_TIMEOUT.as_secs()
            ));
        }
        sleep(POLL_INTERVAL);
    }
}
