//! One worker process: starting it, calling it over sockets, its log records, its output and its exit.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, ErrorKind, PipeReader, Read};
use std::net::Shutdown;
use std::ops::Deref;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use plugin_api::abi::client::Log;
use plugin_api::abi::{self, Measurement, MessageRef, Record, Service, new_reference};
use rustix::process::Signal;

use super::descriptors::send_descriptor;
use super::frame::{Frame, FrameHeader, FrameReader, FrameWriter};
use super::subreaper::{self, WorkerExit};
use super::user::{self, Ids};
use super::{Confinement, FileAccess, Sandbox, cgroup, protocol};
use crate::environment;
use crate::log_bridge::LogBridge;

/// The environment variables that every worker gets.
const ENVIRONMENT: [&str; 4] = ["PATH", "LANG", "LC_ALL", "TZ"];
/// How long a cancelled call may go on before it is given up.
pub(super) const GRACE: Duration = Duration::from_secs(2);
/// How long to wait for the exit status of a process whose socket was closed.
const EXIT_TIMEOUT: Duration = Duration::from_secs(5);
/// The time-out of a call's socket is set again after this time.
const TIMEOUT_RENEWAL: Duration = Duration::from_millis(100);
/// The stack size of a thread that only reads.
const READER_STACK: usize = 256 * 1024;
/// Bytes of a line of output that are logged at most.
const MAX_LINE: u64 = 8 * 1024;

/// A worker process. Dropping it closes the control socket, which ends the process in order.
pub(super) struct WorkerProcess {
    id: u32,
    control: UnixStream,
    /// The socket of its subreaper, which ends the process with all its descendants when the socket is closed.
    lifeline: UnixStream,
    /// Call sockets that no call uses.
    idle: Mutex<Vec<CallSocket>>,
    lifecycle: Mutex<Lifecycle>,
    /// Notified when `lifecycle` has an exit, or another stage.
    changed: Condvar,
    log: OnceLock<LogBridge>,
}

#[derive(Default)]
struct Lifecycle {
    stage: Stage,
    /// Calls in it that are not given up.
    calls: usize,
    /// Why the host killed it.
    killed: Option<String>,
    cause: ExitCause,
    exit: Option<ProcessExit>,
}

/// A process serves, has to be replaced because of a call that was given up, and finishes its calls when it has been.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Serving,
    ToBeReplaced,
    Retired,
}

/// Why a process has ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum ExitCause {
    /// A fault of the connector, or a limit that it has exceeded.
    #[default]
    Crash,
    /// It was asked to, when no call ran in it.
    Shutdown,
    /// The host has ended a retired process before its calls had ended.
    Retirement,
}

/// What the supervisor has to know about a process that serves.
#[derive(Debug)]
pub(super) enum Event {
    Ended(ProcessExit),
    /// A call in it was given up.
    ToBeReplaced,
}

/// A process that a call uses: it is not asked to end before this is dropped.
pub(super) struct ProcessInUse(Arc<WorkerProcess>);

/// How a process ended.
#[derive(Debug, Clone)]
pub(super) struct ProcessExit {
    /// Such as "was ended by signal 11 (SIGSEGV)".
    pub(super) description: String,
    /// Names this exit in the log and to callers.
    pub(super) reference: String,
    pub(super) cause: ExitCause,
}

/// Why a call has no `DONE`.
#[derive(Debug)]
pub(super) enum CallFailure {
    /// The process has ended meanwhile.
    Exit(ProcessExit),
    /// The call is over its deadline and did not end within the grace period: it is given up, and may go on in the process.
    GivenUp,
    /// The call was cancelled before the worker had all of the request, so it does nothing with it.
    NotSent,
}

/// A socket that serves one call at a time.
struct CallSocket {
    socket: Arc<UnixStream>,
    reader: FrameReader,
    writer: FrameWriter,
}

