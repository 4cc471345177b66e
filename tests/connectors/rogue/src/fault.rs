//! The faults that the connector can be made to have.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use plugin_api::{Error, ErrorKind, Result, Rows};

use crate::process_state;

/// A fault, written as `word` or `word:number`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// `panic`: panics with a message.
    Panic,
    /// `panic-any`: panics with a value that is not text and whose drop panics too.
    PanicAny,
    /// `own-hook`: sets a panic hook of its own, then panics.
    OwnHook,
    /// `panic-after:N`: pushes N rows, then panics.
    PanicAfter(u32),
    /// `panic-in-error`: returns an error whose text panics.
    PanicInError,
    /// `error`: returns an error with a cause and a code.
    Error,
    /// The name of a kind of failure, with `-` for a space: returns an error of that kind.
    OfKind(ErrorKind),
    /// `reopen-once`: the first call with it in a process returns an error that asks to open the connection again.
    ReopenOnce,
    /// `error-after:N`: pushes N rows, then returns an error.
    ErrorAfter(u32),
    /// `unfinished`: begins a row and drops it before its end.
    Unfinished,
    /// `huge:N`: N rows of 20 fields.
    Huge(u32),
    /// `block`: waits until another call has the fault `release`.
    Block,
    /// `release`: ends the waiting of all calls that `block` or are `busy`.
    Release,
    /// `sleep:N`: takes N milliseconds.
    Sleep(u32),
    /// `log`: logs in every way there is.
    Log,
    /// `log-nothing:N`: N records below the host's level.
    LogNothing(u32),
    /// `thread`: logs from a thread of its own.
    Thread,
    /// `panic-thread`: panics in a detached thread.
    PanicThread,
    /// `panic-twice`: panics while it panics, which ends the process.
    PanicTwice,
    /// `abort`: ends the process with `abort`, as C code does.
    Abort,
    /// `exit:N`: ends the process with this code.
    Exit(u32),
    /// `segfault`: ends the process as an access to unmapped memory does.
    Segfault,
    /// `overflow`: calls itself until there is no stack left.
    Overflow,
    /// `busy`: computes until another call has the fault `release`.
    Busy,
    /// `leak:N`: allocates N MiB, writes to them and never frees them.
    Leak(u32),
    /// `open:N`: opens N files and never closes them.
    Open(u32),
    /// `flood`: rows without end.
    Flood,
    /// `slow:N`: N rows, each after a while.
    Slow(u32),
    /// `nul`: a row with a NUL character in a value.
    Nul,
    /// `long-key`: a row with a key of a mebibyte.
    LongKey,
    /// `long-name`: a row with a field whose key is a mebibyte long.
    LongName,
    /// `print`: writes to standard output and standard error.
    Print,
    /// `print:N`: writes N long lines to standard output.
    PrintMuch(u32),
    /// `chdir`: changes the working directory of the process.
    ChangeFolder,
    /// `umask`: lets everybody read and write what the process creates from now on.
    Umask,
    /// `env`: changes and removes environment variables of the process.
    Environment,
    /// `sigchld`, `sigterm`: ignores the signal in the whole process; `sigpipe`: lets it end the process.
    Signal(process_state::Disposition),
}

/// How often `release` was called, and the calls that wait for it.
static RELEASED: (Mutex<u64>, Condvar) = (Mutex::new(0), Condvar::new());

/// Whether a call had the fault `reopen-once`.
static REOPENED: AtomicBool = AtomicBool::new(false);

