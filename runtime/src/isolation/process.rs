//! One worker process as the host sees it.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, ErrorKind, IoSlice, PipeReader, Read};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use plugin_api::Call;
use plugin_api::abi::client::Log;
use plugin_api::abi::{MessageRef, Record, new_reference};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::process::{Pid, Signal, kill_process_group};

use super::frame::{Frame, FrameReader, FrameWriter, Head};
use super::{Confinement, protocol, user};
use crate::log::ToTracing;

/// The environment that every worker sees.
const ENVIRONMENT: [&str; 5] = ["PATH", "LANG", "LC_ALL", "TZ", "TMPDIR"];
/// How long a call may go on after its deadline, when its connector was told that nobody waits.
const GRACE: Duration = Duration::from_secs(2);
/// How long to wait to learn how a process ended whose sockets have ended.
const VERDICT: Duration = Duration::from_secs(5);
/// When so much of a call has passed, the time-out of its socket is set anew.
const TICK: Duration = Duration::from_millis(100);
/// The stack of a thread that only listens.
const SMALL_STACK: usize = 256 * 1024;
/// What of a line that a worker prints goes to the log.
const LONGEST_LINE: u64 = 8 * 1024;

/// A worker process. When the host lets go of it, it ends in order.
pub(super) struct Process {
    id: Pid,
    control: UnixStream,
    idle: Mutex<Vec<Channel>>,
    life: Mutex<Life>,
    changed: Condvar,
    log: OnceLock<ToTracing>,
}

#[derive(Default)]
struct Life {
    /// Its number may belong to somebody else from now on.
    is_reaped: bool,
    /// Why the host ended it.
    killed: Option<String>,
    ended: Option<Ended>,
}

/// How a process ended.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    /// Such as "was ended by signal 11 (SIGSEGV)".
    pub(super) how: String,
    /// What this end is called, in the log and to callers.
    pub(super) reference: String,
}

/// A socket for calls, one at a time.
struct Channel {
    socket: Arc<UnixStream>,
    reader: FrameReader,
    writer: FrameWriter,
}

impl Process {
    /// Starts a worker.
    ///
    /// It ends when the thread ends that this was called on: so it is for Linux that the host's death is noticed.
    ///
    /// # Errors
    /// In one line, with what to do.
    pub(super) fn start(confinement: &Confinement, label: &str) -> Result<Arc<Self>, String> {
        let cannot = |error: io::Error| format!("its worker process cannot be started: {error}");
        let (control, theirs) = UnixStream::pair().map_err(cannot)?;
        let (printed, prints) = io::pipe().map_err(cannot)?;
        let mut command = command(confinement, label).map_err(cannot)?;
        if let Some(name) = &confinement.user {
            let ids = user::look_up(name)?;
            command.uid(ids.user).gid(ids.group);
        }
        command.stdin(OwnedFd::from(theirs)).stdout(prints.try_clone().map_err(cannot)?).stderr(prints);
        let child = command.spawn().map_err(cannot)?;
        drop(command);
        let process = Arc::new(Process {
            id: Pid::from_child(&child),
            control,
            idle: Mutex::default(),
            life: Mutex::default(),
            changed: Condvar::new(),
            log: OnceLock::new(),
        });
        let listening = Listening {
            control: process.control.try_clone().map_err(cannot)?,
            process: Arc::clone(&process),
            child,
            label: label.to_owned(),
        };
        let thread = |name: &str| thread::Builder::new().name(name.to_owned()).stack_size(SMALL_STACK);
        let told_by = Arc::clone(&process);
        thread("worker log").spawn(move || listening.listen()).map_err(cannot)?;
        thread("worker output").spawn(move || told_by.repeat(printed)).map_err(cannot)?;
        Ok(process)
    }

    /// Its number.
    pub(super) fn id(&self) -> i32 {
        self.id.as_raw_nonzero().get()
    }

    /// Tells whose log records these are, once that is known.
    pub(super) fn is_of(&self, connector: &str) {
        let _ = self.log.set(ToTracing::new(connector));
    }

    pub(super) fn is_alive(&self) -> bool {
        self.life().ended.is_none()
    }

