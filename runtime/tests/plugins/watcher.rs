//! Hot reload: connectors are replaced and retired as the files of a watched folder change, poll by poll.

use std::fs;
use std::path::Path;

use erp_host_runtime::PluginWatcher;
use test_support::build;

use super::fixture::{FIRST, HELLO, PluginsFolder, SECOND, built};

/// A watched plugins folder.
struct WatchedFolder {
    folder: PluginsFolder,
    watcher: PluginWatcher,
    options: Vec<(String, String)>,
}

impl WatchedFolder {
    /// A folder with the libraries of these packages, under these file names.
    fn new(files: &[(&str, &str)]) -> Self {
        WatchedFolder::with_options(files, &[])
    }

    fn with_options(files: &[(&str, &str)], options: &[(&str, &str)]) -> Self {
        let folder =
            files.iter().fold(PluginsFolder::new(), |folder, (package, name)| folder.with(package, name));
        let options: Vec<_> =
            options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let watcher =
            PluginWatcher::load(&folder.plugins(), &folder.data(), &|_: &str| options.clone()).unwrap();
        WatchedFolder { folder, watcher, options }
    }

    /// Writes a package's library in one step (write and rename).
    fn put(&self, package: &str, name: &str) {
        self.put_bytes(&fs::read(built(package)).unwrap(), name);
    }

    /// Writes a file in one step (write and rename).
    fn put_bytes(&self, bytes: &[u8], name: &str) {
        let part = self.folder.plugins().join("part");
        fs::write(&part, bytes).unwrap();
        build::not_for_others(&part).unwrap();
        fs::rename(part, self.folder.plugins().join(name)).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.folder.plugins().join(from), self.folder.plugins().join(to)).unwrap();
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.folder.plugins().join(name)).unwrap();
    }

    /// The changes of the next poll, one line each, without hashes.
    fn poll(&mut self) -> Vec<String> {
        self.poll_with(false)
    }

    fn poll_with(&mut self, retry: bool) -> Vec<String> {
        let options = self.options.clone();
        let changes = self.watcher.poll(&|_: &str| options.clone(), retry).unwrap();
        changes
            .iter()
            .map(|change| change.to_string())
            .map(|line| line.split(" (sha256").next().unwrap_or_default().to_owned())
            .collect()
    }

    /// The versions that serve.
    fn serving(&self) -> Vec<String> {
        let plugins = self.watcher.plugins().connectors();
        plugins.iter().map(|plugin| format!("{} {}", plugin.name(), plugin.about.version)).collect()
    }
}

#[test]
fn file_is_loaded_after_two_unchanged_scans() {
    let mut watched = WatchedFolder::new(&[(FIRST, "v.so")]);
    assert!(watched.watcher.is_settled());
    assert!(watched.poll().is_empty());
    watched.put(SECOND, "v.so");
    assert!(watched.poll().is_empty(), "it may still be being written");
    assert!(!watched.watcher.is_settled());
    assert_eq!(watched.poll(), ["v.so: Versioned 1.0.0 is replaced by 2.0.0"]);
    assert!(watched.watcher.is_settled() && watched.poll().is_empty());
    assert_eq!(watched.serving(), ["Versioned 2.0.0"]);
    // Back and forth: the code is still loaded, and the connector is made again.
    for (package, expected) in [(FIRST, "2.0.0 is replaced by 1.0.0"), (SECOND, "1.0.0 is replaced by 2.0.0")]
    {
        watched.put(package, "v.so");
        watched.poll();
        assert_eq!(watched.poll(), [format!("v.so: Versioned {expected}")]);
    }
}

/// Like a slow copy. Every part is a complete library, so that only the scans can show that it grows.
#[test]
fn growing_file_is_not_loaded_before_it_is_complete() {
    let mut watched = WatchedFolder::new(&[(FIRST, "v.so")]);
    let mut bytes = fs::read(built(SECOND)).unwrap();
    for _ in 0..5 {
        bytes.push(0);
        fs::write(watched.folder.plugins().join("v.so"), &bytes).unwrap();
        assert!(watched.poll().is_empty());
        assert_eq!(watched.serving(), ["Versioned 1.0.0"]);
    }
    assert_eq!(watched.poll(), ["v.so: Versioned 1.0.0 is replaced by 2.0.0"]);
}

