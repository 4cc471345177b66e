//! The fixture of these tests: plugins that are loaded from a plugins folder.

use std::path::Path;
use std::sync::Arc;

use erp_host_runtime::{Plugin, PluginFile, Plugins};
use plugin_api::Settings;
use plugin_api::abi::client::ConnectionClient;
pub(crate) use test_support::plugins_folder::{PluginsFolder, built};
pub(crate) use test_support::{HELLO, ROGUE};

/// Two versions of the same connector.
pub(crate) const FIRST: &str = test_support::VERSIONS[0];
pub(crate) const SECOND: &str = test_support::VERSIONS[1];

/// Loads the plugins of a folder.
pub(crate) fn load(folder: &PluginsFolder) -> Plugins {
    load_with(folder, &[])
}

/// Loads the plugins of a folder with these options for every connector.
pub(crate) fn load_with(folder: &PluginsFolder, options: &[(&str, &str)]) -> Plugins {
    let options: Vec<_> = options.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
    Plugins::load(&folder.plugins(), &folder.data(), &|_: &str| options.clone()).unwrap()
}

/// The rogue connector, with these options.
pub(crate) fn rogue_with(options: &[(&str, &str)]) -> (PluginsFolder, Arc<Plugin>) {
    let folder = PluginsFolder::new().with(ROGUE, "rogue.so");
    let plugins = load_with(&folder, options);
    let plugin = Arc::clone(plugins.connector(Some("Rogue")).unwrap());
    (folder, plugin)
}

/// A connection of the rogue connector, with these settings.
pub(crate) fn connection<const N: usize>(settings: [(&str, &str); N]) -> (PluginsFolder, ConnectionClient) {
    let (folder, plugin) = rogue_with(&[]);
    let connection = plugin.connector.connect(&Settings::from(settings)).unwrap();
    (folder, connection)
}

/// A file of the folder, by its name.
pub(crate) fn file<'p>(plugins: &'p Plugins, name: &str) -> &'p PluginFile {
    let has_name = |file: &&PluginFile| file.path.file_name() == Path::new(name).file_name();
    plugins.files().iter().find(has_name).unwrap()
}

/// The error of a file that was not loaded.
pub(crate) fn reason(plugins: &Plugins, name: &str) -> String {
    file(plugins, name).loaded.as_ref().unwrap_err().to_string()
}
