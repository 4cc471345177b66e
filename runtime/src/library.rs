//! Opens a shared library and reads the handshake of the plugin in it.

// One of the two places with `unsafe`; every block has its proof.
#![allow(unsafe_code)]

use std::error::Error as _;
use std::path::Path;

use libloading::Library;
use plugin_api::abi::{HANDSHAKE_SYMBOL, Handshake, Refused};
use thiserror::Error;

use crate::environment;

/// Why a library cannot be opened as a plugin. Its `Display` is one line, with what to do.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The system's loader refuses it.
    #[error("the system cannot load it: {0}; build the plugin on a system like this one")]
    System(String),
    /// It has no handshake, or an invalid one.
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// Opens a library for the lifetime of the process. It is never closed, because its threads, thread-locals, functions and
/// static data may be in use until the process ends.
///
/// # Errors
/// It cannot be opened, or is not a plugin. It stays open then, too: its initialisers have run already.
pub(crate) fn open(path: &Path) -> Result<&'static Handshake, OpenError> {
    environment::remember();
    // SAFETY: opening runs the library's initialisers, code that we can prove nothing about: the operator vouches for
    // it by putting the file into the plugins folder. It is a whole library of this system (`object_file::check`), in a
    // copy that nobody else writes to.
    let library = unsafe { open_now(path) }.map_err(|error| system_error(&error, path))?;
    let library: &'static Library = Box::leak(Box::new(library));
    // SAFETY: only the symbol's address is taken, and the library that it points into is never closed.
    let address = unsafe {
        library.get::<*const Handshake>(HANDSHAKE_SYMBOL).ok().and_then(|symbol| symbol.try_as_raw_ptr())
    };
    let Some(address) = address else { return Err(Refused::NotAPlugin.into()) };
    // SAFETY: the symbol's name is ours, so a library that exports it exports a handshake, or at least its magic and size;
    // the library is never closed, so its statics live as long as the process.
    Ok(unsafe { Handshake::at(address.cast_const().cast()) }?)
}

/// The loader's error in one line, without the path of the copy: the operator knows the file by another name.
fn system_error(error: &libloading::Error, copy: &Path) -> OpenError {
    let mut text = error.to_string();
    if let Some(cause) = error.source() {
        text = format!("{text}: {cause}");
    }
    text = text.replace(&format!("{}: ", copy.display()), "");
    OpenError::System(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Opens a library with `RTLD_NOW` (a missing symbol is an error now, not a crash later) and `RTLD_LOCAL` (two plugins may
/// have symbols of the same name).
///
/// # Safety
/// As for [`Library::new`].
#[cfg(unix)]
unsafe fn open_now(path: &Path) -> Result<Library, libloading::Error> {
    use libloading::os::unix;
    // SAFETY: the caller's.
    unsafe { unix::Library::open(Some(path), unix::RTLD_NOW | unix::RTLD_LOCAL) }.map(Library::from)
}

/// Opens a library. Windows always resolves all symbols at once, and separately for each library. The libraries that it needs are
/// searched in its own folder, that of the program and that of the system: not in the current folder or in `PATH`, where others may
/// write.
///
/// # Safety
/// As for [`Library::new`].
#[cfg(windows)]
unsafe fn open_now(path: &Path) -> Result<Library, libloading::Error> {
    use libloading::os::windows::{self, LOAD_LIBRARY_SEARCH_DEFAULT_DIRS, LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR};
    // Only an absolute path has a folder to search.
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let folders = LOAD_LIBRARY_SEARCH_DEFAULT_DIRS | LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR;
    // SAFETY: the caller's.
    unsafe { windows::Library::load_with_flags(path, folders) }.map(Library::from)
}