/// A copy that pauses is loaded, and refused as truncated.
#[test]
fn truncated_file_leaves_the_old_version_serving() {
    let mut watched = WatchedFolder::new(&[(FIRST, "v.so")]);
    let whole = fs::read(built(SECOND)).unwrap();
    for part in [0, 1, 100, whole.len() / 2, whole.len() - 1] {
        watched.put_bytes(&whole[..part], "v.so");
        assert!(watched.poll().is_empty());
        let refused = watched.poll();
        assert_eq!(refused.len(), 1);
        assert!(
            refused[0].starts_with("v.so: not loaded: ")
                && refused[0].ends_with("; Versioned 1.0.0 serves on")
        );
        assert!(watched.poll().is_empty(), "reported once");
        assert_eq!(watched.serving(), ["Versioned 1.0.0"]);
    }
    watched.put_bytes(&whole, "v.so");
    watched.poll();
    assert_eq!(watched.poll(), ["v.so: Versioned 1.0.0 is replaced by 2.0.0"]);
}

#[test]
fn file_with_the_same_content_changes_nothing() {
    let mut watched = WatchedFolder::new(&[(FIRST, "v.so")]);
    for _ in 0..2 {
        watched.put(FIRST, "v.so");
        assert!(watched.poll().is_empty() && !watched.watcher.is_settled());
        assert!(watched.poll().is_empty() && watched.watcher.is_settled());
    }
    // The same after a bad version in between.
    watched.put_bytes(b"no library", "v.so");
    watched.poll();
    assert_eq!(watched.poll().len(), 1);
    watched.put(FIRST, "v.so");
    watched.poll();
    assert!(watched.poll().is_empty());
    assert!(watched.watcher.plugins().files()[0].loaded.is_ok());
}

#[test]
fn connector_of_a_file_missing_in_two_scans_is_retired_and_can_come_back() {
    let mut watched = WatchedFolder::new(&[(FIRST, "v.so"), (HELLO, "hello.so")]);
    watched.remove("v.so");
    assert!(watched.poll().is_empty(), "it may just be being replaced");
    assert_eq!(watched.poll(), ["v.so: Versioned 1.0.0 is retired: no file holds it any more"]);
    assert_eq!(watched.serving(), ["Hello 0.1.0"]);
    assert!(watched.poll().is_empty() && watched.watcher.is_settled());
    watched.put(FIRST, "v.so");
    watched.poll();
    let back = watched.poll();
    assert_eq!(back, ["v.so: Versioned 1.0.0 is installed"]);
    let plugin = watched.watcher.plugins().connector(Some("versioned")).unwrap();
    assert_eq!(plugin.connector.settings_form().unwrap()[1].key, "Only in 1.0.0");
}

#[test]
fn new_version_under_another_name_replaces_a_removed_file() {
    // In the same scan, and also with the new file first.
    for (old, new) in [("v-1.so", "v-2.so"), ("v-2.so", "v-1.so")] {
        let mut watched = WatchedFolder::new(&[(FIRST, old)]);
        watched.remove(old);
        watched.put(SECOND, new);
        assert!(watched.poll().is_empty());
        assert_eq!(watched.poll(), [format!("{new}: Versioned 1.0.0 is replaced by 2.0.0")]);
    }
    // Removed long before the new file is complete: nothing is retired meanwhile.
    let mut watched = WatchedFolder::new(&[(FIRST, "v-1.so")]);
    let whole = fs::read(built(SECOND)).unwrap();
    watched.remove("v-1.so");
    for part in [1, 1000, whole.len() / 2, whole.len()] {
        watched.put_bytes(&whole[..part], "v-2.so");
        assert!(watched.poll().is_empty());
        assert_eq!(watched.serving(), ["Versioned 1.0.0"]);
    }
    assert_eq!(watched.poll(), ["v-2.so: Versioned 1.0.0 is replaced by 2.0.0"]);
    assert!(watched.poll().is_empty() && watched.watcher.is_settled());
}

#[test]
fn duplicate_is_loaded_when_the_first_file_is_removed() {
    let mut watched = WatchedFolder::new(&[(FIRST, "a.so")]);
    watched.put(SECOND, "b.so");
    watched.poll();
    let refused = watched.poll();
    assert!(
        refused[0].contains("b.so: not loaded: its connector Versioned is already loaded from"),
        "{refused:?}"
    );
    watched.remove("a.so");
    assert!(watched.poll().is_empty());
    assert_eq!(watched.poll(), ["b.so: Versioned 1.0.0 is replaced by 2.0.0"]);
    // Also when the first file is overwritten with another connector.
    watched.put(HELLO, "b.so");
    watched.put(FIRST, "c.so");
    watched.poll();
    assert_eq!(
        watched.poll(),
        ["b.so: Hello 0.1.0 is installed", "c.so: Versioned 2.0.0 is replaced by 1.0.0"]
    );
}

