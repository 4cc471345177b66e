//! The main loop of a worker process: this program again, with one plugin in it, called over sockets.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use plugin_api::abi::client::{self, Log};
use plugin_api::abi::{
    self, Caller, ConnectionTransport, ConnectorTransport, Handshake, Kind, Measurement, Message, MessageRef,
    Operation, Record, ReplyReceiver, Service,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, getpid, kill_process};
use tracing::Level;

use super::cancellation_watch::{self, Registration};
use super::confinement::{self, CpuTimeLimit};
use super::descriptors::{receive_descriptor, take_stdin};
use super::frame::{Frame, FrameHeader, FrameReader, FrameWriter};
use super::protocol::{self, EMPTY};
use super::transport::Unwanted;
use super::{CALL_STACK, WorkerOptions};
use crate::{library, log_bridge};

/// How long closing the connections and the connector may take at the end.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// The plugin of this process, and its open connections by number.
struct Worker {
    /// What the system cannot restrict or allow; or why the process is not confined, so that it must not open the plugin.
    confined: Result<Vec<String>, String>,
    cpu_time: Option<CpuTimeLimit>,
    handshake: OnceLock<&'static Handshake>,
    connector: RwLock<Option<Arc<dyn ConnectorTransport>>>,
    connections: RwLock<HashMap<u32, Arc<Box<dyn ConnectionTransport>>>>,
    last_connection: AtomicU32,
}

/// The control socket, for the log records and measurements of threads that are in no call.
static CONTROL: OnceLock<Mutex<(UnixStream, FrameWriter)>> = OnceLock::new();

/// Whether the host records measurements.
static IS_RECORDING: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// The socket of the call that this thread serves.
    static CALL_SOCKET: RefCell<Option<Arc<CallSocket>>> = const { RefCell::new(None) };
}

/// Serves a plugin until the host closes the control socket, which is standard input.
///
/// # Errors
/// Standard input is not a control socket, or the limits cannot be set.
pub(super) fn run(options: &WorkerOptions) -> io::Result<()> {
    let control = UnixStream::from(take_stdin()?);
    // The host gets the reason when it has the plugin opened.
    let confined = confinement::confine(options).map_err(|error| error.to_string());
    let log_socket = control.try_clone()?;
    let _ = CONTROL.set(Mutex::new((log_socket, FrameWriter::default())));
    let worker = Arc::new(Worker {
        confined,
        cpu_time: options.limits.cpu_seconds.map(CpuTimeLimit::new),
        handshake: OnceLock::new(),
        connector: RwLock::default(),
        connections: RwLock::default(),
        last_connection: AtomicU32::new(0),
    });
    while let Some(socket) = receive_descriptor(&control)? {
        let worker = Arc::clone(&worker);
        let thread = thread::Builder::new().name("call".to_owned()).stack_size(CALL_STACK);
        thread.spawn(move || worker.serve(UnixStream::from(socket)))?;
    }
    worker.shut_down();
    Ok(())
}

impl Worker {
    /// Serves the calls of one socket, one after the other.
    fn serve(&self, socket: UnixStream) {
        let socket = Arc::new(CallSocket { socket, writer: Mutex::default(), answers: Mutex::default() });
        CALL_SOCKET.set(Some(Arc::clone(&socket)));
        let mut reader = FrameReader::default();
        while let Ok(Some(frame)) = reader.read(&mut &socket.socket) {
            if let Some(limit) = &self.cpu_time {
                limit.extend();
            }
            let time_left = frame.header.time_left;
            let deadline = (time_left != protocol::NO_LIMIT)
                .then(|| Instant::now() + Duration::from_millis(time_left.into()));
            let call = Arc::new(RunningCall {
                socket: Arc::clone(&socket),
                deadline,
                changes_something: frame.header.changes_something(),
                has_ended: Arc::default(),
            });
            let replies = &mut ReplyWriter(&call);
            let connection = abi::during(Arc::clone(&call) as _, || self.answer(frame, replies));
            call.end();
            socket.write(FrameHeader::new(protocol::DONE).about(connection), EMPTY);
            if !socket.flush() {
                return;
            }
            reader.shrink();
        }
    }

