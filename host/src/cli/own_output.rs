//! Standard output of a command that loads plugins.
//!
//! Scripts read it: a table, JSON, or the line that shows that the host is ready. Connectors in this process, and the C
//! libraries below them, print to the same descriptor. So before a plugin is loaded the command takes standard output for
//! itself, and what others print goes elsewhere.

use std::io::{self, Write};

/// The command's own standard output. Each write goes out at once.
#[derive(Debug)]
pub(crate) struct OwnOutput(Taken);

#[cfg(unix)]
type Taken = std::fs::File;

/// Not taken yet: what connectors print there goes to the same place (it takes `SetStdHandle` to change that).
#[cfg(not(unix))]
type Taken = io::Stdout;

/// Logs what others print, line by line.
#[derive(Debug)]
pub(crate) struct PrintedLog(
    #[cfg_attr(not(unix), expect(dead_code, reason = "there is none"))] std::sync::mpsc::Receiver<()>,
);

impl PrintedLog {
    /// Logs what was printed until now, and ends. From now on what others print goes to standard error.
    pub(crate) fn finish(self) {
        #[cfg(unix)]
        if rustix::stdio::dup2_stdout(io::stderr()).is_ok() {
            // It takes longer only if a program that a connector has started still has the pipe.
            let _ = self.0.recv_timeout(std::time::Duration::from_secs(1));
        }
    }
}

#[cfg(unix)]
impl OwnOutput {
    /// Takes standard output. What others print goes to standard error.
    ///
    /// # Errors
    /// The process has too many open files.
    pub(crate) fn take() -> io::Result<Self> {
        let output = OwnOutput::duplicate()?;
        rustix::stdio::dup2_stdout(io::stderr())?;
        Ok(output)
    }

    /// Takes standard output. What others print is logged, line by line.
    ///
    /// # Errors
    /// The process has too many open files or threads.
    pub(crate) fn take_and_log_others() -> io::Result<(Self, PrintedLog)> {
        let output = OwnOutput::duplicate()?;
        let (reader, writer) = io::pipe()?;
        let (ended, end) = std::sync::mpsc::channel();
        std::thread::Builder::new().name("connector output".to_owned()).spawn(move || {
            log_lines(reader);
            // Fails only when nobody waits for it.
            let _ = ended.send(());
        })?;
        rustix::stdio::dup2_stdout(writer)?;
        Ok((output, PrintedLog(end)))
    }

    /// A descriptor of its own, which programs that are started do not inherit.
    fn duplicate() -> io::Result<Self> {
        const FIRST_AFTER_STANDARD_ERROR: i32 = 3;
        let own = rustix::io::fcntl_dupfd_cloexec(io::stdout(), FIRST_AFTER_STANDARD_ERROR)?;
        Ok(OwnOutput(own.into()))
    }

    /// The same output once more.
    ///
    /// # Errors
    /// The process has too many open files.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        self.0.try_clone().map(OwnOutput)
    }
}

#[cfg(not(unix))]
impl OwnOutput {
    /// Standard output.
    ///
    /// # Errors
    /// None.
    #[expect(clippy::unnecessary_wraps, reason = "as on other systems")]
    pub(crate) fn take() -> io::Result<Self> {
        Ok(OwnOutput(io::stdout()))
    }

    /// Standard output.
    ///
    /// # Errors
    /// None.
    pub(crate) fn take_and_log_others() -> io::Result<(Self, PrintedLog)> {
        Ok((OwnOutput::take()?, PrintedLog(std::sync::mpsc::channel().1)))
    }

    /// The same output once more.
    ///
    /// # Errors
    /// None.
    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "as on other systems")]
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        Ok(OwnOutput(io::stdout()))
    }
}

impl Write for OwnOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Logs each line, until nobody can print any more.
#[cfg(unix)]
fn log_lines(printed: io::PipeReader) {
    use std::io::{BufRead, Read};
    /// Bytes of a line that are logged at most; the rest is another line.
    const MAX_LINE: u64 = 8 * 1024;
    let mut printed = io::BufReader::new(printed);
    loop {
        let mut line = Vec::new();
        match printed.by_ref().take(MAX_LINE).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let line = String::from_utf8_lossy(&line);
        if !line.trim().is_empty() {
            tracing::warn!("printed by a connector in the host's process: {}", line.trim_end());
        }
    }
}
