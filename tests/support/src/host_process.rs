//! Runs the program `erp-host` and stops it again.

use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, ToSocketAddrs};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A start that takes longer than this hangs.
const START_DEADLINE: Duration = Duration::from_secs(60);

/// A running `erp-host serve`. Dropping it kills the program.
#[derive(Debug)]
pub struct HostProcess {
    child: Child,
    url: String,
    address: SocketAddr,
    log: Arc<Mutex<Log>>,
    readers: Vec<std::thread::JoinHandle<()>>,
}

/// What the program has written to standard error: kept until somebody follows it.
#[derive(Debug, Default)]
struct Log {
    lines: Vec<String>,
    follow: bool,
}

impl HostProcess {
    /// Starts this command and waits until it says `listening on http://ADDR/...` (or `https`) on standard output.
    ///
    /// # Errors
    /// It cannot be run, ends, or says nothing for a minute; the error holds what it wrote to standard error.
    pub fn start(mut command: Command) -> Result<Self, Box<dyn Error>> {
        command.stderr(Stdio::piped());
        HostProcess::start_as_it_is(command)
    }

    /// The same, with the program's log in a file.
    ///
    /// # Errors
    /// As above; what it wrote is in the file.
    pub fn start_with_log(mut command: Command, log: File) -> Result<Self, Box<dyn Error>> {
        command.stderr(log);
        HostProcess::start_as_it_is(command)
    }

    fn start_as_it_is(mut command: Command) -> Result<Self, Box<dyn Error>> {
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = command.spawn().map_err(|error| format!("cannot run {program}: {error}"))?;

        let log = Arc::new(Mutex::new(Log::default()));
        let mut readers = Vec::new();
        if let Some(stderr) = child.stderr.take() {
            readers.push(collect(stderr, Arc::clone(&log)));
        }
        let (sender, listening) = mpsc::channel();
        if let Some(stdout) = child.stdout.take() {
            readers.push(std::thread::spawn(move || {
                // Goes on to the end, so that the program never writes into a closed pipe.
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    if let Some(url) = line.strip_prefix("listening on ") {
                        let _ = sender.send(url.trim().to_owned());
                    }
                }
            }));
        }
        let mut process =
            HostProcess { child, url: String::new(), address: ([0, 0, 0, 0], 0).into(), log, readers };
        process.url = process.await_listening(&listening)?;
        process.address = address_of(&process.url)?;
        Ok(process)
    }

    /// The endpoint's URL, as the program printed it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process ID.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to standard error so far, unless that is being followed.
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).lines.join("\n")
    }

    /// Shows what it has written, and from now on every line, on our own standard error.
    pub fn follow_log(&self) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        for line in log.lines.drain(..) {
            eprintln!("{line}");
        }
        log.follow = true;
    }

    /// Asks it to finish the calls that run and to end (SIGTERM). Where there are no signals it is killed.
    ///
    /// # Errors
    /// The system refuses.
    pub fn ask_to_stop(&mut self) -> Result<(), Box<dyn Error>> {
        #[cfg(unix)]
        self.signal(rustix::process::Signal::TERM)?;
        #[cfg(not(unix))]
        self.child.kill()?;
        Ok(())
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// The system refuses.
    #[cfg(unix)]
    pub fn signal(&self, signal: rustix::process::Signal) -> Result<(), Box<dyn Error>> {
        use rustix::process::{Pid, kill_process};
        let id = Pid::from_raw(i32::try_from(self.child.id())?).ok_or("no process ID")?;
        Ok(kill_process(id, signal)?)
    }

    /// Ends it at once (SIGKILL), as a crash or a power cut would.
    ///
    /// # Errors
    /// The system refuses.
    pub fn kill(&mut self) -> Result<ExitStatus, Box<dyn Error>> {
        self.child.kill()?;
        self.wait()
    }

    /// How it ended; `None` while it runs.
    ///
    /// # Errors
    /// The system cannot say.
    pub fn has_ended(&mut self) -> Result<Option<ExitStatus>, Box<dyn Error>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits until it ends, and until everything it wrote was read.
    ///
    /// # Errors
    /// The system cannot say.
    pub fn wait(&mut self) -> Result<ExitStatus, Box<dyn Error>> {
        let status = self.child.wait()?;
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        Ok(status)
    }

    /// Asks it to stop, and waits.
    ///
    /// # Errors
    /// The system refuses.
    pub fn stop(mut self) -> Result<ExitStatus, Box<dyn Error>> {
        self.ask_to_stop()?;
        self.wait()
    }

    fn await_listening(&mut self, listening: &Receiver<String>) -> Result<String, Box<dyn Error>> {
        let problem = match listening.recv_timeout(START_DEADLINE) {
            Ok(url) => return Ok(url),
            Err(RecvTimeoutError::Disconnected) => format!("ended with {}", self.wait()?),
            Err(RecvTimeoutError::Timeout) => {
                self.kill()?;
                format!("did not listen within {} seconds", START_DEADLINE.as_secs())
            }
        };
        Err(format!("erp-host {problem}:\n{}", self.log()).into())
    }
}

impl Drop for HostProcess {
    fn drop(&mut self) {
        // Nothing to be done about a process that cannot be killed or has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(stream: impl Read + Send + 'static, log: Arc<Mutex<Log>>) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            if log.follow { eprintln!("{line}") } else { log.lines.push(line) }
        }
    })
}

fn address_of(url: &str) -> Result<SocketAddr, Box<dyn Error>> {
    let (_scheme, rest) = url.split_once("://").unwrap_or_default();
    let authority = rest.split('/').next().unwrap_or_default();
    let mut addresses =
        authority.to_socket_addrs().map_err(|error| format!("{url:?} has no address: {error}"))?;
    Ok(addresses.next().ok_or_else(|| format!("{url:?} has no address"))?)
}
