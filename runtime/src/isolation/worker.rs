//! The worker: this program again, with one plugin in it, called over sockets. What runs here may crash.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use plugin_api::abi::client::{self, Log};
use plugin_api::abi::{
    self, Caller, ConnectionLink, ConnectorLink, Handshake, Kind, Message, MessageRef, Operation, Record,
    TakeReply,
};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recv, recvmsg};
use rustix::process::{Signal, getpid, kill_process};
use tracing::Level;

use super::confine::{self, ProcessorTime};
use super::frame::{Frame, FrameReader, FrameWriter, Head};
use super::protocol::{self, NOTHING};
use super::{Limits, STACK};
use crate::library::{self, OpenError};
use crate::{load, log};

/// How long an orderly end may take.
const GRACE: Duration = Duration::from_secs(5);

/// The plugin of this process, and what is open in it.
struct Worker {
    processor_time: Option<ProcessorTime>,
    handshake: OnceLock<&'static Handshake>,
    connector: RwLock<Option<Arc<dyn ConnectorLink>>>,
    connections: RwLock<HashMap<u32, Arc<dyn ConnectionLink>>>,
    last_connection: AtomicU32,
}

/// The control socket, for the log records of threads that serve no call.
static CONTROL: OnceLock<Mutex<(UnixStream, FrameWriter)>> = OnceLock::new();

thread_local! {
    /// The socket of the call that this thread serves.
    static CALL: RefCell<Option<Arc<Line>>> = const { RefCell::new(None) };
}

/// Serves a plugin until the control socket, which is standard input, ends.
///
/// # Errors
/// This is no process that a host has started, or its limits cannot be set.
pub(super) fn run(limits: &Limits) -> io::Result<()> {
    confine::at_once()?;
    confine::limit(limits)?;
    let control = take_control()?;
    let own = control.try_clone()?;
    let _ = CONTROL.set(Mutex::new((own, FrameWriter::default())));
    let worker = Arc::new(Worker {
        processor_time: limits.cpu_seconds.map(ProcessorTime::new),
        handshake: OnceLock::new(),
        connector: RwLock::default(),
        connections: RwLock::default(),
        last_connection: AtomicU32::new(0),
    });
    while let Some(socket) = next_socket(&control)? {
        let worker = Arc::clone(&worker);
        let thread = thread::Builder::new().name("call".to_owned()).stack_size(STACK);
        thread.spawn(move || worker.serve(UnixStream::from(socket)))?;
    }
    worker.end();
    Ok(())
}

/// Takes the control socket away from standard input, which the plugin and what it starts may use as they like.
fn take_control() -> io::Result<UnixStream> {
    let control = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    rustix::stdio::dup2_stdin(std::fs::File::open("/dev/null")?)?;
    Ok(UnixStream::from(control))
}

/// The next socket for calls; `None` when the host wants no more.
fn next_socket(control: &UnixStream) -> io::Result<Option<OwnedFd>> {
    loop {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut received = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        let mut into = [io::IoSliceMut::new(&mut byte)];
        let message = match recvmsg(control, &mut into, &mut received, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => continue,
            message => message?,
        };
        if message.bytes == 0 {
            return Ok(None);
        }
        let rights = received.drain().filter_map(|part| match part {
            RecvAncillaryMessage::ScmRights(sockets) => Some(sockets),
            _ => None,
        });
        if let Some(socket) = rights.flatten().next() {
            return Ok(Some(socket));
        }
    }
}