#[test]
fn renamed_file_serves_on() {
    let mut watched = WatchedFolder::new(&[(FIRST, "a.so")]);
    watched.rename("a.so", "b.so");
    assert!(watched.poll().is_empty());
    assert_eq!(watched.poll(), ["b.so: was a.so; Versioned 1.0.0 serves on"]);
    let plugins = watched.watcher.plugins();
    assert_eq!(plugins.connectors()[0].path, watched.folder.plugins().join("b.so"));
    assert_eq!(plugins.files().len(), 1);
}

#[test]
fn file_overwritten_with_another_connector_retires_the_first() {
    let mut watched = WatchedFolder::new(&[(FIRST, "v.so")]);
    watched.put(HELLO, "v.so");
    watched.poll();
    let expected =
        ["v.so: Hello 0.1.0 is installed", "v.so: Versioned 1.0.0 is retired: no file holds it any more"];
    assert_eq!(watched.poll(), expected);
}

/// The handshake of the new version has the connector's name, so the old version is not retired.
#[test]
fn new_version_that_panics_leaves_the_old_one_serving() {
    let mut watched = WatchedFolder::with_options(&[(FIRST, "v-1.so")], &[("panics", "2.0.0")]);
    watched.remove("v-1.so");
    watched.put(SECOND, "v-2.so");
    watched.poll();
    let check = |refused: &[String]| {
        assert_eq!(refused.len(), 1);
        for text in [
            "v-2.so: not loaded: its connector cannot be made",
            "panics as it is made",
            "; Versioned 1.0.0 serves on",
        ] {
            assert!(refused[0].contains(text) && !refused[0].contains('\n'), "{refused:?}");
        }
    };
    check(&watched.poll());
    assert_eq!(watched.serving(), ["Versioned 1.0.0"]);
    assert!(watched.poll().is_empty() && watched.poll().is_empty());
    // After the cause is fixed it is loaded by a poll with `retry`.
    check(&watched.poll_with(true));
    watched.options.clear();
    assert!(watched.poll().is_empty());
    assert_eq!(watched.poll_with(true), ["v-2.so: Versioned 1.0.0 is replaced by 2.0.0"]);
}

#[test]
fn connector_is_retired_when_the_bad_version_is_removed_too() {
    let mut watched = WatchedFolder::with_options(&[(FIRST, "v-1.so")], &[("panics", "2.0.0")]);
    watched.rename("v-1.so", "gone");
    watched.put(SECOND, "v-2.so");
    watched.poll();
    assert_eq!(watched.poll().len(), 1);
    watched.remove("v-2.so");
    watched.poll();
    assert_eq!(watched.poll(), ["v-1.so: Versioned 1.0.0 is retired: no file holds it any more"]);
    assert!(watched.serving().is_empty());
}

#[test]
fn unreadable_folder_changes_nothing() {
    let mut watched = WatchedFolder::new(&[(FIRST, "v.so")]);
    let (plugins, aside) = (watched.folder.plugins(), watched.folder.folder.path().join("aside"));
    fs::rename(&plugins, &aside).unwrap();
    for _ in 0..3 {
        let error = watched.watcher.poll(&|_: &str| Vec::new(), false).unwrap_err().to_string();
        assert!(error.contains("cannot be read"), "{error}");
    }
    fs::rename(&aside, &plugins).unwrap();
    assert!(watched.poll().is_empty() && watched.poll().is_empty());
    assert_eq!(watched.serving(), ["Versioned 1.0.0"]);
}

#[cfg(unix)]
#[test]
fn symbolic_link_is_followed() {
    let mut watched = WatchedFolder::new(&[]);
    let link = |package: &str| {
        let part = watched.folder.plugins().join("part");
        let target = watched.folder.folder.path().join(package);
        build::copy_plugin(&built(package), &target).unwrap();
        std::os::unix::fs::symlink(target, &part).unwrap();
        fs::rename(part, watched.folder.plugins().join("v.so")).unwrap();
    };
    link(FIRST);
    let options = |_: &str| Vec::new();
    watched.watcher.poll(&options, false).unwrap();
    assert_eq!(watched.watcher.poll(&options, false).unwrap().len(), 1);
    link(SECOND);
    watched.watcher.poll(&options, false).unwrap();
    assert_eq!(watched.watcher.poll(&options, false).unwrap().len(), 1);
    assert_eq!(watched.serving(), ["Versioned 2.0.0"]);
    fs::remove_file(watched.folder.plugins().join("v.so")).unwrap();
    std::os::unix::fs::symlink(Path::new("nowhere"), watched.folder.plugins().join("v.so")).unwrap();
    assert!(watched.poll().is_empty());
    let refused = watched.poll();
    assert!(
        refused[0].contains("the file cannot be read") && refused[0].ends_with("serves on"),
        "{refused:?}"
    );
}
