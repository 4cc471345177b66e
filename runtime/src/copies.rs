//! The copies that plugins run from: those of files that were replaced are of no use after the next start.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use super::Plugins;
use super::load::{CACHE, copy_name};

/// Hexadecimal digits of a hash, which a copy's name begins with.
const HASH: usize = 64;

/// How temporary files begin, which become copies.
const TEMPORARY: &str = ".tmp";

/// Deletes the copies that no plugin runs from. Only files that are named as copies are; one that cannot be deleted, or is
/// in use on Windows, is left for the next start.
pub(super) fn clean(data: &Path, plugins: &Plugins) {
    // Of files that could not be loaded, too: they may be tried again.
    let used: HashSet<_> = plugins
        .files
        .iter()
        .filter_map(|file| Some(copy_name(file.sha256.as_deref()?, &file.path)))
        .collect();
    let Ok(entries) = fs::read_dir(data.join(CACHE)) else { return };
    for entry in entries.flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file && !used.contains(&name) && is_copy(&name) {
            match fs::remove_file(entry.path()) {
                Ok(()) => tracing::debug!(name, "an old copy of a plugin was deleted"),
                Err(error) => tracing::debug!(name, %error, "an old copy of a plugin stays"),
            }
        }
    }
}

fn is_copy(name: &str) -> bool {
    let begins_with_hash = name
        .split_once('-')
        .is_some_and(|(hash, _)| hash.len() == HASH && hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
    begins_with_hash || name.starts_with(TEMPORARY)
}