impl Worker {
    /// Serves a socket for calls.
    fn serve(&self, socket: UnixStream) {
        let line = Arc::new(Line { socket, outgoing: Mutex::default() });
        CALL.set(Some(Arc::clone(&line)));
        let mut reader = FrameReader::default();
        while let Ok(Some(frame)) = reader.read(&mut &line.socket) {
            // Too late, the call is over.
            if frame.head.what == protocol::STOP {
                continue;
            }
            if let Some(time) = &self.processor_time {
                time.extend();
            }
            let time = frame.head.time;
            let deadline =
                (time != protocol::NO_LIMIT).then(|| Instant::now() + Duration::from_millis(time.into()));
            let waiting =
                Arc::new(Waiting { line: Arc::clone(&line), deadline, is_over: AtomicBool::new(false) });
            let replies = &mut Replies(&waiting);
            let connection = abi::during(Arc::clone(&waiting) as _, || self.answer(frame, replies));
            waiting.is_over.store(true, Ordering::Release);
            line.write(Head::new(protocol::DONE).about(connection), NOTHING);
            if !line.flush() {
                return;
            }
            reader.shrink();
        }
    }

    /// Does what a frame asks for; tells the number of the connection that was opened, or 0.
    fn answer(&self, Frame { head, message }: Frame<'_>, replies: &mut Replies<'_>) -> u32 {
        let operation = Operation(head.detail);
        match head.what {
            protocol::OPEN => replies.tell(self.open(message), protocol::ABOUT),
            protocol::LOAD => replies.tell(self.load(message), protocol::REPLY),
            protocol::CONNECTOR_CALL => {
                if let Some(connector) = self.connector() {
                    connector.call(operation, message, replies);
                }
            }
            protocol::CONNECT => {
                let made = self.connector().and_then(|connector| connector.connect(message, replies));
                return made.map_or(0, |connection| self.keep(connection.into()));
            }
            protocol::CONNECTION_CALL => {
                let connections = self.connections.read().unwrap_or_else(PoisonError::into_inner);
                let connection = connections.get(&head.connection).cloned();
                drop(connections);
                if let Some(connection) = connection {
                    connection.call(operation, message, replies);
                }
            }
            protocol::CLOSE => {
                let mut connections = self.connections.write().unwrap_or_else(PoisonError::into_inner);
                let closed = connections.remove(&head.connection);
                drop(connections);
                drop(closed);
            }
            _ => {}
        }
        0
    }

    fn open(&self, message: MessageRef<'_>) -> Result<Message, String> {
        let path = Path::new(message.reader().text().map_err(|error| error.to_string())?);
        let handshake = library::open(path).map_err(|error| match error {
            OpenError::System(error) => load::LoadError::Open(load::told(&error, path)).to_string(),
            OpenError::Refused(refused) => refused.to_string(),
        })?;
        let about = handshake.about().map_err(|refused| refused.to_string())?;
        let _ = self.handshake.set(handshake);
        Ok(protocol::put_about(&about))
    }

    fn load(&self, message: MessageRef<'_>) -> Result<Message, String> {
        let host = protocol::host(message).map_err(|error| error.to_string())?;
        let handshake = self.handshake.get().ok_or("no plugin file was opened")?;
        let (connector, description) =
            client::load(handshake, &host, ToHost).map_err(|error| error.to_string())?;
        let link = Arc::clone(connector.link());
        *self.connector.write().unwrap_or_else(PoisonError::into_inner) = Some(link);
        let mut message = Message::new();
        description.encode(&mut message);
        Ok(message)
    }

    fn connector(&self) -> Option<Arc<dyn ConnectorLink>> {
        self.connector.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, connection: Arc<dyn ConnectionLink>) -> u32 {
        let number = self.last_connection.fetch_add(1, Ordering::Relaxed) + 1;
        self.connections.write().unwrap_or_else(PoisonError::into_inner).insert(number, connection);
        number
    }

    /// Closes the connections and the connector, then the process: as its author may do anything there, in bounded time.
    fn end(&self) {
        let watch = thread::Builder::new().name("end".to_owned()).spawn(|| {
            thread::sleep(GRACE);
            let _ = kill_process(getpid(), Signal::KILL);
        });
        if watch.is_ok() {
            let connections =
                std::mem::take(&mut *self.connections.write().unwrap_or_else(PoisonError::into_inner));
            drop(connections);
            let connector = self.connector.write().unwrap_or_else(PoisonError::into_inner).take();
            drop(connector);
        }
        // Not by `exit`, where the plugin's own clean-up code would run beside its threads.
        let _ = kill_process(getpid(), Signal::KILL);
    }
}

