//! Changes the state of the whole process, as C libraries do without asking.

// What a C library does is unsafe in Rust.
#![allow(unsafe_code)]

/// What the process does at a signal from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// Ignores SIGCHLD: exit codes of child processes are lost.
    IgnoreChild,
    /// Ignores SIGTERM.
    IgnoreTerminate,
    /// Ends at SIGPIPE, as C programs do.
    DefaultPipe,
}

#[cfg(unix)]
impl Disposition {
    /// Sets it.
    pub(crate) fn set(self) {
        let (signal, action) = match self {
            Disposition::IgnoreChild => (libc::SIGCHLD, libc::SIG_IGN),
            Disposition::IgnoreTerminate => (libc::SIGTERM, libc::SIG_IGN),
            Disposition::DefaultPipe => (libc::SIGPIPE, libc::SIG_DFL),
        };
        // SAFETY: neither of the two actions runs code in a handler.
        unsafe { libc::signal(signal, action) };
    }
}

#[cfg(not(unix))]
impl Disposition {
    /// There are no such signals.
    #[allow(clippy::unused_self)] // As on other systems.
    pub(crate) fn set(self) {}
}

/// Lets everybody read and write what the process creates from now on.
#[cfg(unix)]
pub(crate) fn allow_everything() {
    // SAFETY: it has no preconditions.
    unsafe { libc::umask(0) };
}

/// There is no such mask.
#[cfg(not(unix))]
pub(crate) fn allow_everything() {}

/// Changes and removes variables that libraries read.
pub(crate) fn change_environment() {
    // SAFETY: not sound, as in every C library that does it: another thread may read the environment. The host must not,
    // which is what this tests; the standard library's own readers take a lock.
    unsafe {
        std::env::set_var("TZ", "Asia/Tokyo");
        std::env::set_var("HTTP_PROXY", "http://127.0.0.1:1");
        std::env::set_var("TMPDIR", "/nowhere");
        std::env::remove_var("PATH");
        std::env::remove_var("LANG");
    }
}
