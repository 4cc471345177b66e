//! The context of a call: what a connector can ask about the call that it works on, and what it reports.

use std::fmt::{self, Display};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use crate::caller::Caller;
use crate::cancellation::CancelCallbacks;
use crate::connection_folder::ConnectionFolder;
use crate::{
    ConnectionRevision, ConnectionState, Error, ErrorKind, Host, MemoryState, Metrics, Outcome, Result, State,
};

/// The connector's own sentence has to reach the caller before the host gives the call up: so much of the time left is not
/// given to timeouts, within these bounds.
const RESERVE_PART: u32 = 10;
const LEAST_RESERVE: Duration = Duration::from_millis(50);
const MOST_RESERVE: Duration = Duration::from_secs(2);

/// A timeout is never zero: many libraries take that for none.
const LEAST_TIMEOUT: Duration = Duration::from_millis(1);

/// The context of a call: passed to every method of a connector and a connection.
///
/// The host answers its caller with an error when a call takes too long, and a caller may go away; the host cannot stop
/// the connector then. The context shows whether the call was cancelled, and gives the timeout for what blocks:
///
/// ```
/// use std::time::Duration;
/// use plugin_api::{Context, Result, Rows};
/// # struct Page { last: bool }
/// # fn read_page(number: u32, timeout: Duration) -> Result<Page> { Ok(Page { last: number == 3 }) }
///
/// fn actors(cx: &Context, rows: &mut Rows<'_>) -> Result<()> {
///     for number in 1.. {
///         cx.check()?; // Ends here when the call was cancelled.
///         cx.progress(format_args!("reading page {number}")); // In the host's log, if the call is too late.
///         let page = read_page(number, cx.timeout(Duration::from_secs(30)))?;
///         # rows.row(number).end()?;
///         if page.last {
///             break;
///         }
///     }
///     Ok(())
/// }
/// ```
///
/// In a call that only reads, [`Row::end`](crate::Row::end) and [`Rows::push`](crate::Rows::push) fail when it was
/// cancelled. A call that changes something goes on until it checks, so that the author decides where it may end.
///
/// Cheap to clone; another thread that works on the call gets a clone. [`Context::default`] is that of a test: never
/// cancelled, without a deadline.
#[derive(Clone, Default)]
pub struct Context(Arc<Inner>);

#[derive(Default)]
struct Inner {
    caller: Option<Arc<dyn Caller>>,
    connection: Option<ConnectionRevision>,
    folder: Option<ConnectionFolder>,
    /// What was reported about a call that works.
    reported: Mutex<Outcome>,
    /// The callbacks for the cancellation, which end with the call.
    callbacks: Arc<CancelCallbacks>,
    /// The state of the connection, if it is in memory.
    memory: OnceLock<MemoryState>,
}

impl Context {
    pub(crate) fn new(
        caller: Option<Arc<dyn Caller>>,
        connection: Option<ConnectionRevision>,
        folder: Option<ConnectionFolder>,
    ) -> Self {
        Context(Arc::new(Inner { caller, connection, folder, ..Inner::default() }))
    }

    /// The context of a test, for a stored connection of a connector that runs in this host: it has a [`folder`](Context::folder).
    ///
    /// ```
    /// use plugin_api::{ConnectionRevision, Context, Host};
    ///
    /// # let scratch = std::env::temp_dir().join(format!("of-connection-{}", std::process::id()));
    /// let connection = ConnectionRevision { guid: "3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf".to_owned(), revision: 1 };
    /// let cx = Context::of_connection(&Host::for_test(&scratch), connection);
    /// std::fs::write(cx.folder()?.join("session"), "token")?;
    /// # std::fs::remove_dir_all(scratch)?;
    /// # Ok::<(), plugin_api::Error>(())
    /// ```
    pub fn of_connection(host: &Host, connection: ConnectionRevision) -> Self {
        let folder = ConnectionFolder::of(host.data_folder(), &connection.guid);
        Context::new(None, Some(connection), folder)
    }

    /// The context of a call of this caller.
    pub(crate) fn of_caller(caller: Arc<dyn Caller>) -> Self {
        Context::new(Some(caller), None, None)
    }

    /// The stored connection that is called. `None` while settings are only tried out.
    pub fn connection(&self) -> Option<&ConnectionRevision> {
        self.0.connection.as_ref()
    }