/// A socket for calls. Its own thread writes to it, and threads of the connector's that say what they do.
struct Line {
    socket: UnixStream,
    outgoing: Mutex<Outgoing>,
}

#[derive(Default)]
struct Outgoing {
    frames: FrameWriter,
    is_broken: bool,
}

impl Line {
    /// Writes a frame; whether that is possible.
    fn write(&self, head: Head, message: MessageRef<'_>) -> bool {
        self.with(|outgoing, mut socket| outgoing.frames.write(&mut socket, head, message))
    }

    fn flush(&self) -> bool {
        self.with(|outgoing, mut socket| outgoing.frames.flush(&mut socket))
    }

    /// Writes a frame that is not to wait.
    fn say(&self, head: Head, message: MessageRef<'_>) -> bool {
        self.write(head, message) && self.flush()
    }

    fn with(&self, write: impl FnOnce(&mut Outgoing, &UnixStream) -> io::Result<()>) -> bool {
        let mut outgoing = self.outgoing.lock().unwrap_or_else(PoisonError::into_inner);
        let outgoing = &mut *outgoing;
        outgoing.is_broken = outgoing.is_broken || write(outgoing, &self.socket).is_err();
        !outgoing.is_broken
    }
}

/// A call under way, as the connector asks about it.
struct Waiting {
    line: Arc<Line>,
    deadline: Option<Instant>,
    is_over: AtomicBool,
}

impl Caller for Waiting {
    fn is_cancelled(&self) -> bool {
        // Whatever the host says in the middle of a call is `STOP`. It is read when the call is over.
        let flags = RecvFlags::DONTWAIT | RecvFlags::PEEK;
        self.is_over.load(Ordering::Acquire) || recv(&self.line.socket, &mut [0; 1], flags).is_ok()
    }

    fn time_left(&self) -> Option<Duration> {
        if self.is_cancelled() {
            return Some(Duration::ZERO);
        }
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    fn progress(&self, text: &str) {
        if !self.is_over.load(Ordering::Acquire) {
            self.line.say(Head::new(protocol::PROGRESS), protocol::text(text).as_ref());
        }
    }
}

/// The replies to a call, on their way to the host.
struct Replies<'w>(&'w Waiting);

impl Replies<'_> {
    /// Tells what became of opening or loading the plugin.
    fn tell(&self, result: Result<Message, String>, what: u32) {
        match result {
            Ok(message) => self.0.line.write(Head::new(what), message.as_ref()),
            Err(why) => self.0.line.write(Head::new(protocol::REFUSED), protocol::text(&why).as_ref()),
        };
    }
}

impl TakeReply for Replies<'_> {
    fn take_reply(&mut self, kind: Kind, reply: MessageRef<'_>) -> bool {
        let is_sent = self.0.line.write(Head::new(protocol::REPLY).with_detail(kind.0), reply);
        is_sent && (kind != Kind::ROWS || !self.0.is_cancelled())
    }
}

/// The host's log.
struct ToHost;

impl Log for ToHost {
    fn enabled(&self, level: Level, target: &str) -> bool {
        log::is_enabled(level, target)
    }

    /// At once, for the next thing that the connector does may end this process.
    fn log(&self, record: &Record<'_>) {
        let message = record.encode();
        let head = Head::new(protocol::LOG);
        let line = CALL.try_with(|line| line.borrow().clone()).ok().flatten();
        if let Some(line) = line {
            line.say(head, message.as_ref());
        } else if let Some(control) = CONTROL.get() {
            let (control, frames) = &mut *control.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = frames.write(control, head, message.as_ref()).and_then(|()| frames.flush(control));
        }
    }
}
