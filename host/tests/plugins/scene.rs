//! A plugins folder and a data folder for a test, and real plugin files to put there.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use erp_host::plugins::{Plugin, PluginFile, Plugins};
use plugin_api::Settings;
use plugin_api::abi::client::ConnectionClient;
use tempfile::TempDir;
use xtask::build::{self, Built, Profile};

pub(crate) const ROGUE: &str = "rogue-connector";
pub(crate) const HELLO: &str = "hello-connector";
/// Two versions of one connector.
pub(crate) const FIRST: &str = "versioned-connector-first";
pub(crate) const SECOND: &str = "versioned-connector-second";

/// A plugin file of a package, built once.
pub(crate) fn built(package: &str) -> PathBuf {
    static BUILT: OnceLock<Built> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        build::build(Profile::Dev, &[ROGUE, HELLO, FIRST, SECOND]).expect("the plugins build")
    });
    built.plugin(package).expect("a plugin file").to_owned()
}

/// A plugins folder and a data folder of its own.
pub(crate) struct Scene {
    pub(crate) folder: TempDir,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let scene = Scene { folder: TempDir::new().unwrap() };
        std::fs::create_dir(scene.plugins()).unwrap();
        build::not_for_others(&scene.plugins()).unwrap();
        scene
    }

    /// With the plugin file of a package in it.
    pub(crate) fn with(self, package: &str, name: &str) -> Self {
        build::copy_plugin(&built(package), &self.plugins().join(name)).unwrap();
        self
    }

    /// With a file in it.
    pub(crate) fn with_file(self, name: &str, bytes: &[u8]) -> Self {
        let file = self.plugins().join(name);
        std::fs::write(&file, bytes).unwrap();
        build::not_for_others(&file).unwrap();
        self
    }

    pub(crate) fn plugins(&self) -> PathBuf {
        self.folder.path().join("plugins")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn load(&self) -> Plugins {
        self.load_with(&[])
    }

    /// Loads with these options for every connector.
    pub(crate) fn load_with(&self, options: &[(&str, &str)]) -> Plugins {
        let options: Vec<_> =
            options.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        Plugins::load(&self.plugins(), &self.data(), &|_: &str| options.clone()).unwrap()
    }
}

/// The rogue connector, with these options.
pub(crate) fn rogue_with(options: &[(&str, &str)]) -> (Scene, Arc<Plugin>) {
    let scene = Scene::new().with(ROGUE, "rogue.so");
    let plugins = scene.load_with(options);
    let plugin = Arc::clone(plugins.connector(Some("Rogue")).unwrap());
    (scene, plugin)
}

/// A connection of the rogue connector, with these settings.
pub(crate) fn connection<const N: usize>(settings: [(&str, &str); N]) -> (Scene, ConnectionClient) {
    let (scene, plugin) = rogue_with(&[]);
    let connection = plugin.connector.connect(&Settings::from(settings)).unwrap();
    (scene, connection)
}

/// What became of a file, by its name.
pub(crate) fn file<'p>(plugins: &'p Plugins, name: &str) -> &'p PluginFile {
    let is_it = |file: &&PluginFile| file.path.file_name() == Path::new(name).file_name();
    plugins.files().iter().find(is_it).unwrap()
}

/// Why a file was not loaded.
pub(crate) fn reason(plugins: &Plugins, name: &str) -> String {
    file(plugins, name).loaded.as_ref().unwrap_err().to_string()
}