impl WorkerProcess {
    /// Starts a worker for this copy of a plugin: its subreaper, which starts the worker process.
    ///
    /// # Errors
    /// In one line, with what to do.
    pub(super) fn start(
        confinement: &Confinement,
        copy: &Path,
        folder: &Path,
        label: &str,
    ) -> Result<Arc<Self>, String> {
        let cannot = |error: io::Error| format!("its worker process cannot be started: {error}");
        let (lifeline, its_lifeline) = UnixStream::pair().map_err(cannot)?;
        let (control, its_control) = UnixStream::pair().map_err(cannot)?;
        let (output, stdout) = io::pipe().map_err(cannot)?;
        let user = confinement.user.as_deref().map(user::look_up).transpose()?.flatten();
        let mut command = command(confinement, user, copy, folder, label).map_err(cannot)?;
        command.stdin(OwnedFd::from(its_lifeline));
        command.stdout(stdout.try_clone().map_err(cannot)?).stderr(stdout);
        let child = command.spawn().map_err(cannot)?;
        drop(command);
        send_descriptor(&lifeline, its_control).map_err(cannot)?;
        let process = Arc::new(WorkerProcess {
            id: child.id(),
            control,
            lifeline,
            idle: Mutex::default(),
            lifecycle: Mutex::default(),
            changed: Condvar::new(),
            log: OnceLock::new(),
        });
        let monitor = Monitor {
            control: process.control.try_clone().map_err(cannot)?,
            lifeline: process.lifeline.try_clone().map_err(cannot)?,
            process: Arc::clone(&process),
            child,
            label: label.to_owned(),
        };
        let thread = |name: &str| thread::Builder::new().name(name.to_owned()).stack_size(READER_STACK);
        let printing = Arc::clone(&process);
        thread("worker log").spawn(move || monitor.run()).map_err(cannot)?;
        thread("worker output").spawn(move || printing.log_output(output)).map_err(cannot)?;
        Ok(process)
    }

    /// The process ID of its subreaper.
    pub(super) fn id(&self) -> u32 {
        self.id
    }

    /// Logs its records under this connector's name from now on.
    pub(super) fn log_as(&self, connector: &str) {
        let _ = self.log.set(LogBridge::new(connector));
    }

    /// Uses it for a call. `None`: it has ended, or is retired.
    pub(super) fn enter(self: &Arc<Self>) -> Option<ProcessInUse> {
        let mut lifecycle = self.lifecycle();
        if lifecycle.exit.is_some() || lifecycle.stage == Stage::Retired {
            return None;
        }
        lifecycle.calls += 1;
        Some(ProcessInUse(Arc::clone(self)))
    }

    /// Has the supervisor replace it.
    pub(super) fn ask_for_replacement(&self) {
        let mut lifecycle = self.lifecycle();
        if lifecycle.stage == Stage::Serving {
            lifecycle.stage = Stage::ToBeReplaced;
            drop(lifecycle);
            self.changed.notify_all();
        }
    }

    /// Goes on serving: there is no other process to replace it.
    pub(super) fn keep(&self) {
        self.lifecycle().stage = Stage::Serving;
    }

    /// Takes no further calls, and ends when those that run in it have ended.
    pub(super) fn retire(&self) {
        let mut lifecycle = self.lifecycle();
        lifecycle.stage = Stage::Retired;
        let is_idle = lifecycle.calls == 0;
        drop(lifecycle);
        if is_idle {
            self.shut_down();
        }
    }

    /// Ends a retired process with the calls that run in it.
    pub(super) fn end_retired(&self, reason: String) {
        self.lifecycle().cause = ExitCause::Retirement;
        self.kill(reason);
    }

