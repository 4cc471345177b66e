//! What the connector does on command.

use std::fmt;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use plugin_api::{Error, Result, Rows};

/// What a command makes it do, as `word` or `word:number`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// `panic`: panics with a message.
    Panic,
    /// `panic-any`: panics with something that is no text and whose drop panics too.
    PanicAny,
    /// `own-hook`: sets a panic hook of its own, then panics.
    OwnHook,
    /// `panic-after:N`: pushes N rows, then panics.
    PanicAfter(u32),
    /// `panic-in-error`: returns an error whose text panics.
    PanicInError,
    /// `error`: returns an error with a cause and a code.
    Error,
    /// `error-after:N`: pushes N rows, then returns an error.
    ErrorAfter(u32),
    /// `unfinished`: begins a row and forgets it.
    Unfinished,
    /// `huge:N`: N rows of 20 fields.
    Huge(u32),
    /// `block`: waits until somebody else says `release`.
    Block,
    /// `release`: lets those go that wait.
    Release,
    /// `sleep:N`: takes N milliseconds.
    Sleep(u32),
    /// `log`: logs in every way there is.
    Log,
    /// `log-nothing:N`: N records that nobody wants.
    LogNothing(u32),
    /// `thread`: logs from a thread of its own.
    Thread,
    /// `panic-thread`: panics in a thread of its own, which nobody waits for.
    PanicThread,
    /// `panic-twice`: panics while it panics, which ends the process.
    PanicTwice,
    /// `abort`: ends the process, as C code does that gives up.
    Abort,
    /// `exit:N`: ends the process with this code.
    Exit(u32),
    /// `segfault`: touches memory that is not there, as far as the system can tell.
    Segfault,
    /// `overflow`: calls itself until there is no stack left.
    Overflow,
    /// `busy`: computes until somebody else says `release`.
    Busy,
    /// `leak:N`: takes N MiB, fills them and never gives them back.
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
}

/// How often `release` was said, and those who wait for it.
static RELEASED: (Mutex<u64>, Condvar) = (Mutex::new(0), Condvar::new());

impl Deed {
    /// Reads a command; `None` when it is none.
    pub fn parse(command: &str) -> Option<Deed> {
        let (word, number) = command.split_once(':').unwrap_or((command, ""));
        let number = number.parse().unwrap_or(1);
        Some(match word {
            "panic" => Deed::Panic,
            "panic-any" => Deed::PanicAny,
            "own-hook" => Deed::OwnHook,
            "panic-after" => Deed::PanicAfter(number),
            "panic-in-error" => Deed::PanicInError,
            "error" => Deed::Error,
            "error-after" => Deed::ErrorAfter(number),
            "unfinished" => Deed::Unfinished,
            "huge" => Deed::Huge(number),
            "block" => Deed::Block,
            "release" => Deed::Release,
            "sleep" => Deed::Sleep(number),
            "log" => Deed::Log,
            "log-nothing" => Deed::LogNothing(number),
            "thread" => Deed::Thread,
            "panic-thread" => Deed::PanicThread,
            "panic-twice" => Deed::PanicTwice,
            "abort" => Deed::Abort,
            "exit" => Deed::Exit(number),
            "segfault" => Deed::Segfault,
            "overflow" => Deed::Overflow,
            "busy" => Deed::Busy,
            "leak" => Deed::Leak(number),
            "open" => Deed::Open(number),
            "flood" => Deed::Flood,
            "slow" => Deed::Slow(number),
            "nul" => Deed::Nul,
            "long-key" => Deed::LongKey,
            "long-name" => Deed::LongName,
            "print" => Deed::Print,
            _ => return None,
        })
    }

    /// Does it, in a method that answers with rows.
    ///
    /// # Errors
    /// It was told to.
    pub fn run_with(self, rows: &mut Rows<'_>) -> Result<()> {
        match self {
            Deed::PanicAfter(count) | Deed::ErrorAfter(count) | Deed::Huge(count) => push(rows, count)?,
            Deed::Unfinished => drop(rows.row("unfinished").field("NAME", "lost")),
            Deed::Flood => push(rows, u32::MAX)?,
            Deed::Slow(count) => {
                for key in 1..=count {
                    thread::sleep(Duration::from_millis(5));
                    rows.row(key).field("NAME", "slow").end()?;
                }
            }
            Deed::Nul => rows.row(1).field("NAME", "a\0b").end()?,
            Deed::LongKey => rows.row("k".repeat(1 << 20)).field("NAME", "long").end()?,
            Deed::LongName => rows.row(1).field(&"N".repeat(1 << 20), "long").end()?,
            _ => {}
        }
        self.run()
    }

