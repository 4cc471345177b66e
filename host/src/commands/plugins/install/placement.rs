//! Puts a plugin file into the plugins folder in one step, and takes that back.
//!
//! Everything is prepared in a folder inside the plugins folder, so on the same disk, which the host does not look into.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use erp_host_files::private_file::sync_folder;
use erp_host_files::replace;
use erp_host_runtime::{MAX_PLUGIN_SIZE, signature_path};
use tempfile::TempDir;

/// The longest signature file. A signature has 64 bytes, or 89 as base64.
const MAX_SIGNATURE: u64 = 1024;

/// A copy of a plugin file, and of its signature, that nobody else can change, and that is not in its place yet.
#[derive(Debug)]
pub(super) struct Candidate {
    scratch: TempDir,
    file: PathBuf,
    /// Held until the end: of two installations at once, the second one is refused.
    _lock: Option<File>,
}

/// A plugin file in its place, with what was there before. It goes back if neither [`keep`](Placement::keep) nor
/// [`undo`](Placement::undo) is called.
#[derive(Debug)]
pub(super) struct Placement {
    candidate: Candidate,
    destination: PathBuf,
    is_open: bool,
}

impl Candidate {
    /// Copies a file into the plugins folder, where the host does not see it.
    pub(super) fn copy(file: &Path, plugins: &Path) -> Result<Self, String> {
        let cannot_write =
            |error: io::Error| format!("cannot write to the plugins folder {}: {error}", plugins.display());
        // Windows cannot open a folder.
        let lock = File::open(plugins).ok();
        if let Some(Err(fs::TryLockError::WouldBlock)) = lock.as_ref().map(File::try_lock) {
            return Err(format!("another installation into {} is going on; try again", plugins.display()));
        }
        let bytes = erp_host_files::read(file, MAX_PLUGIN_SIZE)
            .map_err(|error| format!("{}: not installed: {error}", file.display()))?;
        let name = file.file_name().ok_or_else(|| format!("{} is not a file", file.display()))?;
        let scratch = tempfile::Builder::new()
            .prefix(".erp-host-install-")
            .tempdir_in(plugins)
            .map_err(cannot_write)?;
        let copy = scratch.path().join(name);
        write(&copy, &bytes).map_err(cannot_write)?;
        let signature = signature_path(file);
        match erp_host_files::read(&signature, MAX_SIGNATURE) {
            Ok(text) => write(&signature_path(&copy), &text).map_err(cannot_write)?,
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(format!("{}: {error}", signature.display())),
        }
        Ok(Candidate { scratch, file: copy, _lock: lock })
    }

    /// The copy. Its signature lies beside it.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Where what was there before is kept. A plugin file's name has an extension, so this is no name of a candidate.
    fn before(&self) -> PathBuf {
        self.scratch.path().join("before")
    }
}

impl Placement {
    /// Puts the file into its place. The signature goes first: a running host loads a file only when two scans have shown
    /// both as they are, and one that starts does not find a file without its signature.
    pub(super) fn put(candidate: Candidate, destination: &Path) -> io::Result<Self> {
        keep_before(destination, &candidate.before())?;
        keep_before(&signature_path(destination), &signature_path(&candidate.before()))?;
        let placement = Placement { candidate, destination: destination.to_owned(), is_open: true };
        let file = placement.candidate.file();
        let signature = signature_path(file);
        let is_signed = signature.exists();
        if is_signed {
            replace::rename(&signature, &signature_path(destination))?;
        }
        replace::rename(file, destination)?;
        if !is_signed {
            remove(&signature_path(destination))?;
        }
        sync_parent(destination)?;
        Ok(placement)
    }

    /// Leaves the file where it is.
    pub(super) fn keep(mut self) {
        self.is_open = false;
    }

    /// Puts back what was there before. If that fails it stays in the folder that the error names.
    pub(super) fn undo(mut self) -> Result<(), String> {
        self.is_open = false;
        let put_back = self.put_back();
        put_back.map_err(|error| {
            self.candidate.scratch.disable_cleanup(true);
            format!("{error}; it is kept as {}", self.candidate.before().display())
        })
    }

    fn put_back(&self) -> io::Result<()> {
        let before = self.candidate.before();
        put_or_remove(&signature_path(&before), &signature_path(&self.destination))?;
        put_or_remove(&before, &self.destination)?;
        sync_parent(&self.destination)
    }
}

/// After an error half-way.
impl Drop for Placement {
    fn drop(&mut self) {
        // The error that led here is the one to show.
        if self.is_open && self.put_back().is_err() {
            self.candidate.scratch.disable_cleanup(true);
        }
    }
}

/// Writes a file that others can read and only its owner can change, durably.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Keeps a file, if there is one, under a second name.
fn keep_before(file: &Path, before: &Path) -> io::Result<()> {
    match fs::hard_link(file, before) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // A file system without hard links.
        Err(_) => fs::copy(file, before).map(|_| ()),
    }
}

/// Moves a file to where it was, or removes what is there if nothing was.
fn put_or_remove(before: &Path, destination: &Path) -> io::Result<()> {
    match replace::rename(before, destination) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => remove(destination),
        moved => moved,
    }
}

fn remove(file: &Path) -> io::Result<()> {
    match replace::remove(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn sync_parent(file: &Path) -> io::Result<()> {
    sync_folder(file.parent().unwrap_or(Path::new(".")))
}
