//! Lines on their way to standard error. Writing each one by itself costs a call as much as reading its request: when many
//! come, they are written some milliseconds later and many at once.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// How long a line may wait for others.
const WAIT: Duration = Duration::from_millis(5);
/// Bytes that do not wait any longer: whoever has one line more writes them.
const MANY: usize = 256 * 1024;

/// The lines of this process.
#[derive(Clone)]
pub(super) struct Lines(Arc<Shared>);

struct Shared {
    waiting: Mutex<Waiting>,
    /// Wakes the thread that writes what has waited.
    some: Condvar,
    /// Taken before `waiting` is emptied, so that lines keep their order.
    output: Mutex<Output>,
}

struct Waiting {
    lines: Vec<u8>,
    /// Until when what comes is written later.
    busy_until: Instant,
    /// Whether the thread waits to be told of lines.
    is_idle: bool,
}

struct Output {
    to: Box<dyn Write + Send>,
    /// What was written last; its memory is used again.
    written: Vec<u8>,
}

impl Lines {
    /// Lines that go there. The second one writes what still waits when it is dropped.
    pub(super) fn start(to: impl Write + Send + 'static) -> io::Result<(Self, Rest)> {
        let waiting = Waiting { lines: Vec::new(), busy_until: Instant::now(), is_idle: false };
        let output = Output { to: Box::new(to), written: Vec::new() };
        let shared = Arc::new(Shared {
            waiting: Mutex::new(waiting),
            some: Condvar::new(),
            output: Mutex::new(output),
        });
        let lines = Lines(Arc::clone(&shared));
        thread::Builder::new().name("log".to_owned()).spawn(move || shared.write_later())?;
        Ok((lines.clone(), Rest(lines)))
    }

    fn add(&self, line: &[u8], at_once: bool) {
        let mut waiting = self.0.waiting();
        waiting.lines.extend_from_slice(line);
        let now = Instant::now();
        if at_once || now >= waiting.busy_until || waiting.lines.len() >= MANY {
            waiting.busy_until = now + WAIT;
            drop(waiting);
            self.0.write();
        } else if waiting.is_idle {
            waiting.is_idle = false;
            self.0.some.notify_one();
        }
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what waits.
    fn write(&self) {
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        let Output { to, written } = &mut *output;
        written.clear();
        std::mem::swap(written, &mut self.waiting().lines);
        // Nobody is left to be told that there is no log.
        let _ = to.write_all(written).and_then(|()| to.flush());
    }

    /// Writes, a little after they came, the lines that nobody wrote who had one.
    fn write_later(&self) {
        loop {
            let mut waiting = self.waiting();
            while waiting.lines.is_empty() {
                waiting.is_idle = true;
                waiting = self.some.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            }
            waiting.is_idle = false;
            drop(waiting);
            thread::sleep(WAIT);
            self.write();
            // Those who come meanwhile need not write themselves.
            self.waiting().busy_until = Instant::now() + WAIT;
        }
    }
}

/// Writes what waits when it is dropped, and when it is told to.
#[derive(Clone)]
#[must_use]
pub struct Rest(Lines);

impl Rest {
    /// Writes what waits.
    pub fn write(&self) {
        self.0.0.write();
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        self.write();
    }
}

/// A line at a time.
pub(super) struct Line<'l> {
    lines: &'l Lines,
    at_once: bool,
}

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.lines.add(line, self.at_once);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'l> MakeWriter<'l> for Lines {
    type Writer = Line<'l>;

    fn make_writer(&'l self) -> Line<'l> {
        Line { lines: self, at_once: true }
    }

    /// What tells of trouble does not wait: the process may be about to end.
    fn make_writer_for(&'l self, about: &Metadata<'_>) -> Line<'l> {
        Line { lines: self, at_once: *about.level() <= Level::WARN }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Keeps what was written, and tells of it.
    #[derive(Clone)]
    struct Kept(Arc<Mutex<Vec<u8>>>, mpsc::Sender<usize>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            let _ = self.1.send(bytes.len());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn no_line_is_lost_or_comes_before_an_earlier_one() {
        let (sender, written) = mpsc::channel();
        let kept = Kept(Arc::default(), sender);
        let (lines, rest) = Lines::start(kept.clone()).unwrap();
        thread::scope(|scope| {
            for writer in 0..4 {
                let lines = lines.clone();
                scope.spawn(move || {
                    for number in 0..5_000 {
                        lines.add(format!("{writer} {number}\n").as_bytes(), number % 100 == 0);
                    }
                });
            }
        });
        drop(rest);
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        for writer in 0..4 {
            let own = text.lines().filter_map(|line| line.strip_prefix(&format!("{writer} ")));
            let expected = (0..5_000).map(|number: u32| number.to_string());
            assert!(own.eq(expected), "the lines of writer {writer}");
        }
        assert!(written.try_iter().count() < 20_000, "many lines are written at once");
    }

    #[test]
    fn a_line_comes_without_another_one() {
        let (sender, written) = mpsc::channel();
        let (lines, _rest) = Lines::start(Kept(Arc::default(), sender)).unwrap();
        lines.add(b"first\n", false);
        // In a busy time: it waits, and is written though nothing follows.
        lines.add(b"second\n", false);
        let bytes = written.iter().take_while_inclusive_sum("first\nsecond\n".len());
        assert_eq!(bytes, "first\nsecond\n".len());
    }

    /// Takes numbers until they come to a sum.
    trait Sum: Iterator<Item = usize> + Sized {
        fn take_while_inclusive_sum(mut self, enough: usize) -> usize {
            let mut sum = 0;
            while sum < enough {
                sum += self.next().unwrap();
            }
            sum
        }
    }

    impl<I: Iterator<Item = usize>> Sum for I {}
}