    /// Makes a call: `receive` gets every reply but log records, and returns whether it wants more. Returns the header of
    /// `DONE`.
    ///
    /// # Errors
    /// How the process ended meanwhile, that the call was given up, or that the process did not get the request.
    pub(super) fn call(
        &self,
        header: FrameHeader,
        request: MessageRef<'_>,
        limit: Duration,
        receive: &mut dyn FnMut(Frame<'_>) -> bool,
    ) -> Result<FrameHeader, CallFailure> {
        let failed = |error: io::Error| match error.kind() {
            // A socket whose time-out has passed says `WouldBlock`.
            ErrorKind::TimedOut | ErrorKind::WouldBlock => CallFailure::GivenUp,
            _ => CallFailure::Exit(self.end_after(&error)),
        };
        let mut socket = self.call_socket(limit).map_err(failed)?;
        let canceller = Canceller::new(&socket.socket);
        let sent = socket.send(header, request, limit);
        if sent.is_err() && canceller.has_cancelled() {
            return Err(CallFailure::NotSent);
        }
        let done = sent
            .and_then(|timeout| socket.receive(timeout, self.log.get(), &canceller, receive))
            .map_err(failed)?;
        // The socket of a cancelled call has ended for good.
        if canceller.retire() {
            socket.reader.shrink();
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(socket);
        }
        Ok(done)
    }

    /// A call socket that no call uses; a new one is sent to the worker over the control socket, which takes only so many
    /// from a host whose worker does not run.
    fn call_socket(&self, limit: Duration) -> io::Result<CallSocket> {
        if let Some(socket) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Ok(socket);
        }
        let (socket, theirs) = UnixStream::pair()?;
        self.control.set_write_timeout(Some(limit))?;
        send_descriptor(&self.control, theirs)?;
        let socket = Arc::new(socket);
        Ok(CallSocket { socket, reader: FrameReader::default(), writer: FrameWriter::default() })
    }

    /// Kills the process with all that it started.
    pub(super) fn kill(&self, reason: String) {
        let mut lifecycle = self.lifecycle();
        if lifecycle.exit.is_none() {
            lifecycle.killed.get_or_insert(reason);
        }
        let _ = self.lifeline.shutdown(Shutdown::Write);
    }

    /// Handles the failure of a call: the process has ended, or is killed.
    fn end_after(&self, error: &io::Error) -> ProcessExit {
        let lifecycle = self.lifecycle();
        let waited = self.changed.wait_timeout_while(lifecycle, EXIT_TIMEOUT, |it| it.exit.is_none());
        drop(waited);
        self.kill(format!(
            "was ended by the host, because it did not keep to the rules between them ({error})"
        ));
        self.wait()
    }

    /// Waits for its exit.
    pub(super) fn wait(&self) -> ProcessExit {
        let lifecycle = self.changed.wait_while(self.lifecycle(), |it| it.exit.is_none());
        let exit = lifecycle.unwrap_or_else(PoisonError::into_inner).exit.clone();
        exit.unwrap_or_else(|| ProcessExit {
            description: "has ended".to_owned(),
            reference: new_reference(),
            cause: ExitCause::Crash,
        })
    }

    /// Its exit, if it has ended.
    pub(super) fn exit(&self) -> Option<ProcessExit> {
        self.lifecycle().exit.clone()
    }

    /// Waits until it has ended or has to be replaced.
    pub(super) fn next_event(&self) -> Event {
        let nothing = |it: &mut Lifecycle| it.exit.is_none() && it.stage == Stage::Serving;
        let lifecycle = self.changed.wait_while(self.lifecycle(), nothing);
        match lifecycle.unwrap_or_else(PoisonError::into_inner).exit.clone() {
            Some(exit) => Event::Ended(exit),
            None => Event::ToBeReplaced,
        }
    }

    /// Asks it to end in order: connections and connector are closed before.
    pub(super) fn shut_down(&self) {
        let mut lifecycle = self.lifecycle();
        if lifecycle.exit.is_none() && lifecycle.killed.is_none() {
            lifecycle.cause = ExitCause::Shutdown;
        }
        drop(lifecycle);
        let _ = self.control.shutdown(Shutdown::Write);
    }