impl Fault {
    /// Parses a fault; `None` for any other text.
    pub fn parse(text: &str) -> Option<Fault> {
        let (word, number) = text.split_once(':').unwrap_or((text, ""));
        let number = number.parse().unwrap_or(1);
        Some(match word {
            "panic" => Fault::Panic,
            "panic-any" => Fault::PanicAny,
            "own-hook" => Fault::OwnHook,
            "panic-after" => Fault::PanicAfter(number),
            "panic-in-error" => Fault::PanicInError,
            "error" => Fault::Error,
            "reopen-once" => Fault::ReopenOnce,
            "error-after" => Fault::ErrorAfter(number),
            "unfinished" => Fault::Unfinished,
            "huge" => Fault::Huge(number),
            "block" => Fault::Block,
            "release" => Fault::Release,
            "sleep" => Fault::Sleep(number),
            "log" => Fault::Log,
            "log-nothing" => Fault::LogNothing(number),
            "thread" => Fault::Thread,
            "panic-thread" => Fault::PanicThread,
            "panic-twice" => Fault::PanicTwice,
            "abort" => Fault::Abort,
            "exit" => Fault::Exit(number),
            "segfault" => Fault::Segfault,
            "overflow" => Fault::Overflow,
            "busy" => Fault::Busy,
            "leak" => Fault::Leak(number),
            "open" => Fault::Open(number),
            "flood" => Fault::Flood,
            "slow" => Fault::Slow(number),
            "nul" => Fault::Nul,
            "long-key" => Fault::LongKey,
            "long-name" => Fault::LongName,
            "print" if number > 1 => Fault::PrintMuch(number),
            "print" => Fault::Print,
            "chdir" => Fault::ChangeFolder,
            "umask" => Fault::Umask,
            "env" => Fault::Environment,
            "sigchld" => Fault::Signal(process_state::Disposition::IgnoreChild),
            "sigterm" => Fault::Signal(process_state::Disposition::IgnoreTerminate),
            "sigpipe" => Fault::Signal(process_state::Disposition::DefaultPipe),
            word => {
                let is_word = |kind: &&ErrorKind| kind.as_str().replace(' ', "-") == word;
                Fault::OfKind(*ErrorKind::ALL.iter().find(is_word)?)
            }
        })
    }

    /// Has the fault in a method that answers with rows.
    ///
    /// # Errors
    /// The fault is an error.
    pub fn run_with(self, rows: &mut Rows<'_>) -> Result<()> {
        match self {
            Fault::PanicAfter(count) | Fault::ErrorAfter(count) | Fault::Huge(count) => push(rows, count)?,
            Fault::Unfinished => drop(rows.row("unfinished").field("NAME", "lost")),
            Fault::Flood => push(rows, u32::MAX)?,
            Fault::Slow(count) => {
                for key in 1..=count {
                    thread::sleep(Duration::from_millis(5));
                    rows.row(key).field("NAME", "slow").end()?;
                }
            }
            Fault::Nul => rows.row(1).field("NAME", "a\0b").end()?,
            Fault::LongKey => rows.row("k".repeat(1 << 20)).field("NAME", "long").end()?,
            Fault::LongName => rows.row(1).field(&"N".repeat(1 << 20), "long").end()?,
            _ => {}
        }
        self.run()
    }

