//! What becomes of connectors when the files of a watched folder change, look by look.

use std::fs;
use std::path::Path;

use erp_host_runtime::PluginWatcher;
use test_support::build;

use super::scene::{FIRST, HELLO, PluginsFolder, SECOND, built};

/// A watched folder.
struct Scenery {
    scene: PluginsFolder,
    watched: PluginWatcher,
    options: Vec<(String, String)>,
}

impl Scenery {
    /// With these files of packages in it.
    fn new(files: &[(&str, &str)]) -> Self {
        Scenery::with_options(files, &[])
    }

    fn with_options(files: &[(&str, &str)], options: &[(&str, &str)]) -> Self {
        let scene =
            files.iter().fold(PluginsFolder::new(), |scene, (package, name)| scene.with(package, name));
        let options: Vec<_> =
            options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let watched =
            PluginWatcher::load(&scene.plugins(), &scene.data(), &|_: &str| options.clone()).unwrap();
        Scenery { scene, watched, options }
    }

    /// Puts a package's file in place, as one step.
    fn put(&self, package: &str, name: &str) {
        self.put_bytes(&fs::read(built(package)).unwrap(), name);
    }

    /// Puts a file in place, as one step.
    fn put_bytes(&self, bytes: &[u8], name: &str) {
        let part = self.scene.plugins().join("part");
        fs::write(&part, bytes).unwrap();
        build::not_for_others(&part).unwrap();
        fs::rename(part, self.scene.plugins().join(name)).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.scene.plugins().join(from), self.scene.plugins().join(to)).unwrap();
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.scene.plugins().join(name)).unwrap();
    }

    /// What the next look changes, a line each, without hashes.
    fn look(&mut self) -> Vec<String> {
        self.look_with(false)
    }

    fn look_with(&mut self, again: bool) -> Vec<String> {
        let options = self.options.clone();
        let changes = self.watched.poll(&|_: &str| options.clone(), again).unwrap();
        changes
            .iter()
            .map(|change| change.to_string())
            .map(|line| line.split(" (sha256").next().unwrap_or_default().to_owned())
            .collect()
    }

    /// The versions that serve.
    fn serving(&self) -> Vec<String> {
        let plugins = self.watched.plugins().connectors();
        plugins.iter().map(|plugin| format!("{} {}", plugin.name(), plugin.about.version)).collect()
    }
}

#[test]
fn a_file_counts_when_two_looks_have_shown_it_the_same() {
    let mut scenery = Scenery::new(&[(FIRST, "v.so")]);
    assert!(scenery.watched.is_settled());
    assert!(scenery.look().is_empty());
    scenery.put(SECOND, "v.so");
    assert!(scenery.look().is_empty(), "it may still be being written");
    assert!(!scenery.watched.is_settled());
    assert_eq!(scenery.look(), ["v.so: Versioned 1.0.0 is replaced by 2.0.0"]);
    assert!(scenery.watched.is_settled() && scenery.look().is_empty());
    assert_eq!(scenery.serving(), ["Versioned 2.0.0"]);
    // Back and forth: the code of before is still there, and its connector is made anew.
    for (package, expected) in [(FIRST, "2.0.0 is replaced by 1.0.0"), (SECOND, "1.0.0 is replaced by 2.0.0")]
    {
        scenery.put(package, "v.so");
        scenery.look();
        assert_eq!(scenery.look(), [format!("v.so: Versioned {expected}")]);
    }
}

/// As a copy over a slow line: every part is a whole library to begin with, so that nothing but the looks tells.
#[test]
fn a_file_that_grows_is_not_loaded_before_it_stands_still() {
    let mut scenery = Scenery::new(&[(FIRST, "v.so")]);
    let mut bytes = fs::read(built(SECOND)).unwrap();
    for _ in 0..5 {
        bytes.push(0);
        fs::write(scenery.scene.plugins().join("v.so"), &bytes).unwrap();
        assert!(scenery.look().is_empty());
        assert_eq!(scenery.serving(), ["Versioned 1.0.0"]);
    }
    assert_eq!(scenery.look(), ["v.so: Versioned 1.0.0 is replaced by 2.0.0"]);
}