    fn lifecycle(&self) -> MutexGuard<'_, Lifecycle> {
        self.lifecycle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs each line of its standard output and error.
    fn log_output(&self, output: PipeReader) {
        let mut lines = BufReader::new(output);
        loop {
            let mut line = Vec::new();
            match lines.by_ref().take(MAX_LINE).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let line = String::from_utf8_lossy(&line);
            if !line.trim().is_empty() {
                let connector = self.log.get().map(LogBridge::connector);
                tracing::warn!(connector, pid = self.id(), "printed by a connector: {}", line.trim_end());
            }
        }
    }
}

impl Deref for ProcessInUse {
    type Target = Arc<WorkerProcess>;

    fn deref(&self) -> &Arc<WorkerProcess> {
        &self.0
    }
}

impl Drop for ProcessInUse {
    fn drop(&mut self) {
        let mut lifecycle = self.0.lifecycle();
        lifecycle.calls -= 1;
        let is_finished = lifecycle.calls == 0 && lifecycle.stage == Stage::Retired;
        drop(lifecycle);
        if is_finished {
            self.0.shut_down();
        }
    }
}

/// The command that starts a worker, with a clean environment.
fn command(
    confinement: &Confinement,
    user: Option<Ids>,
    copy: &Path,
    folder: &Path,
    label: &str,
) -> io::Result<Command> {
    let program = match &confinement.program {
        Some(program) => program.clone(),
        None => std::env::current_exe()?,
    };
    let mut command = Command::new(program);
    command.args(["worker", "--log", &confinement.log]);
    let limits = &confinement.limits;
    let numbers = [
        ("--memory", limits.memory),
        ("--cpu-seconds", limits.cpu_seconds),
        ("--open-files", limits.open_files),
        ("--tasks", limits.tasks),
    ];
    for (flag, number) in numbers {
        if let Some(number) = number {
            command.args([flag, &number.to_string()]);
        }
    }
    let FileAccess { read, write } = &confinement.files;
    for path in read.iter().map(PathBuf::as_path).chain([copy]) {
        command.arg("--read").arg(path);
    }
    for path in write.iter().map(PathBuf::as_path).chain([folder]) {
        command.arg("--write").arg(path);
    }
    if let Some(Ids { user, group }) = user {
        command.args(["--user", &format!("{user}:{group}")]);
    }
    if confinement.sandbox == Sandbox::Required {
        command.arg("--require-sandbox");
    }
    if let Some(group) = cgroup::delegated() {
        command.arg("--cgroup").arg(group);
    }
    // Only shown in the list of processes.
    command.arg("--").arg(label);
    command.env_clear();
    let own = confinement.environment.iter().map(String::as_str);
    for name in ENVIRONMENT.into_iter().chain(own) {
        if let Some(value) = environment::at_start().get(OsStr::new(name)) {
            command.env(name, value);
        }
    }
    // Nobody else writes there: neither another connector nor, in a folder of the system, another user.
    command.env("TMPDIR", folder.join("tmp"));
    // The memory limit counts all writable memory, so the allocator must not commit memory before it is used.
    command.envs([("MIMALLOC_ARENA_EAGER_COMMIT", "0"), ("MIMALLOC_EAGER_COMMIT", "0")]);
    // Its own process group: Ctrl-C must reach the host only, which ends its workers when their calls are done.
    command.process_group(0);
    Ok(command)
}

/// Reads the control socket of a process, and records its exit.
struct Monitor {
    process: Arc<WorkerProcess>,
    control: UnixStream,
    lifeline: UnixStream,
    child: Child,
    label: String,
}

