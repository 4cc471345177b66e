//! How many files the process may have open: every connection is one.

use crate::server::Limits;
use erp_host_spool::MAX_FILES;

/// What else is open: plugin files, the store, sockets of connectors.
const OTHERS: u64 = 512;
/// Bodies and replies in the spool folder.
const SPOOL_FILES: u64 = 2 * MAX_FILES as u64;

/// Raises the limit as far as the system lets this process (usually 1024 at first, and far more on demand), and warns
/// when that is too few for the connections that are configured.
#[cfg(unix)]
pub(super) fn allow(limits: &Limits) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let wanted = u64::from(limits.connections.get()) + SPOOL_FILES + OTHERS;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // No limit is enough.
    let Some(current) = current.filter(|&current| current < wanted) else { return };
    let most = maximum.map_or(wanted, |maximum| wanted.min(maximum));
    let raised =
        most > current && setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum }).is_ok();
    let files = if raised { most } else { current };
    if files < wanted {
        tracing::warn!(
            files,
            wanted,
            "the process may have too few files open for limits.connections and the spool folder; raise its limit (LimitNOFILE, ulimit -n)"
        );
    }
}

/// There is no such limit.
#[cfg(windows)]
pub(super) fn allow(_: &Limits) {}