    /// Makes a call: `take` gets every reply but log records, and says whether it wants more. Returns the head of the
    /// last one.
    ///
    /// # Errors
    /// How the process ended meanwhile.
    pub(super) fn call(
        &self,
        head: Head,
        request: MessageRef<'_>,
        limit: Duration,
        take: &mut dyn FnMut(Frame<'_>) -> bool,
    ) -> Result<Head, Ended> {
        let mut channel = self.channel().map_err(|error| self.lost(&error))?;
        match channel.call(head, request, limit, self.log.get(), take) {
            Ok(done) => {
                channel.reader.shrink();
                self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(channel);
                Ok(done)
            }
            Err(error) if error.kind() == ErrorKind::TimedOut => {
                self.kill(format!(
                    "was ended by the host, because a call took longer than {} seconds",
                    limit.as_secs_f64()
                ));
                Err(self.ended())
            }
            Err(error) => Err(self.lost(&error)),
        }
    }

    /// A socket that no call uses.
    fn channel(&self) -> io::Result<Channel> {
        if let Some(channel) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop() {
            return Ok(channel);
        }
        let (socket, theirs) = UnixStream::pair()?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut rights = SendAncillaryBuffer::new(&mut space);
        let sockets = [theirs.as_fd()];
        rights.push(SendAncillaryMessage::ScmRights(&sockets));
        sendmsg(&self.control, &[IoSlice::new(&[0])], &mut rights, SendFlags::NOSIGNAL)?;
        let socket = Arc::new(socket);
        Ok(Channel { socket, reader: FrameReader::default(), writer: FrameWriter::default() })
    }

    /// Ends it at once, with all that it has started.
    pub(super) fn kill(&self, why: String) {
        let mut life = self.life();
        if !life.is_reaped {
            life.killed.get_or_insert(why);
            let _ = kill_process_group(self.id, Signal::KILL);
        }
    }

    /// A call cannot go on: nothing but the end of the process can be the reason, or becomes it.
    fn lost(&self, error: &io::Error) -> Ended {
        let life = self.life();
        let wait = self.changed.wait_timeout_while(life, VERDICT, |life| life.ended.is_none());
        drop(wait);
        self.kill(format!(
            "was ended by the host, because it did not keep to the rules between them ({error})"
        ));
        self.ended()
    }

    /// Waits for its end.
    pub(super) fn ended(&self) -> Ended {
        let life = self.changed.wait_while(self.life(), |life| life.ended.is_none());
        let ended = life.unwrap_or_else(PoisonError::into_inner).ended.clone();
        ended.unwrap_or_else(|| Ended { how: "has ended".to_owned(), reference: new_reference() })
    }

    /// Tells it to end in order.
    pub(super) fn let_go(&self) {
        let _ = self.control.shutdown(Shutdown::Write);
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts what it prints into the log.
    fn repeat(&self, printed: PipeReader) {
        let mut lines = BufReader::new(printed);
        loop {
            let mut line = Vec::new();
            match lines.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let line = String::from_utf8_lossy(&line);
            if !line.trim().is_empty() {
                let connector = self.log.get().map(ToTracing::connector);
                tracing::warn!(connector, pid = self.id(), "printed by a connector: {}", line.trim_end());
            }
        }
    }
}

/// The program of a worker, with nothing of the host's around it.
fn command(confinement: &Confinement, label: &str) -> io::Result<Command> {
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
    ];
    for (flag, number) in numbers {
        if let Some(number) = number {
            command.args([flag, &number.to_string()]);
        }
    }
    // Last, and only for people who look at the list of processes.
    command.arg("--").arg(label);
    command.env_clear();
    let own = confinement.environment.iter().map(String::as_str);
    for name in ENVIRONMENT.into_iter().chain(own) {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    // The host's allocator asks for much at a time, and uses it bit by bit. What it does not use yet must not count: a limit
    // of memory counts what may be written to.
    command.envs([("MIMALLOC_ARENA_EAGER_COMMIT", "0"), ("MIMALLOC_EAGER_COMMIT", "0")]);
    // A group of its own: Ctrl-C is for the host, which ends its workers when their calls are done.
    command.process_group(0);
    Ok(command)
}

/// Hears a process out, and notes its end.
struct Listening {
    process: Arc<Process>,
    control: UnixStream,
    child: Child,
    label: String,
}

impl Listening {
    fn listen(mut self) {
        let mut reader = FrameReader::default();
        while let Ok(Some(frame)) = reader.read(&mut self.control) {
            record(frame, self.process.log.get());
        }
        // What it has started ends with it, and it too, should it only have closed its socket.
        {
            let _life = self.process.life();
            let _ = kill_process_group(self.process.id, Signal::KILL);
        }
        let status = {
            // Before its number is free for others.
            let _ = rustix::process::waitid(
                rustix::process::WaitId::Pid(self.process.id),
                rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT,
            );
            let mut life = self.process.life();
            life.is_reaped = true;
            self.child.wait()
        };
        let mut life = self.process.life();
        let how = life.killed.take().unwrap_or_else(|| match status {
            Ok(status) => told(status),
            Err(error) => format!("has ended in an unknown way ({error})"),
        });
        tracing::debug!(worker = self.label, pid = self.process.id(), how, "a worker process has ended");
        life.ended = Some(Ended { how, reference: new_reference() });
        drop(life);
        self.process.changed.notify_all();
    }
}

/// How a process ended that the host did not end.
fn told(status: ExitStatus) -> String {
    let Some(signal) = status.signal() else {
        return format!("exited with code {}", status.code().unwrap_or_default());
    };
    let mut text = format!("was ended by signal {signal}");
    let meaning = Signal::from_named_raw(signal).map_or("", |signal| match signal {
        Signal::SEGV => " (SIGSEGV: it touched memory that is not its own, or had no stack left)",
        Signal::ABORT => {
            " (SIGABRT: it gave up, perhaps for want of memory or stack; what it printed says why)"
        }
        Signal::BUS => " (SIGBUS: it touched memory that is not there)",
        Signal::ILL => " (SIGILL: it ran what is no code)",
        Signal::FPE => " (SIGFPE: it divided by zero)",
        Signal::KILL => " (SIGKILL: by the system for want of memory, or by hand)",
        Signal::TERM => " (SIGTERM: by hand)",
        Signal::XCPU => " (SIGXCPU: it used more processor time than it may)",
        _ => "",
    });
    // Writing to a String cannot fail.
    let _ = text.write_str(meaning);
    text
}

/// Takes a log record.
fn record(frame: Frame<'_>, log: Option<&ToTracing>) {
    if frame.head.what == protocol::LOG
        && let (Ok(record), Some(log)) = (Record::decode(frame.message), log)
        && log.enabled(record.level, record.target)
    {
        log.log(&record);
    }
}

impl Channel {
    fn call(
        &mut self,
        head: Head,
        request: MessageRef<'_>,
        limit: Duration,
        log: Option<&ToTracing>,
        take: &mut dyn FnMut(Frame<'_>) -> bool,
    ) -> io::Result<Head> {
        let Channel { socket, reader, writer } = self;
        let call = Call::current();
        // Who is told that nobody waits may still end by itself.
        let left = call.time_left();
        let until = Instant::now() + left.map_or(limit, |left| left.min(limit) + GRACE);
        let time = left.unwrap_or(limit).min(limit).as_millis();
        let head = Head { time: u32::try_from(time).unwrap_or(protocol::NO_LIMIT), ..head };
        let stop = Stop::new(socket);
        let mut wait = Wait { socket, until, armed: Instant::now() };
        wait.arm(wait.armed)?;
        let mut stream: &UnixStream = socket;
        writer.write(&mut stream, head, request).and_then(|()| writer.flush(&mut stream)).map_err(late)?;
        loop {
            let frame = reader.read(&mut stream).map_err(late)?.ok_or(ErrorKind::UnexpectedEof)?;
            match frame.head.what {
                protocol::DONE => return Ok(frame.head),
                protocol::LOG => record(frame, log),
                protocol::PROGRESS => {
                    if let Ok(text) = frame.message.reader().text() {
                        call.progress(text);
                    }
                }
                _ => {
                    if !take(frame) {
                        tell_stop(&stop.0);
                    }
                }
            }
            wait.tick()?;
        }
    }
}

fn late(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::WouldBlock => ErrorKind::TimedOut.into(),
        _ => error,
    }
}

/// The time that a call has left. A time-out of the socket, set anew now and then, for setting it costs as much as a
/// small read.
struct Wait<'s> {
    socket: &'s UnixStream,
    until: Instant,
    armed: Instant,
}

impl Wait<'_> {
    fn arm(&mut self, now: Instant) -> io::Result<()> {
        let left = self.until.saturating_duration_since(now);
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        self.armed = now;
        self.socket.set_write_timeout(Some(left))?;
        self.socket.set_read_timeout(Some(left))
    }

    fn tick(&mut self) -> io::Result<()> {
        let now = Instant::now();
        if now.saturating_duration_since(self.armed) >= TICK { self.arm(now) } else { Ok(()) }
    }
}

/// Tells the worker once that nobody waits for the call any more, and not when the call is over: then the socket serves
/// another one.
struct Stop(Arc<Mutex<Option<Arc<UnixStream>>>>);

impl Stop {
    fn new(socket: &Arc<UnixStream>) -> Self {
        let told = Arc::new(Mutex::new(Some(Arc::clone(socket))));
        let stop = Stop(Arc::clone(&told));
        plugin_api::abi::on_cancel(move || tell_stop(&told));
        stop
    }
}

fn tell_stop(socket: &Mutex<Option<Arc<UnixStream>>>) {
    // Written with the lock held, so that it is written before the call is over or not at all.
    let mut socket = socket.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(socket) = socket.take() {
        let (mut socket, mut writer) = (&*socket, FrameWriter::default());
        let _ = writer.write(&mut socket, Head::new(protocol::STOP), protocol::NOTHING);
        let _ = writer.flush(&mut socket);
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}