    /// Answers a request. Returns the number of the connection that was opened, or 0.
    fn answer(&self, Frame { header, message }: Frame<'_>, replies: &mut ReplyWriter<'_>) -> u32 {
        let operation = Operation(header.detail);
        match header.frame_type {
            protocol::OPEN => replies.write(self.open(message), protocol::ABOUT),
            protocol::LOAD => replies.write(self.make_connector(message), protocol::REPLY),
            protocol::CONNECTOR_CALL => {
                if let Some(connector) = self.connector() {
                    connector.call(operation, message, replies);
                }
            }
            protocol::CONNECT => {
                let made = self.connector().and_then(|connector| connector.connect(message, replies));
                return made.map_or(0, |connection| self.add_connection(Arc::new(connection)));
            }
            protocol::CONNECTION_CALL => {
                let connections = self.connections.read().unwrap_or_else(PoisonError::into_inner);
                let connection = connections.get(&header.connection).cloned();
                drop(connections);
                if let Some(connection) = connection {
                    connection.call(operation, message, replies);
                }
            }
            protocol::CLOSE => {
                let mut connections = self.connections.write().unwrap_or_else(PoisonError::into_inner);
                let closed = connections.remove(&header.connection);
                // Closed without the lock: the connector may take its time.
                drop(connections);
                // Of a call that was given up and still runs in it: that closes it at its end.
                if let Some(connection) = closed.and_then(Arc::into_inner) {
                    connection.close(replies);
                }
            }
            _ => {}
        }
        0
    }

    fn open(&self, message: MessageRef<'_>) -> Result<Message, String> {
        let notes =
            self.confined.as_ref().map_err(|error| format!("its worker cannot be confined: {error}"))?;
        let path = Path::new(message.reader().text().map_err(|error| error.to_string())?);
        let handshake = library::open(path).map_err(|error| error.to_string())?;
        let about = handshake.about().map_err(|refused| refused.to_string())?;
        let _ = self.handshake.set(handshake);
        Ok(protocol::put_about(&about, notes))
    }

    fn make_connector(&self, message: MessageRef<'_>) -> Result<Message, String> {
        let (host, is_recording) = protocol::host(message).map_err(|error| error.to_string())?;
        IS_RECORDING.store(is_recording, Ordering::Relaxed);
        let handshake = self.handshake.get().ok_or("no plugin file was opened")?;
        let (connector, description) =
            client::load(handshake, &host, HostLog).map_err(|error| error.to_string())?;
        let transport = Arc::clone(connector.transport());
        *self.connector.write().unwrap_or_else(PoisonError::into_inner) = Some(transport);
        let mut message = Message::new();
        description.encode(&mut message);
        Ok(message)
    }

    fn connector(&self) -> Option<Arc<dyn ConnectorTransport>> {
        self.connector.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add_connection(&self, connection: Arc<Box<dyn ConnectionTransport>>) -> u32 {
        let number = self.last_connection.fetch_add(1, Ordering::Relaxed) + 1;
        self.connections.write().unwrap_or_else(PoisonError::into_inner).insert(number, connection);
        number
    }

    /// Closes the connections and the connector, then ends the process. As closing runs the author's code, it has a
    /// time-out.
    fn shut_down(&self) {
        let timer = thread::Builder::new().name("shutdown-timer".to_owned()).spawn(|| {
            thread::sleep(SHUTDOWN_TIMEOUT);
            let _ = kill_process(getpid(), Signal::KILL);
        });
        if timer.is_ok() {
            let connections =
                std::mem::take(&mut *self.connections.write().unwrap_or_else(PoisonError::into_inner));
            let watch = abi::CallWatch::new(Some(Instant::now() + SHUTDOWN_TIMEOUT));
            // One that a call still uses is closed by the end of that.
            for connection in connections.into_values().filter_map(Arc::into_inner) {
                watch.during(|| connection.close(&mut Unwanted));
            }
            let connector = self.connector.write().unwrap_or_else(PoisonError::into_inner).take();
            drop(connector);
        }
        // Not `exit`, which would run the plugin's exit handlers while its threads still run.
        let _ = kill_process(getpid(), Signal::KILL);
    }
}

/// The worker's end of a call socket. The call's thread writes to it, and other threads of the connector write log records
/// and progress.
struct CallSocket {
    socket: UnixStream,
    writer: Mutex<SocketWriter>,
    /// Reads the answers of services. Locked while one is asked for.
    answers: Mutex<FrameReader>,
}

#[derive(Default)]
struct SocketWriter {
    frames: FrameWriter,
    is_broken: bool,
}

impl CallSocket {
    /// Writes a frame to the buffer. False: the socket is broken.
    fn write(&self, header: FrameHeader, message: MessageRef<'_>) -> bool {
        self.with_writer(|writer, mut socket| writer.frames.write(&mut socket, header, message))
    }

    fn flush(&self) -> bool {
        self.with_writer(|writer, mut socket| writer.frames.flush(&mut socket))
    }

    /// Writes a frame, and sends it at once.
    fn send(&self, header: FrameHeader, message: MessageRef<'_>) -> bool {
        self.write(header, message) && self.flush()
    }

    fn with_writer(&self, write: impl FnOnce(&mut SocketWriter, &UnixStream) -> io::Result<()>) -> bool {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let writer = &mut *writer;
        writer.is_broken = writer.is_broken || write(writer, &self.socket).is_err();
        !writer.is_broken
    }
}

/// The call that a socket serves, as the connector sees it through its context.
struct RunningCall {
    socket: Arc<CallSocket>,
    deadline: Option<Instant>,
    changes_something: bool,
    has_ended: Arc<AtomicBool>,
}

impl RunningCall {
    /// Ends it for other threads of the connector. Waits for the service that one of them has asked for, because the answer must
    /// be read before the next call of the socket.
    fn end(&self) {
        self.has_ended.store(true, Ordering::Release);
        drop(self.answers());
    }

