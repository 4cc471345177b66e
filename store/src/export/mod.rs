//! Export and import of connections.

mod archive;
mod import;

pub use archive::{
    Archive, ArchiveError, ArchiveFile, ArchivedConnection, ArchivedSetting, ArchivedValue, EncryptedArchive,
};
pub use import::ImportPlan;