/// One that stands still for a while is read, and found to be a part.
#[test]
fn half_a_file_leaves_the_old_version_serving() {
    let mut scenery = Scenery::new(&[(FIRST, "v.so")]);
    let whole = fs::read(built(SECOND)).unwrap();
    for part in [0, 1, 100, whole.len() / 2, whole.len() - 1] {
        scenery.put_bytes(&whole[..part], "v.so");
        assert!(scenery.look().is_empty());
        let refused = scenery.look();
        assert_eq!(refused.len(), 1);
        assert!(
            refused[0].starts_with("v.so: not loaded: ")
                && refused[0].ends_with("; Versioned 1.0.0 serves on")
        );
        assert!(scenery.look().is_empty(), "said once");
        assert_eq!(scenery.serving(), ["Versioned 1.0.0"]);
    }
    scenery.put_bytes(&whole, "v.so");
    scenery.look();
    assert_eq!(scenery.look(), ["v.so: Versioned 1.0.0 is replaced by 2.0.0"]);
}

#[test]
fn a_file_that_is_touched_changes_nothing() {
    let mut scenery = Scenery::new(&[(FIRST, "v.so")]);
    for _ in 0..2 {
        scenery.put(FIRST, "v.so");
        assert!(scenery.look().is_empty() && !scenery.watched.is_settled());
        assert!(scenery.look().is_empty() && scenery.watched.is_settled());
    }
    // The same after a bad version in between.
    scenery.put_bytes(b"no library", "v.so");
    scenery.look();
    assert_eq!(scenery.look().len(), 1);
    scenery.put(FIRST, "v.so");
    scenery.look();
    assert!(scenery.look().is_empty());
    assert!(scenery.watched.plugins().files()[0].loaded.is_ok());
}

#[test]
fn a_file_that_is_gone_twice_is_retired_and_may_come_back() {
    let mut scenery = Scenery::new(&[(FIRST, "v.so"), (HELLO, "hello.so")]);
    scenery.remove("v.so");
    assert!(scenery.look().is_empty(), "it may just be being replaced");
    assert_eq!(scenery.look(), ["v.so: Versioned 1.0.0 is retired: no file holds it any more"]);
    assert_eq!(scenery.serving(), ["Hello 0.1.0"]);
    assert!(scenery.look().is_empty() && scenery.watched.is_settled());
    scenery.put(FIRST, "v.so");
    scenery.look();
    let back = scenery.look();
    assert_eq!(back, ["v.so: Versioned 1.0.0 is installed"]);
    let plugin = scenery.watched.plugins().connector(Some("versioned")).unwrap();
    assert_eq!(plugin.connector.settings_form().unwrap()[1].key, "Only in 1.0.0");
}

#[test]
fn a_version_under_another_name_takes_over_when_the_old_file_has_gone() {
    // In one look, and with the new file first.
    for (old, new) in [("v-1.so", "v-2.so"), ("v-2.so", "v-1.so")] {
        let mut scenery = Scenery::new(&[(FIRST, old)]);
        scenery.remove(old);
        scenery.put(SECOND, new);
        assert!(scenery.look().is_empty());
        assert_eq!(scenery.look(), [format!("{new}: Versioned 1.0.0 is replaced by 2.0.0")]);
    }
    // Gone long before the new one is written whole: nothing is retired meanwhile.
    let mut scenery = Scenery::new(&[(FIRST, "v-1.so")]);
    let whole = fs::read(built(SECOND)).unwrap();
    scenery.remove("v-1.so");
    for part in [1, 1000, whole.len() / 2, whole.len()] {
        scenery.put_bytes(&whole[..part], "v-2.so");
        assert!(scenery.look().is_empty());
        assert_eq!(scenery.serving(), ["Versioned 1.0.0"]);
    }
    assert_eq!(scenery.look(), ["v-2.so: Versioned 1.0.0 is replaced by 2.0.0"]);
    assert!(scenery.look().is_empty() && scenery.watched.is_settled());
}

#[test]
fn the_second_file_of_a_connector_waits_until_the_first_has_gone() {
    let mut scenery = Scenery::new(&[(FIRST, "a.so")]);
    scenery.put(SECOND, "b.so");
    scenery.look();
    let refused = scenery.look();
    assert!(
        refused[0].contains("b.so: not loaded: its connector Versioned is already loaded from"),
        "{refused:?}"
    );
    scenery.remove("a.so");
    assert!(scenery.look().is_empty());
    assert_eq!(scenery.look(), ["b.so: Versioned 1.0.0 is replaced by 2.0.0"]);
    // Also when the first is not removed, but holds another connector.
    scenery.put(HELLO, "b.so");
    scenery.put(FIRST, "c.so");
    scenery.look();
    assert_eq!(
        scenery.look(),
        ["b.so: Hello 0.1.0 is installed", "c.so: Versioned 2.0.0 is replaced by 1.0.0"]
    );
}