    /// Has the fault in a method that answers without rows.
    ///
    /// # Errors
    /// The fault is an error.
    #[allow(clippy::panic, clippy::exit)] // What this connector is for.
    pub fn run(self) -> Result<()> {
        match self {
            Fault::Panic | Fault::PanicAfter(_) => panic!("rogue panic, caf\u{e9}"),
            Fault::OwnHook => {
                std::panic::set_hook(Box::new(|_| {}));
                panic!("a panic with a hook of its own");
            }
            Fault::PanicAny => std::panic::panic_any(PanicsInDrop),
            Fault::PanicInError => return Err(PanicsInDisplay.into()),
            Fault::Error | Fault::ErrorAfter(_) => {
                let cause = std::io::Error::other("the disk is on fire");
                return Err(Error::user("US:\"rogue error\";NO:\"slem feil\"")
                    .code("ROGUE")
                    .caused_by(cause));
            }
            Fault::OfKind(kind) => return Err(Error::new(kind, "rogue failure").tech("as it was asked for")),
            Fault::ReopenOnce => {
                if !REOPENED.swap(true, Ordering::SeqCst) {
                    return Err(Error::reopen("the session has ended"));
                }
            }
            Fault::Block => {
                tracing::info!("waiting for a release");
                let (count, released) = &RELEASED;
                let count = count.lock().unwrap_or_else(PoisonError::into_inner);
                let before = *count;
                drop(released.wait_while(count, |count| *count == before));
            }
            Fault::Release => {
                *RELEASED.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
                RELEASED.1.notify_all();
            }
            Fault::Sleep(milliseconds) => thread::sleep(Duration::from_millis(milliseconds.into())),
            Fault::Log => log_in_every_way(),
            Fault::LogNothing(count) => (0..count).for_each(|number| tracing::trace!(number, "nothing")),
            Fault::Thread => {
                let thread = thread::spawn(|| tracing::info!(answer = 42, "from a thread"));
                return thread.join().map_err(|_| Error::user("the thread panicked"));
            }
            Fault::PanicThread => drop(thread::spawn(|| panic!("rogue panic in a thread"))),
            Fault::PanicTwice => {
                let _again = PanicsInDrop;
                panic!("the first of two panics");
            }
            Fault::Abort => std::process::abort(),
            Fault::Exit(code) => std::process::exit(i32::try_from(code).unwrap_or(1)),
            Fault::Segfault => segfault(),
            Fault::Overflow => {
                overflow(&[0; 1024]);
            }
            Fault::Busy => {
                let before = *RELEASED.0.lock().unwrap_or_else(PoisonError::into_inner);
                while *RELEASED.0.lock().unwrap_or_else(PoisonError::into_inner) == before {
                    std::hint::spin_loop();
                }
            }
            // One by one, so that memory runs out in the middle and not at once.
            Fault::Leak(count) => (0..count).for_each(|_| std::mem::forget(vec![1_u8; 1 << 20])),
            Fault::Open(count) => {
                for _ in 0..count {
                    std::mem::forget(std::fs::File::open("/dev/null")?);
                }
            }
            #[allow(clippy::print_stdout, clippy::print_stderr)]
            Fault::Print => {
                println!("printed by the rogue");
                eprintln!("complained by the rogue");
            }
            #[allow(clippy::print_stdout)]
            Fault::PrintMuch(count) => {
                (0..count).for_each(|number| println!("line {number} {}", "x".repeat(200)))
            }
            Fault::ChangeFolder => std::env::set_current_dir("/")?,
            Fault::Umask => process_state::allow_everything(),
            Fault::Environment => process_state::change_environment(),
            Fault::Signal(disposition) => disposition.set(),
            Fault::Unfinished
            | Fault::Huge(_)
            | Fault::Flood
            | Fault::Slow(_)
            | Fault::Nul
            | Fault::LongKey
            | Fault::LongName => {}
        }
        Ok(())
    }
}

/// Sends this process SIGSEGV until it ends: the handler of the standard library, which looks for stack overflows, resets
/// itself at the first one and returns.
#[cfg(unix)]
fn segfault() -> ! {
    loop {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::SEGV);
    }
}

#[cfg(not(unix))]
fn segfault() -> ! {
    std::process::abort()
}

/// Uses stack without end, in a way that the compiler does not optimise away.
#[allow(unconditional_recursion)] // What it is for.
fn overflow(before: &[u8; 1024]) -> usize {
    let here = std::hint::black_box(*before);
    1 + overflow(&here) + usize::from(std::hint::black_box(here)[0])
}

fn push(rows: &mut Rows<'_>, count: u32) -> Result<()> {
    const KEYS: [&str; 20] = [
        "NAME",
        "NUMBER1",
        "POSTALAD1",
        "POSTALAD2",
        "POSTALZIP",
        "POSTALCITY",
        "STREETAD1",
        "STREETAD2",
        "STREETZIP",
        "STREETCITY",
        "PHONE1",
        "PHONE2",
        "FAX",
        "EMAIL",
        "URL",
        "TEXT1",
        "TEXT2",
        "TEXT3",
        "TEXT4",
        "TEXT5",
    ];
    for key in 1..=count {
        let mut row = rows.row(key);
        row.last_modified("2026-01-01T00:00:00");
        for name in KEYS {
            row.field(name, "a value of usual length");
        }
        row.end()?;
    }
    Ok(())
}

fn log_in_every_way() {
    let span = tracing::info_span!("rogue", secret = "spans stay here");
    let _entered = span.enter();
    tracing::error!("an error");
    tracing::info!(target: "rogue::target", number = 7, text = "plain", shown = ?Some("debug"), "with fields");
    tracing::info!(only = true);
    tracing::trace!("a trace");
    log::warn!("from the log crate");
}

/// Panics when it is dropped.
struct PanicsInDrop;

impl Drop for PanicsInDrop {
    #[allow(clippy::panic)] // What it is for.
    fn drop(&mut self) {
        panic!("in the drop of a panic");
    }
}

/// An error whose `Display` panics.
#[derive(Debug)]
struct PanicsInDisplay;

impl fmt::Display for PanicsInDisplay {
    #[allow(clippy::panic)] // What it is for.
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("in the text of an error");
    }
}

impl std::error::Error for PanicsInDisplay {}
