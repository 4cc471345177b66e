//! Reading up to a size, permissions, modes, and owners (those as root only).

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::permissions::{LoosePermissions, refuse_readable_by_others, refuse_writable_by_others};
use super::private_file::{self, IfPresent};
use super::*;

/// The user and group of a folder that is not ours.
const OTHERS: (u32, u32) = (54_321, 54_322);

fn file_with_mode(mode: u32) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "text").unwrap();
    set_mode(&path, mode);
    (folder, path)
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

#[track_caller]
fn assert_mode(path: &Path, mode: u32) {
    assert_eq!(fs::metadata(path).unwrap().mode() & 0o7777, mode, "{}", path.display());
}

/// Whether this process can give files away; if it cannot, a test prints that it skips.
fn is_root(test: &str) -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        assert!(std::env::var_os("CI").is_none_or(|value| value != "true"), "no test may be skipped in CI");
        eprintln!("\n!!!! SKIPPED: {test} needs root\n");
    }
    is_root
}

#[test]
fn read_refuses_what_is_larger_than_its_limit() {
    let (_folder, path) = file_with_mode(0o600);
    assert_eq!(read(&path, 4).unwrap(), b"text");
    assert_eq!(read_secret_text(&path, 4).unwrap().as_str(), "text");
    for error in [read(&path, 3).unwrap_err(), read_secret(&path, 3).unwrap_err()] {
        assert_eq!(error.to_string(), "it is larger than 3 bytes, which no such file is");
    }
    // It would take longer than any test to read these, and more memory than there is.
    File::options().write(true).open(&path).unwrap().set_len(5 << 40).unwrap();
    for path in [path.as_path(), Path::new("/dev/zero")] {
        assert!(matches!(read(path, 1 << 20), Err(ReadError::TooLarge { .. })), "{}", path.display());
    }
}

#[test]
fn read_refuses_permissions_that_are_too_loose() {
    for (mode, is_trusted, is_secret) in [
        (0o600, true, true),
        (0o400, true, true),
        (0o640, true, true),
        (0o440, true, true),
        (0o644, true, false),
        (0o604, true, false),
        (0o660, false, false),
        (0o606, false, false),
        (0o666, false, false),
    ] {
        let (_folder, path) = file_with_mode(mode);
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!(refuse_writable_by_others(&path, &metadata).is_ok(), is_trusted, "{mode:o}");
        assert_eq!(refuse_readable_by_others(&path, &metadata).is_ok(), is_secret, "{mode:o}");
        assert_eq!(read_trusted_text(&path, 10).is_ok(), is_trusted, "{mode:o}");
        assert_eq!(read_secret(&path, 10).is_ok(), is_secret, "{mode:o}");
        assert!(read(&path, 10).is_ok());
    }
    let (_folder, path) = file_with_mode(0o666);
    let error = read_trusted(&path, 10).unwrap_err().to_string();
    let expected =
        format!("others than its owner may change it (mode 0666); run: chmod go-w {}", path.display());
    assert_eq!(error, expected);
    // A pipe and a device belong to who has opened them.
    assert!(read_secret(Path::new("/dev/null"), 10).unwrap().is_empty());
}

#[test]
fn written_files_and_folders_are_for_their_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    set_mode(folder.path(), 0o777);
    let (above, below) = (folder.path().join("above"), folder.path().join("above/below"));
    private_file::make_folder(&below).unwrap();
    private_file::write(&below.join("a"), b"a", IfPresent::Keep).unwrap();
    private_file::create_new(&below.join("b")).unwrap();
    private_file::lock_file(&below.join("c")).unwrap();
    assert_mode(&above, 0o700);
    assert_mode(&below, 0o700);
    for name in ["a", "b", "c"] {
        assert_mode(&below.join(name), 0o600);
    }
    // The first is not ours to change.
    assert_mode(folder.path(), 0o777);
}

#[test]
fn lock_file_that_others_can_open_is_restricted() {
    let (_folder, path) = file_with_mode(0o666);
    private_file::lock_file(&path).unwrap();
    assert_mode(&path, 0o600);
    // Where another user owns the folder, it could link to anything.
    let link = path.with_file_name("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(private_file::lock_file(&link).is_err());
}

#[test]
fn own_folder_that_others_can_write_to_is_restricted() {
    let folder = tempfile::tempdir().unwrap();
    for (before, after) in [(0o777, 0o755), (0o770, 0o750), (0o711, 0o711), (0o700, 0o700)] {
        set_mode(folder.path(), before);
        private_file::make_own_folder(folder.path()).unwrap();
        assert_mode(folder.path(), after);
    }
}

#[test]
fn written_files_and_folders_of_root_belong_to_the_owner_of_their_folder() {
    if !is_root("written_files_and_folders_of_root_belong_to_the_owner_of_their_folder") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(folder.path(), Some(OTHERS.0), Some(OTHERS.1)).unwrap();
    let below = folder.path().join("above/below");
    private_file::make_folder(&below).unwrap();
    private_file::write(&below.join("a"), b"a", IfPresent::Replace).unwrap();
    private_file::create_new(&below.join("b")).unwrap();
    private_file::lock_file(&below.join("c")).unwrap();
    private_file::open_or_create(&below.join("d")).unwrap();
    for path in ["above", "above/below", "above/below/a", "above/below/b", "above/below/c", "above/below/d"] {
        let metadata = fs::metadata(folder.path().join(path)).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), OTHERS, "{path}");
    }
    // Root may use what belongs to them.
    let metadata = fs::metadata(below.join("a")).unwrap();
    assert_eq!(refuse_readable_by_others(&below.join("a"), &metadata), Ok(()));
    let wrong = LoosePermissions::WrongOwner { path: "x y".into(), owner: 1, own: 2 }.to_string();
    assert!(wrong.ends_with("run: chown 2 'x y'"), "{wrong}");
}