impl Monitor {
    fn run(mut self) {
        let mut reader = FrameReader::default();
        while let Ok(Some(frame)) = reader.read(&mut self.control) {
            record(frame, self.process.log.get());
        }
        // Ends what the process started, and the process itself if it has only closed its socket.
        let _ = self.lifeline.shutdown(Shutdown::Write);
        let report = subreaper::read_report(&mut self.lifeline);
        let own_status = self.child.wait();
        let mut lifecycle = self.process.lifecycle();
        let WorkerExit { status, exceeded } = match (report, own_status) {
            (Some(report), _) => report,
            // The subreaper was ended, or could not start the process.
            (None, Ok(status)) => WorkerExit { status, exceeded: None },
            (None, Err(error)) => {
                let unknown = format!("has ended in an unknown way ({error})");
                WorkerExit { status: ExitStatus::default(), exceeded: Some(unknown) }
            }
        };
        let killed = exceeded.or_else(|| lifecycle.killed.take());
        let description = killed.unwrap_or_else(|| describe(status));
        tracing::debug!(
            worker = self.label,
            pid = self.process.id(),
            how = description,
            "a worker process has ended"
        );
        let cause = lifecycle.cause;
        lifecycle.exit = Some(ProcessExit { description, reference: new_reference(), cause });
        drop(lifecycle);
        self.process.changed.notify_all();
    }
}

/// Describes the exit status of a process that the host did not kill.
fn describe(status: ExitStatus) -> String {
    let Some(signal) = status.signal() else {
        return format!("exited with code {}", status.code().unwrap_or_default());
    };
    let mut text = format!("was ended by signal {signal}");
    let meaning = Signal::from_named_raw(signal).map_or("", |signal| match signal {
        Signal::SEGV => " (SIGSEGV: it touched memory that is not its own, or had no stack left)",
        Signal::ABORT => " (SIGABRT: it aborted, perhaps out of memory or stack; what it printed says why)",
        Signal::BUS => " (SIGBUS: it touched memory that is not there)",
        Signal::ILL => " (SIGILL: it ran what is no code)",
        Signal::FPE => " (SIGFPE: it divided by zero)",
        Signal::KILL => " (SIGKILL: by the system because it was out of memory, or by hand)",
        Signal::TERM => " (SIGTERM: by hand)",
        Signal::XCPU => " (SIGXCPU: it used more processor time than it may)",
        _ => "",
    });
    // Writing to a String cannot fail.
    let _ = text.write_str(meaning);
    text
}

/// Takes a log record or a measurement.
fn record(frame: Frame<'_>, log: Option<&LogBridge>) {
    let Some(log) = log else { return };
    match frame.header.frame_type {
        protocol::LOG => {
            if let Ok(record) = Record::decode(frame.message)
                && log.enabled(record.level, record.target)
            {
                log.log(&record);
            }
        }
        protocol::MEASUREMENT if log.is_recording() => {
            if let Ok(measurement) = Measurement::decode(frame.message) {
                log.record(&measurement);
            }
        }
        _ => {}
    }
}

impl CallSocket {
    /// Sends the request, and returns how long the call may take.
    fn send(
        &mut self,
        header: FrameHeader,
        request: MessageRef<'_>,
        limit: Duration,
    ) -> io::Result<CallTimeout> {
        let left = abi::current().and_then(|caller| caller.time_left());
        // With the grace period, a connector that notices the cancellation can still end the call itself.
        let until = Instant::now() + left.map_or(limit, |left| left.min(limit) + GRACE);
        let time_left = left.unwrap_or(limit).min(limit).as_millis();
        let time_left = u32::try_from(time_left).unwrap_or(protocol::NO_LIMIT);
        let header = FrameHeader { time_left, ..header };
        let mut timeout = CallTimeout { socket: Arc::clone(&self.socket), until, set_at: Instant::now() };
        timeout.set(timeout.set_at)?;
        let mut stream: &UnixStream = &self.socket;
        self.writer.write(&mut stream, header, request)?;
        self.writer.flush(&mut stream)?;
        Ok(timeout)
    }