    /// A folder for files of the stored connection that is called: `connections/<guid>` in the connector's
    /// [data folder](crate::Host::data_folder). It is made when it is asked for, only for the user that the connector runs as,
    /// and removed when the connection was deleted. It is for what can be lost, such as a cache: a backup does not have it,
    /// and several hosts with the same connection have one each.
    ///
    /// # Errors
    /// Settings are only tried out, or the folder cannot be made.
    pub fn folder(&self) -> Result<&Path> {
        let folder = self.0.folder.as_ref().ok_or_else(|| {
            Error::user("settings that are tried out have no folder")
                .tech("only a stored connection has one: see Context::connection")
        })?;
        folder
            .make()
            .map_err(|error| Error::user("the folder of the connection cannot be made").caused_by(error))
    }

    /// The context, and all its clones, with this state: for tests, which pass it to the calls of a connection before they use it.
    ///
    /// ```
    /// use plugin_api::{Context, MemoryState};
    ///
    /// let state = MemoryState::default();
    /// let (first, second) = (Context::default().with_state(&state), Context::default().with_state(&state));
    /// first.state().put("token", "abc")?;
    /// assert_eq!(second.state().get("token")?.unwrap().value(), "abc");
    /// # Ok::<(), plugin_api::Error>(())
    /// ```
    #[must_use]
    pub fn with_state(self, state: &MemoryState) -> Self {
        // Fails for a context whose state was used already, which keeps that one.
        let _ = self.0.memory.set(state.clone());
        self
    }

    /// The state of the connection: what the connector keeps between calls, such as a token. Can be used until the call ends,
    /// also after it was cancelled.
    pub fn state(&self) -> ConnectionState {
        match (self.0.memory.get(), &self.0.caller, &self.0.connection) {
            (Some(memory), ..) => memory.clone().into(),
            (None, Some(caller), Some(_)) => ConnectionState::of_host(Arc::clone(caller)),
            // Settings that are only tried out, or a test.
            (None, ..) => self.0.memory.get_or_init(MemoryState::default).clone().into(),
        }
    }

    /// Metrics of the connector.
    pub fn metrics(&self) -> Metrics {
        Metrics::new()
    }

    /// Whether the call was cancelled: the caller has gone, or has got the answer that it took too long.
    pub fn is_cancelled(&self) -> bool {
        self.0.caller.as_ref().is_some_and(|caller| caller.is_cancelled())
    }

    /// Fails when the call was cancelled.
    ///
    /// # Errors
    /// The call was cancelled: return the error as it is.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() {
            return Err(Error::new(ErrorKind::Cancelled, "the call was given up")
                .tech("nobody waits for its answer any more"));
        }
        Ok(())
    }

    /// Runs a callback when the call is cancelled, at once if it is already: to close a socket, or to cancel a query in the
    /// ERP system. It runs on another thread, after those that were added before it, and has to be quick: the call does not end
    /// meanwhile. It is dropped when the call ends without a cancellation.
    pub fn on_cancel(&self, callback: impl FnOnce() + Send + 'static) {
        let Some(caller) = &self.0.caller else { return };
        self.0.callbacks.add(caller.as_ref(), Box::new(callback));
    }

    /// Drops the callbacks for the cancellation, because the call has ended: a socket that they close may serve another one.
    /// Waits for one that runs.
    pub(crate) fn drop_callbacks(&self) {
        self.0.callbacks.drop_all();
    }

    /// The time until the deadline; zero when it has passed or the call was cancelled. `None` when there is no deadline.
    pub fn time_left(&self) -> Option<Duration> {
        self.0.caller.as_ref().and_then(|caller| caller.time_left())
    }

    /// The timeout for something that blocks, such as a request over the network: the time left less a reserve, and no more
    /// than `most`. So the connector's own error reaches the caller, and not that of the host. Never zero.
    pub fn timeout(&self, most: Duration) -> Duration {
        let left = self.time_left().map_or(most, |left| {
            left.saturating_sub((left / RESERVE_PART).clamp(LEAST_RESERVE, MOST_RESERVE))
        });
        left.min(most).max(LEAST_TIMEOUT)
    }

    /// Reports what is being done, in a few words. The last ones go into the host's log and to its caller when the call takes
    /// too long: so no secrets.
    pub fn progress(&self, doing: impl Display) {
        if let Some(caller) = &self.0.caller {
            caller.progress(&doing.to_string());
        }
    }

    /// Reads page after page, from 1, until there is none. Before each page it checks whether the call was cancelled, and
    /// reports the page as progress.
    ///
    /// ```
    /// use plugin_api::{Context, Result};
    ///
    /// fn read(page: u32) -> Result<Option<Vec<u32>>> {
    ///     Ok((page <= 3).then(|| vec![page; 2]))
    /// }
    ///
    /// let mut all = Vec::new();
    /// for page in Context::default().pages("customers", read) {
    ///     all.extend(page?);
    /// }
    /// assert_eq!(all, [1, 1, 2, 2, 3, 3]);
    /// # Ok::<(), plugin_api::Error>(())
    /// ```
    pub fn pages<P>(
        &self,
        of: impl Display,
        mut read: impl FnMut(u32) -> Result<Option<P>>,
    ) -> impl Iterator<Item = Result<P>> {
        let mut next = Some(1);
        std::iter::from_fn(move || {
            let page = next?;
            self.progress(format_args!("reading page {page} of {of}"));
            let read = self.check().and_then(|()| read(page)).transpose();
            next = match &read {
                Some(Ok(_)) => page.checked_add(1),
                _ => None,
            };
            read
        })
    }

    /// Tells the user something about a call that works. The reply has the state OkWithInfo.
    pub fn info(&self, user: impl Into<String>) {
        self.report(Outcome::info(user));
    }

    /// Tells the user what to look into, although the call works. The reply has the state Warning.
    pub fn warn(&self, user: impl Into<String>) {
        self.report(Outcome::warning(user));
    }

    /// Reports on a call that works, also with a text for technicians or a code. Several reports are joined: a line for
    /// each text, the gravest state, the last code.
    pub fn report(&self, report: Outcome) {
        let mut reported = self.reported();
        let gravity = |state: State| match state {
            State::Ok => 0,
            State::OkWithInfo => 1,
            _ => 2,
        };
        if gravity(report.state) > gravity(reported.state) {
            // An error is returned as one; reported, it is a warning.
            reported.state = if report.state.is_ok() { report.state } else { State::Warning };
        }
        append(&mut reported.user, report.user);
        append(&mut reported.tech, report.tech);
        reported.code = report.code.or(reported.code.take());
    }

    /// The outcome of a call that works, with what was reported. For hosts and tests.
    pub fn outcome(&self) -> Outcome {
        self.reported().clone()
    }

    fn reported(&self) -> MutexGuard<'_, Outcome> {
        self.0.reported.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds a line to a text.
