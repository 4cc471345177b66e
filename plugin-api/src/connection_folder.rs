//! The folder of a stored connection, `<data folder of the connector>/connections/<guid>`. It belongs to the plugin's side, which
//! may run as another user than the host.

use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The folder of all of them, in the data folder of the connector.
const CONNECTIONS: &str = "connections";

/// The folder of one connection, which may not exist.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionFolder(PathBuf);

impl ConnectionFolder {
    /// That of this connection. `None` for a name that is no GUID, and might lead elsewhere.
    pub(crate) fn of(data_folder: &Path, guid: &str) -> Option<Self> {
        is_name(guid).then(|| ConnectionFolder(data_folder.join(CONNECTIONS).join(guid)))
    }

    /// The names of those that exist.
    pub(crate) fn names(data_folder: &Path) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(data_folder.join(CONNECTIONS)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            names.extend(entry?.file_name().into_string().ok().filter(|name| is_name(name)));
        }
        Ok(names)
    }

    /// Makes it if it is missing, only for its owner.
    pub(crate) fn make(&self) -> io::Result<&Path> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.0)?;
        Ok(&self.0)
    }

    /// Removes it with all that is in it, if it exists.
    pub(crate) fn remove(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

fn is_name(guid: &str) -> bool {
    !guid.is_empty() && guid.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
