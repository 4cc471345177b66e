//! Calls that are not waited for longer than some time.

use std::time::Duration;

use crate::reply::Reply;
use crate::rule::Stop;

/// The limits of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CallLimits {
    /// The deadline that a connector in process is given. That of a service is its own.
    pub(crate) deadline: Option<Duration>,
    /// When a connector in process is called with a cancellation: at once if it is zero.
    pub(crate) cancelled_after: Option<Duration>,
    /// How long the end of the call is waited for.
    pub(crate) wait: Duration,
}

/// How a call ended.
#[derive(Debug, Clone)]
pub(crate) struct Ended {
    /// How long it took.
    pub(crate) took: Duration,
    /// What came; `None` if it was not waited for any longer.
    pub(crate) reply: Option<Result<Reply, Stop>>,
}

impl Ended {
    /// A call that has not ended by then.
    pub(crate) fn none(wait: Duration) -> Self {
        Ended { took: wait, reply: None }
    }
}