fn append(text: &mut Option<String>, line: Option<String>) {
    match (text, line) {
        (_, None) => {}
        (Some(text), Some(line)) => {
            text.push('\n');
            text.push_str(&line);
        }
        (text, line) => *text = line,
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("connection", &self.connection())
            .field("is_cancelled", &self.is_cancelled())
            .field("time_left", &self.time_left())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::{Message, MessageRef};
    use crate::service::Service;

    struct Left(Duration);

    impl Caller for Left {
        fn is_cancelled(&self) -> bool {
            self.0.is_zero()
        }

        fn time_left(&self) -> Option<Duration> {
            Some(self.0)
        }

        fn progress(&self, _: &str) {}

        fn on_cancel(&self, _: Box<dyn FnOnce() + Send>) {}

        fn ask(&self, service: Service, _: MessageRef<'_>) -> Message {
            service.unknown()
        }
    }

    #[test]
    fn timeout_leaves_time_for_the_answer() {
        let most = Duration::from_secs(30);
        assert_eq!(Context::default().timeout(most), most);
        for (left, expected) in
            [(100_000, 30_000), (30_000, 28_000), (10_000, 9_000), (1_000, 900), (200, 150), (40, 1), (0, 1)]
        {
            let cx = Context::of_caller(Arc::new(Left(Duration::from_millis(left))));
            assert_eq!(cx.timeout(most), Duration::from_millis(expected), "{left}");
        }
    }

    #[test]
    fn pages_end_with_a_cancelled_call_and_with_an_error() {
        let cx = Context::of_caller(Arc::new(Left(Duration::ZERO)));
        let mut pages = cx.pages("rows", |page| Ok(Some(page)));
        assert!(pages.next().unwrap().is_err() && pages.next().is_none());
        let cx = Context::default();
        let read = |page| if page < 3 { Ok(Some(page)) } else { Err(Error::user("away")) };
        let read: Vec<_> =
            cx.pages("rows", read).map(|page| page.map_err(|error| error.user_text())).collect();
        assert_eq!(read, [Ok(1), Ok(2), Err("away".to_owned())]);
    }

    #[test]
    fn outcome_has_what_was_reported() {
        let cx = Context::default();
        assert_eq!(cx.outcome(), Outcome::ok());
        cx.info("one");
        assert_eq!(cx.outcome(), Outcome::info("one"));
        cx.clone().warn("two");
        assert_eq!(cx.outcome(), Outcome::warning("one\ntwo"));
        cx.report(Outcome::ok().tech("detail").code("CODE"));
        assert_eq!(cx.outcome(), Outcome::warning("one\ntwo").tech("detail").code("CODE"));
    }
}