    fn answers(&self) -> MutexGuard<'_, FrameReader> {
        self.socket.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Caller for RunningCall {
    fn is_cancelled(&self) -> bool {
        // The end of the host's side is the cancellation; before it there may be the answer of a service.
        let mut host = [PollFd::new(&self.socket.socket, PollFlags::RDHUP)];
        self.has_ended.load(Ordering::Acquire) || matches!(poll(&mut host, Some(&AT_ONCE)), Ok(1..))
    }

    fn time_left(&self) -> Option<Duration> {
        if self.is_cancelled() {
            return Some(Duration::ZERO);
        }
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    fn progress(&self, text: &str) {
        if !self.has_ended.load(Ordering::Acquire) {
            self.socket.send(FrameHeader::new(protocol::PROGRESS), protocol::text(text).as_ref());
        }
    }

    /// Without a thread for it the connector still notices the cancellation when it checks.
    fn on_cancel(&self, callback: Box<dyn FnOnce() + Send>) {
        let (socket, has_ended) = (Arc::clone(&self.socket) as _, Arc::clone(&self.has_ended));
        let _ = cancellation_watch::add(Registration { socket, has_ended, callback });
    }

    fn ask(&self, service: Service, request: MessageRef<'_>) -> Message {
        let mut answers = self.answers();
        if self.has_ended.load(Ordering::Acquire) {
            return service.no_answer("the call has ended: a service of the host is for a running call");
        }
        // Also after a cancellation: there is no answer then, but the host still does what it is asked for.
        if !self.socket.send(FrameHeader::new(protocol::SERVICE).with_detail(service.0), request) {
            return service.no_answer("the host does not listen to this call any more");
        }
        let answer = match answers.read(&mut &self.socket.socket) {
            Ok(Some(Frame { header, message })) if header.frame_type == protocol::ANSWER => {
                let mut answer = Message::with_room(message.text.len(), message.marks.len());
                answer.put_message(message);
                answer
            }
            _ => service.no_answer("the call was given up: nobody waits for its answer any more"),
        };
        answers.shrink();
        answer
    }
}

impl AsFd for CallSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Writes the replies to a call to its socket.
struct ReplyWriter<'c>(&'c RunningCall);

impl ReplyWriter<'_> {
    /// Writes the result of opening the plugin or of making its connector.
    fn write(&self, result: Result<Message, String>, frame_type: u32) {
        let socket = &self.0.socket;
        match result {
            Ok(message) => socket.write(FrameHeader::new(frame_type), message.as_ref()),
            Err(reason) => {
                socket.write(FrameHeader::new(protocol::REFUSED), protocol::text(&reason).as_ref())
            }
        };
    }
}

impl ReplyReceiver for ReplyWriter<'_> {
    fn receive(&mut self, kind: Kind, reply: MessageRef<'_>) -> bool {
        let header = FrameHeader::new(protocol::REPLY).with_detail(kind.0);
        // The result of an actor is sent at once: what was saved before a crash is known then.
        let is_result = kind == Kind::SAVED || kind == Kind::NOT_SAVED;
        let socket = &self.0.socket;
        let is_written = if is_result { socket.send(header, reply) } else { socket.write(header, reply) };
        // A call that only reads ends here when it is cancelled. One that changes something goes on: its rows are what it has
        // changed already.
        is_written && (kind != Kind::ROWS || self.0.changes_something || !self.0.is_cancelled())
    }
}

/// Sends log records to the host.
struct HostLog;

impl Log for HostLog {
    fn enabled(&self, level: Level, target: &str) -> bool {
        log_bridge::is_enabled(level, target)
    }

    /// Sent at once: the connector may crash next.
    fn log(&self, record: &Record<'_>) {
        send_record(FrameHeader::new(protocol::LOG), &record.encode());
    }

    fn is_recording(&self) -> bool {
        IS_RECORDING.load(Ordering::Relaxed)
    }

    fn record(&self, measurement: &Measurement<'_>) {
        send_record(FrameHeader::new(protocol::MEASUREMENT), &measurement.encode());
    }
}

/// Sends a log record or a measurement, on the socket of the call that this thread serves.
fn send_record(header: FrameHeader, message: &Message) {
    let socket = CALL_SOCKET.try_with(|socket| socket.borrow().clone()).ok().flatten();
    // The socket of a call that was given up is closed.
    if socket.is_some_and(|socket| socket.send(header, message.as_ref())) {
        return;
    }
    if let Some(control) = CONTROL.get() {
        let (control, frames) = &mut *control.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = frames.write(control, header, message.as_ref()).and_then(|()| frames.flush(control));
    }
}