#[test]
fn a_file_that_is_renamed_serves_on() {
    let mut scenery = Scenery::new(&[(FIRST, "a.so")]);
    scenery.rename("a.so", "b.so");
    assert!(scenery.look().is_empty());
    assert_eq!(scenery.look(), ["b.so: was a.so; Versioned 1.0.0 serves on"]);
    let plugins = scenery.watched.plugins();
    assert_eq!(plugins.connectors()[0].path, scenery.scene.plugins().join("b.so"));
    assert_eq!(plugins.files().len(), 1);
}

#[test]
fn a_file_with_another_connector_retires_its_own() {
    let mut scenery = Scenery::new(&[(FIRST, "v.so")]);
    scenery.put(HELLO, "v.so");
    scenery.look();
    let expected =
        ["v.so: Hello 0.1.0 is installed", "v.so: Versioned 1.0.0 is retired: no file holds it any more"];
    assert_eq!(scenery.look(), expected);
}

/// The new version's file says whose it is, although it fails: what it was to replace is not retired.
#[test]
fn a_version_that_panics_as_it_is_made_replaces_nothing() {
    let mut scenery = Scenery::with_options(&[(FIRST, "v-1.so")], &[("panics", "2.0.0")]);
    scenery.remove("v-1.so");
    scenery.put(SECOND, "v-2.so");
    scenery.look();
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
    check(&scenery.look());
    assert_eq!(scenery.serving(), ["Versioned 1.0.0"]);
    assert!(scenery.look().is_empty() && scenery.look().is_empty());
    // With the reason gone it is tried again when somebody says so.
    check(&scenery.look_with(true));
    scenery.options.clear();
    assert!(scenery.look().is_empty());
    assert_eq!(scenery.look_with(true), ["v-2.so: Versioned 1.0.0 is replaced by 2.0.0"]);
}

#[test]
fn with_the_bad_version_removed_too_it_is_retired() {
    let mut scenery = Scenery::with_options(&[(FIRST, "v-1.so")], &[("panics", "2.0.0")]);
    scenery.rename("v-1.so", "gone");
    scenery.put(SECOND, "v-2.so");
    scenery.look();
    assert_eq!(scenery.look().len(), 1);
    scenery.remove("v-2.so");
    scenery.look();
    assert_eq!(scenery.look(), ["v-1.so: Versioned 1.0.0 is retired: no file holds it any more"]);
    assert!(scenery.serving().is_empty());
}

#[test]
fn a_folder_that_cannot_be_read_changes_nothing() {
    let mut scenery = Scenery::new(&[(FIRST, "v.so")]);
    let (folder, aside) = (scenery.scene.plugins(), scenery.scene.folder.path().join("aside"));
    fs::rename(&folder, &aside).unwrap();
    for _ in 0..3 {
        let error = scenery.watched.poll(&|_: &str| Vec::new(), false).unwrap_err().to_string();
        assert!(error.contains("cannot be read"), "{error}");
    }
    fs::rename(&aside, &folder).unwrap();
    assert!(scenery.look().is_empty() && scenery.look().is_empty());
    assert_eq!(scenery.serving(), ["Versioned 1.0.0"]);
}

#[cfg(unix)]
#[test]
fn a_link_to_a_version_is_followed() {
    let mut scenery = Scenery::new(&[]);
    let link = |package: &str| {
        let part = scenery.scene.plugins().join("part");
        let target = scenery.scene.folder.path().join(package);
        build::copy_plugin(&built(package), &target).unwrap();
        std::os::unix::fs::symlink(target, &part).unwrap();
        fs::rename(part, scenery.scene.plugins().join("v.so")).unwrap();
    };
    link(FIRST);
    let options = |_: &str| Vec::new();
    scenery.watched.poll(&options, false).unwrap();
    assert_eq!(scenery.watched.poll(&options, false).unwrap().len(), 1);
    link(SECOND);
    scenery.watched.poll(&options, false).unwrap();
    assert_eq!(scenery.watched.poll(&options, false).unwrap().len(), 1);
    assert_eq!(scenery.serving(), ["Versioned 2.0.0"]);
    fs::remove_file(scenery.scene.plugins().join("v.so")).unwrap();
    std::os::unix::fs::symlink(Path::new("nowhere"), scenery.scene.plugins().join("v.so")).unwrap();
    assert!(scenery.look().is_empty());
    let refused = scenery.look();
    assert!(
        refused[0].contains("the file cannot be read") && refused[0].ends_with("serves on"),
        "{refused:?}"
    );
}