    /// Does it, in a method that answers without rows.
    ///
    /// # Errors
    /// It was told to.
    #[allow(clippy::panic, clippy::exit)] // What this connector is for.
    pub fn run(self) -> Result<()> {
        match self {
            Deed::Panic | Deed::PanicAfter(_) => panic!("rogue panic, caf\u{e9}"),
            Deed::OwnHook => {
                std::panic::set_hook(Box::new(|_| {}));
                panic!("told to nobody");
            }
            Deed::PanicAny => std::panic::panic_any(PanicsInDrop),
            Deed::PanicInError => return Err(PanicsInDisplay.into()),
            Deed::Error | Deed::ErrorAfter(_) => {
                let cause = std::io::Error::other("the disk is on fire");
                return Err(Error::user("US:\"rogue error\";NO:\"slem feil\"")
                    .code("ROGUE")
                    .caused_by(cause));
            }
            Deed::Block => {
                tracing::info!("waiting for a release");
                let (count, released) = &RELEASED;
                let count = count.lock().unwrap_or_else(PoisonError::into_inner);
                let before = *count;
                drop(released.wait_while(count, |count| *count == before));
            }
            Deed::Release => {
                *RELEASED.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
                RELEASED.1.notify_all();
            }
            Deed::Sleep(milliseconds) => thread::sleep(Duration::from_millis(milliseconds.into())),
            Deed::Log => log_in_every_way(),
            Deed::LogNothing(count) => (0..count).for_each(|number| tracing::trace!(number, "nothing")),
            Deed::Thread => {
                let thread = thread::spawn(|| tracing::info!(answer = 42, "from a thread"));
                return thread.join().map_err(|_| Error::user("the thread panicked"));
            }
            Deed::PanicThread => drop(thread::spawn(|| panic!("rogue panic in a thread"))),
            Deed::PanicTwice => {
                let _again = PanicsInDrop;
                panic!("the first of two panics");
            }
            Deed::Abort => std::process::abort(),
            Deed::Exit(code) => std::process::exit(i32::try_from(code).unwrap_or(1)),
            Deed::Segfault => segfault(),
            Deed::Overflow => {
                overflow(&[0; 1024]);
            }
            Deed::Busy => {
                let before = *RELEASED.0.lock().unwrap_or_else(PoisonError::into_inner);
                while *RELEASED.0.lock().unwrap_or_else(PoisonError::into_inner) == before {
                    std::hint::spin_loop();
                }
            }
            // One by one, so that memory runs out in the middle and not at once.
            Deed::Leak(count) => (0..count).for_each(|_| std::mem::forget(vec![1_u8; 1 << 20])),
            Deed::Open(count) => {
                for _ in 0..count {
                    std::mem::forget(std::fs::File::open("/dev/null")?);
                }
            }
            #[allow(clippy::print_stdout, clippy::print_stderr)]
            Deed::Print => {
                println!("printed by the rogue");
                eprintln!("complained by the rogue");
            }
            Deed::Unfinished
            | Deed::Huge(_)
            | Deed::Flood
            | Deed::Slow(_)
            | Deed::Nul
            | Deed::LongKey
            | Deed::LongName => {}
        }
        Ok(())
    }
}

/// What the system does to a process that touches memory which is not there. Twice, for the first time is taken for a
/// stack that ran out by whoever looks after those.
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

/// Takes stack without end, which the compiler must not see.
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

/// An error whose text cannot be had.
#[derive(Debug)]
struct PanicsInDisplay;

impl fmt::Display for PanicsInDisplay {
    #[allow(clippy::panic)] // What it is for.
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("in the text of an error");
    }
}

impl std::error::Error for PanicsInDisplay {}
