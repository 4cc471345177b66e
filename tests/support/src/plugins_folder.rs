//! A plugins folder with real plugin files in it.

use std::path::PathBuf;
use std::sync::LazyLock;

use tempfile::TempDir;

use crate::build::{self, Built, Profile};
use crate::{HELLO, ROGUE, VERSIONS};

/// Built once.
static BUILT: LazyLock<Built> = LazyLock::new(|| {
    build::build(Profile::Dev, &[ROGUE, HELLO, VERSIONS[0], VERSIONS[1]]).expect("the plugins build")
});

/// A plugin file of a package.
pub fn built(package: &str) -> PathBuf {
    BUILT.plugin(package).expect("a plugin file").to_owned()
}

/// The program `erp-host`, which worker processes run.
pub fn host_program() -> PathBuf {
    BUILT.host.clone()
}

/// A plugins folder and a data folder of its own.
pub struct PluginsFolder {
    /// The folder that holds both.
    pub folder: TempDir,
}

#[allow(clippy::new_without_default, reason = "it makes folders on the disk")]
impl PluginsFolder {
    /// An empty one.
    pub fn new() -> Self {
        let made = PluginsFolder { folder: TempDir::new().unwrap() };
        std::fs::create_dir(made.plugins()).unwrap();
        build::not_for_others(&made.plugins()).unwrap();
        made
    }

    /// With the plugin file of a package in it.
    pub fn with(self, package: &str, name: &str) -> Self {
        build::copy_plugin(&built(package), &self.plugins().join(name)).unwrap();
        self
    }

    /// With a file in it.
    pub fn with_file(self, name: &str, bytes: &[u8]) -> Self {
        let file = self.plugins().join(name);
        std::fs::write(&file, bytes).unwrap();
        build::not_for_others(&file).unwrap();
        self
    }

    /// The plugins folder.
    pub fn plugins(&self) -> PathBuf {
        self.folder.path().join("plugins")
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }
}