    /// Receives replies until `DONE`.
    fn receive(
        &mut self,
        mut timeout: CallTimeout,
        log: Option<&LogBridge>,
        canceller: &Canceller,
        receive: &mut dyn FnMut(Frame<'_>) -> bool,
    ) -> io::Result<FrameHeader> {
        let mut stream: &UnixStream = &self.socket;
        loop {
            let frame = self.reader.read(&mut stream)?.ok_or(ErrorKind::UnexpectedEof)?;
            match frame.header.frame_type {
                protocol::DONE => return Ok(frame.header),
                protocol::LOG | protocol::MEASUREMENT => record(frame, log),
                protocol::SERVICE => {
                    let answered = serve(frame, &mut self.writer, stream);
                    // Nothing can be sent to a cancelled call; what it has asked for is done.
                    if !canceller.has_cancelled() {
                        answered?;
                    }
                }
                protocol::PROGRESS => {
                    if let (Ok(text), Some(caller)) = (frame.message.reader().text(), abi::current()) {
                        caller.progress(text);
                    }
                }
                _ => {
                    if !receive(frame) {
                        canceller.cancel();
                    }
                }
            }
            timeout.renew()?;
        }
    }
}

/// Does what the call asks for, on its thread.
fn serve(frame: Frame<'_>, writer: &mut FrameWriter, mut stream: &UnixStream) -> io::Result<()> {
    let service = Service(frame.header.detail);
    let mut answer = match abi::current() {
        Some(caller) => caller.ask(service, frame.message),
        None => service.unknown(),
    };
    let written = writer.write(&mut stream, FrameHeader::new(protocol::ANSWER), answer.as_ref());
    answer.wipe();
    written.and_then(|()| writer.flush(&mut stream))
}

/// The time-out of a call, as the time-out of its socket. It is renewed only now and then, because setting it costs as much
/// as a small read.
struct CallTimeout {
    socket: Arc<UnixStream>,
    until: Instant,
    set_at: Instant,
}

impl CallTimeout {
    fn set(&mut self, now: Instant) -> io::Result<()> {
        let left = self.until.saturating_duration_since(now);
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        self.set_at = now;
        self.socket.set_write_timeout(Some(left))?;
        self.socket.set_read_timeout(Some(left))
    }

    fn renew(&mut self) -> io::Result<()> {
        let now = Instant::now();
        if now.saturating_duration_since(self.set_at) >= TIMEOUT_RENEWAL { self.set(now) } else { Ok(()) }
    }
}

/// Cancels the call of a socket: it ends the host's side of it. The worker sees the end, and the host still receives replies.
/// The request is not mixed with anything, whoever cancels at whatever moment, and ending a side never blocks: the caller's
/// task cancels, on an I/O thread. Empty after the cancellation, and after the call, when the socket may serve another one.
struct Canceller(Arc<Mutex<Option<Arc<UnixStream>>>>);

impl Canceller {
    /// For a call of this socket; also cancels when the call of this thread is cancelled.
    fn new(socket: &Arc<UnixStream>) -> Self {
        let canceller = Canceller(Arc::new(Mutex::new(Some(Arc::clone(socket)))));
        let on_cancel = Canceller(Arc::clone(&canceller.0));
        if let Some(caller) = abi::current() {
            caller.on_cancel(Box::new(move || on_cancel.cancel()));
        }
        canceller
    }

    fn cancel(&self) {
        // Under the lock, so that it happens before the call has ended or not at all.
        if let Some(socket) = self.socket().take() {
            // Fails only if the worker has ended.
            let _ = socket.shutdown(Shutdown::Write);
        }
    }

    fn has_cancelled(&self) -> bool {
        self.socket().is_none()
    }

    /// The call has ended: cancels nothing from now on. False: it has cancelled.
    fn retire(&self) -> bool {
        self.socket().take().is_some()
    }

    fn socket(&self) -> MutexGuard<'_, Option<Arc<UnixStream>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
