//! Export and import of connections.

mod archive;
mod import;

pub use archive::{
    Archive, ArchiveError, ArchiveFile, ArchivedConnection, ArchivedSetting, ArchivedState, ArchivedValue,
    EncryptedArchive,
};
pub use import::ImportPlan;
