//! Hot reload of plugins: scans the plugins folder every second and on request, and routes calls to what it finds.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::{cards, plugin_events};
use crate::config::Config;
use crate::control::{self, ReceivedRequest, ReloadReport, Serving};
use crate::server::HelpPage;
use erp_host_files::hot_reload::FileReloader;
use erp_host_router::Router;
use erp_host_runtime::{Change, FolderError, Plugin, PluginWatcher};

/// Time between two scans. A file is loaded when two scans have shown it the same.
const SCAN_INTERVAL: Duration = Duration::from_secs(1);

/// After so many scans a reload ends, although a file is still being written.
const MAX_SCANS: u32 = 10;

/// What hot reload of plugins works on.
pub(super) struct PluginReload {
    pub(super) config: Config,
    pub(super) watcher: PluginWatcher,
    pub(super) router: Arc<Router>,
    pub(super) help: HelpPage,
    pub(super) file_reloader: FileReloader,
}

/// Starts a reload at once. When all clones are dropped, hot reload ends after the scan that it is at.
#[derive(Debug, Clone)]
pub(super) struct ReloadTrigger(Sender<()>);

impl ReloadTrigger {
    /// Reloads, including files that could not be loaded before.
    pub(super) fn reload(&self) {
        // Fails only when the thread has ended.
        let _ = self.0.send(());
    }
}

impl PluginReload {
    /// Starts the thread of hot reload. It is a thread of its own because a folder may be slow and a connector may hang
    /// while it is created.
    pub(super) fn start(self) -> io::Result<ReloadTrigger> {
        let (sender, triggers) = channel();
        let runtime = Handle::current();
        thread::Builder::new().name("plugins".to_owned()).spawn(move || {
            // Connections and connectors that are dropped here are closed on the runtime's threads.
            let _entered = runtime.enter();
            self.run(&triggers);
        })?;
        Ok(ReloadTrigger(sender))
    }

    fn run(mut self, triggers: &Receiver<()>) {
        let mut next = Instant::now() + SCAN_INTERVAL;
        let mut reload: Option<Reload> = None;
        let mut is_folder_missing = false;
        loop {
            match triggers.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(()) => {
                    reload.get_or_insert_default();
                    continue;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            // A request that comes during a reload waits for the next one, which tries every file again.
            if reload.as_ref().is_none_or(|reload| reload.scans == 0) {
                let requests = control::receive(&self.config.data);
                if !requests.is_empty() {
                    reload.get_or_insert_default().requests = requests;
                }
            }
            let retry_failed = reload.as_ref().is_some_and(|reload| reload.scans == 0);
            match self.scan(retry_failed) {
                Ok(changes) => {
                    if let Some(reload) = &mut reload {
                        reload.changes.extend(changes);
                        reload.scans += 1;
                    }
                    is_folder_missing = false;
                }
                Err(error) => {
                    // Logged once, not every second.
                    if !is_folder_missing {
                        tracing::error!("{error}; what is loaded serves on");
                    }
                    is_folder_missing = true;
                    if let Some(reload) = &mut reload {
                        reload.scans = MAX_SCANS;
                        reload.failure = Some(error.to_string());
                    }
                }
            }
            if let Some(ended) =
                reload.take_if(|reload| reload.scans >= MAX_SCANS || self.watcher.is_settled())
            {
                self.finish(ended);
            }
            next = Instant::now() + SCAN_INTERVAL;
        }
    }

    /// Scans the folder and applies the changes: to the router, the help page, the audit log and the log.
    fn scan(&mut self, retry_failed: bool) -> Result<Vec<Change>, FolderError> {
        let changes = self.watcher.poll(&self.config.runtime, retry_failed)?;
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
            self.help.show(&cards(&self.config, self.watcher.plugins()));
        }
        let events = changes.iter().map(plugin_events::of_change).collect();
        Handle::current().block_on(self.router.record(events, "looking into the plugins folder"));
        // Last, because readers of the log rely on the change being in effect.
        changes.iter().for_each(Change::log);
        Ok(changes)
    }

    /// Reloads key and certificate files too, and reports to those who requested the reload.
    fn finish(&self, reload: Reload) {
        let unsettled = (reload.failure.is_none() && !self.watcher.is_settled())
            .then(|| "a file is still being written; it is loaded when it stays as it is".to_owned());
        // A file may have changed twice; the last change counts.
        let mut files = HashSet::new();
        let mut changes: Vec<_> =
            reload.changes.iter().rev().filter(|change| files.insert(change.file())).collect();
        changes.reverse();
        let reloaded = self.file_reloader.reload(true);
        let has_failed =
            changes.iter().any(|change| change.is_refusal()) || reloaded.iter().any(Result::is_err);
        let changes = changes.iter().map(ToString::to_string);
        let reloaded = reloaded.into_iter().map(|result| result.unwrap_or_else(|failure| failure));
        let serving = self.watcher.plugins().connectors().into_iter().map(|plugin| serving(plugin));
        let report = ReloadReport {
            has_failed: has_failed || unsettled.is_some() || reload.failure.is_some(),
            changes: changes.chain(reloaded).chain(unsettled).chain(reload.failure).collect(),
            serving: serving.collect(),
        };
        tracing::info!(changes = report.changes.len(), "reloaded");
        for request in reload.requests {
            request.reply(&report);
        }
    }
}

/// A serving connector, with what is wrong with its worker process.
fn serving(plugin: &Plugin) -> Serving {
    Serving {
        connector: plugin.name().to_owned(),
        version: plugin.about.version.clone(),
        file: plugin.file_name(),
        sha256: plugin.sha256.clone(),
        problem: plugin.connector.transport().out_of_service(),
    }
}

/// A reload in progress. It ends when no file in the folder is being written any more.
#[derive(Default)]
struct Reload {
    requests: Vec<ReceivedRequest>,
    changes: Vec<Change>,
    scans: u32,
    failure: Option<String>,
}
