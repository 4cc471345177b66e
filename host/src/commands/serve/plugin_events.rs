//! Audit events of plugin files.

use erp_host_runtime::{Change, Plugin, Plugins};
use erp_host_store::audit::{Event, PluginFile, shortened};

/// The events of a start: the plugins that serve, and those that were refused.
pub(super) fn of_start(plugins: &Plugins) -> Vec<Event> {
    let started = Event::HostStarted {
        version: env!("CARGO_PKG_VERSION"),
        plugins: plugins.connectors().into_iter().map(|plugin| file_of(plugin)).collect(),
    };
    let refused = plugins.files().iter().filter_map(|file| {
        let name = file.path.file_name().unwrap_or_default().to_string_lossy();
        let reason = file.loaded.as_ref().err()?.to_string();
        Some(Event::PluginRefused { file: shortened(&name), reason: shortened(&reason) })
    });
    std::iter::once(started).chain(refused).collect()
}

/// The event of a change while the host runs.
pub(super) fn of_change(change: &Change) -> Event {
    match change {
        Change::Installed(plugin) => Event::PluginLoaded(file_of(plugin)),
        Change::Replaced { plugin, before } => {
            Event::PluginReplaced { plugin: file_of(plugin), former_version: shortened(before) }
        }
        Change::Renamed { plugin, before } => {
            Event::PluginRenamed { plugin: file_of(plugin), former_file: shortened(before) }
        }
        Change::Retired { connector, version, file, sha256 } => Event::PluginRetired(PluginFile {
            connector: shortened(connector),
            version: shortened(version),
            file: shortened(file),
            sha256: sha256.clone(),
        }),
        Change::Refused { file, reason, serving: _ } => {
            Event::PluginRefused { file: shortened(file), reason: shortened(reason) }
        }
    }
}

fn file_of(plugin: &Plugin) -> PluginFile {
    PluginFile {
        connector: shortened(plugin.name()),
        version: shortened(&plugin.about.version),
        file: shortened(&plugin.file_name()),
        sha256: plugin.sha256.clone(),
    }
}
