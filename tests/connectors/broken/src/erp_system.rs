//! The ERP system behind the connector, which can be slow or away.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use plugin_api::{Context, Error, Result};

/// The ERP system.
pub struct ErpSystem {
    /// The rule that is broken in how it is used.
    rule: u16,
    state: Mutex<ErpState>,
    /// Holds the state instead, as `slow` or `away`.
    file: Option<PathBuf>,
    /// Whether a cancelled call has left the connection useless.
    is_stuck: AtomicBool,
}

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ErpState {
    /// It answers.
    #[default]
    Working,
    /// It does not answer.
    Slow,
    /// It cannot be reached.
    Away,
}

impl ErpSystem {
    pub(crate) fn new(rule: u16, file: Option<PathBuf>) -> Self {
        ErpSystem { rule, state: Mutex::default(), file, is_stuck: AtomicBool::new(false) }
    }

    /// Makes it so.
    pub fn set(&self, state: ErpState) {
        *self.state.lock().unwrap() = state;
    }

    /// How it is.
    pub fn state(&self) -> ErpState {
        match self.file.as_ref().map(std::fs::read_to_string) {
            Some(Ok(text)) if text.trim() == "away" => ErpState::Away,
            Some(Ok(text)) if text.trim() == "slow" => ErpState::Slow,
            _ => *self.state.lock().unwrap(),
        }
    }

    /// Waits for an answer.
    pub(crate) fn reach(&self, cx: &Context) -> Result<()> {
        if self.is_stuck.load(Ordering::Relaxed) {
            return Err(Error::user("the connection is stuck"));
        }
        if self.rule == 1501 && cx.is_cancelled() {
            self.is_stuck.store(true, Ordering::Relaxed);
        }
        cx.check()?;
        match self.state() {
            ErpState::Working => Ok(()),
            ErpState::Away if self.rule == 1504 => Err(Error::user("the ERP system is away")),
            ErpState::Away => Err(Error::unavailable("the ERP system is away")),
            ErpState::Slow => {
                let (cancel, cancelled) = mpsc::channel();
                cx.on_cancel(move || {
                    let _ = cancel.send(());
                });
                let most = Duration::from_secs(30);
                let timeout = if self.rule == 1502 { most } else { cx.timeout(most) };
                match cancelled.recv_timeout(timeout) {
                    Ok(()) => cx.check(),
                    Err(_) => Err(Error::unavailable("the ERP system does not answer")),
                }
            }
        }
    }
}
