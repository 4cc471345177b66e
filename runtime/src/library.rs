//! Opening a plugin file: a private copy of it, and the handshake in there.

// One of the two places with `unsafe`; every block has its proof.
#![allow(unsafe_code)]

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use libloading::Library;
use plugin_api::abi::{HANDSHAKE_SYMBOL, Handshake, Refused};

/// Copies a file into a folder under a name of its own, unless it is there already, so that it can be replaced or
/// deleted while it runs (overwriting a mapped file kills the process; on Windows it is locked).
///
/// # Errors
/// The folder cannot be made, or the copy cannot be written.
pub(super) fn copy(bytes: &[u8], folder: &Path, name: &str) -> io::Result<PathBuf> {
    make_private_folder(folder)?;
    // Also one that was there before: whoever can write to it runs code as this user.
    #[cfg(unix)]
    fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    let path = folder.join(name);
    if holds(&path, bytes).unwrap_or(false) {
        return Ok(path);
    }
    let mut copy = tempfile::NamedTempFile::new_in(folder)?;
    copy.write_all(bytes)?;
    copy.persist(&path).map_err(|error| error.error)?;
    Ok(path)
}

/// Whether a file holds just these bytes. Compared to the last one: what is loaded must be what was read, whoever has been
/// here meanwhile. Block by block, which costs far less than the memory for all of a large file.
fn holds(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let mut block = [0; 32 * 1024];
    for expected in bytes.chunks(block.len()) {
        let there = &mut block[..expected.len()];
        file.read_exact(there)?;
        if there != expected {
            return Ok(false);
        }
    }
    Ok(file.read(&mut block)? == 0)
}

/// Makes a folder, and those above it, for this user alone. One that is there stays as it is.
pub(super) fn make_private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Why a library that was opened is of no use, or cannot be opened.
#[derive(Debug)]
pub(super) enum OpenError {
    /// The system's loader does not take it.
    System(libloading::Error),
    /// It has no handshake, or a broken one.
    Refused(Refused),
}

/// Opens a library, for good: it is never closed, because what comes from it (threads, thread-locals, functions, static
/// texts) may be in use for as long as the process lives.
///
/// # Errors
/// It cannot be opened, or is no plugin. Then it stays open too, for its initialisers may have left something behind.
pub(super) fn open(path: &Path) -> Result<&'static Handshake, OpenError> {
    // SAFETY: opening runs the library's initialisers, code that we can prove nothing about: the operator vouches for
    // it by putting the file into the plugins folder. It is a whole library of this system (`image::check`), in a copy
    // that nobody else writes to.
    let library = unsafe { open_now(path) }.map_err(OpenError::System)?;
    let library: &'static Library = Box::leak(Box::new(library));
    // SAFETY: only the symbol's address is taken, and the library that it points into is never closed.
    let address = unsafe {
        library.get::<*const Handshake>(HANDSHAKE_SYMBOL).ok().and_then(|symbol| symbol.try_as_raw_ptr())
    };
    let Some(address) = address else { return Err(OpenError::Refused(Refused::NotAPlugin)) };
    // SAFETY: the symbol's name is ours, so that who exports it exports a handshake, or at least its magic and size;
    // the library is never closed, so its statics live as long as the process.
    unsafe { Handshake::at(address.cast_const().cast()) }.map_err(OpenError::Refused)
}

/// Opens a library with all its symbols bound at once (a missing one is an error now, not a crash later) and kept to
/// itself (two plugins may have symbols of the same name).
///
/// # Safety
/// As for [`Library::new`].
#[cfg(unix)]
unsafe fn open_now(path: &Path) -> Result<Library, libloading::Error> {
    use libloading::os::unix;
    // SAFETY: the caller's.
    unsafe { unix::Library::open(Some(path), unix::RTLD_NOW | unix::RTLD_LOCAL) }.map(Library::from)
}

/// Opens a library; Windows binds all symbols at once and keeps them to itself anyway.
///
/// # Safety
/// As for [`Library::new`].
#[cfg(windows)]
unsafe fn open_now(path: &Path) -> Result<Library, libloading::Error> {
    // SAFETY: the caller's.
    unsafe { Library::new(path) }
}
