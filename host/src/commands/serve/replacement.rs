//! Replaces connectors while they are called: looks into the plugins folder every second, and when it is told to.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::{cards, recorded};
use crate::commands::reload::order::{self, Answer, Taken};
use crate::config::Config;
use crate::reread::Rereading;
use crate::router::Router;
use crate::server::HelpPage;
use erp_host_runtime::{Change, Watched};

/// How often to look. A file counts when two looks have shown it the same.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// After so many looks a reload is answered, though a file is still being written.
const MOST_LOOKS: u32 = 10;

/// What is needed to replace a connector.
pub(super) struct Replacement {
    pub(super) config: Config,
    pub(super) watched: Watched,
    pub(super) router: Arc<Router>,
    pub(super) help: HelpPage,
    pub(super) rereading: Rereading,
}

/// Tells the replacement to look at once. Dropping it ends the replacement, as soon as it is done with what it does.
#[derive(Debug, Clone)]
pub(super) struct Orders(Sender<()>);

impl Orders {
    /// Tries again what could not be loaded, too.
    pub(super) fn reload(&self) {
        // Fails only when the thread is gone, and then there is nothing to tell.
        let _ = self.0.send(());
    }
}

impl Replacement {
    /// Begins to look, in a thread of its own: reading a folder and making a connector may take any time, and a connector
    /// that hangs as it is made must hold up nothing but other plugin files.
    pub(super) fn start(self) -> io::Result<Orders> {
        let (sender, orders) = channel();
        let runtime = Handle::current();
        thread::Builder::new().name("plugins".to_owned()).spawn(move || {
            // For what is let go of here: connections and connectors are closed on the runtime's threads.
            let _entered = runtime.enter();
            self.run(&orders);
        })?;
        Ok(Orders(sender))
    }

    fn run(mut self, orders: &Receiver<()>) {
        let mut next = Instant::now() + LOOK_EVERY;
        let mut reload: Option<Reload> = None;
        let mut is_folder_gone = false;
        loop {
            match orders.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(()) => {
                    reload.get_or_insert_default();
                    continue;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            // One that comes while another one is under way waits: it wants every file to be tried again.
            if reload.as_ref().is_none_or(|reload| reload.looks == 0) {
                let taken = order::take(&self.config.data);
                if !taken.is_empty() {
                    reload.get_or_insert_default().asked_by = taken;
                }
            }
            let again = reload.as_ref().is_some_and(|reload| reload.looks == 0);
            match self.look(again) {
                Ok(changes) => {
                    if let Some(reload) = &mut reload {
                        reload.changes.extend(changes);
                        reload.looks += 1;
                    }
                    is_folder_gone = false;
                }
                Err(error) => {
                    // Said once, not every second.
                    if !is_folder_gone {
                        tracing::error!("{error}; what is loaded serves on");
                    }
                    is_folder_gone = true;
                    if let Some(reload) = &mut reload {
                        reload.looks = MOST_LOOKS;
                        reload.failed = Some(error.to_string());
                    }
                }
            }
            if let Some(ended) =
                reload.take_if(|reload| reload.looks >= MOST_LOOKS || self.watched.is_settled())
            {
                self.answer(ended);
            }
            next = Instant::now() + LOOK_EVERY;
        }
    }

    /// Looks, and lets what has changed serve.
    fn look(&mut self, again: bool) -> Result<Vec<Change>, erp_host_runtime::FolderError> {
        let changes = self.watched.look(&self.config, again)?;
        for change in &changes {
            match change {
                Change::Installed(plugin) | Change::Replaced { plugin, .. } => {
                    self.router.put(plugin.connector.clone());
                }
                Change::Retired { connector, .. } => self.router.remove(connector),
                Change::Renamed { .. } | Change::Refused { .. } => {}
            }
        }
        if !changes.is_empty() {
            self.help.show(&cards(&self.config, self.watched.plugins()));
        }
        let events = changes.iter().map(recorded::change).collect();
        Handle::current().block_on(self.router.record(events, "looking into the plugins folder"));
        // Last: who reads that something was replaced may rely on it.
        changes.iter().for_each(Change::log);
        Ok(changes)
    }

    fn answer(&self, reload: Reload) {
        let unsettled = (reload.failed.is_none() && !self.watched.is_settled())
            .then(|| "a file is still being written; it is loaded when it stays as it is".to_owned());
        // A file may be refused twice: as it was, and as it is now. The last word counts.
        let mut told = HashSet::new();
        let mut changes: Vec<_> =
            reload.changes.iter().rev().filter(|change| told.insert(change.file())).collect();
        changes.reverse();
        let reread = self.rereading.look(true);
        let has_failed =
            changes.iter().any(|change| change.is_refusal()) || reread.iter().any(Result::is_err);
        let changes = changes.iter().map(ToString::to_string);
        let reread = reread.into_iter().map(|looked| looked.unwrap_or_else(|failed| failed));
        let serving = self.watched.plugins().connectors().into_iter().map(|plugin| {
            let (name, version) = (plugin.name(), &plugin.about.version);
            let serving =
                format!("{name} {version} from {} (sha256 {})", plugin.file_name(), plugin.short_hash());
            match plugin.connector.link().trouble() {
                Some(why) => format!("{serving}; {why}"),
                None => serving,
            }
        });
        let answer = Answer {
            has_failed: has_failed || unsettled.is_some() || reload.failed.is_some(),
            changes: changes.chain(reread).chain(unsettled).chain(reload.failed).collect(),
            serving: serving.collect(),
        };
        tracing::info!(changes = answer.changes.len(), "reloaded");
        for taken in reload.asked_by {
            taken.answer(&answer);
        }
    }
}

/// A reload under way: it lasts until nothing in the folder is being written any more.
#[derive(Default)]
struct Reload {
    asked_by: Vec<Taken>,
    changes: Vec<Change>,
    looks: u32,
    failed: Option<String>,
}
