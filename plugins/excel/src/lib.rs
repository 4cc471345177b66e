//! The connector `Excel`: a workbook as a small ERP system.
//!
//! A sheet per actor type holds the actors, other sheets are lists. The workbook is read once and kept with an index;
//! a change of the file is noticed and read. What SuperOffice creates or saves is patched into the XML of the sheet,
//! so that everything else in the workbook stays byte for byte.
//!
//! The way of a call: [`connection`](ExcelConnection) -> `file` (is what we know still true?) -> `workbook` (tables and
//! index) and, for a change, `write` (plan, patch, archive) -> `file` again (replaced whole).

mod cell;
mod connection;
mod fields;
mod file;
mod keys;
mod settings;
mod stamps;
mod workbook;
mod write;

#[cfg(test)]
mod tests;

use plugin_api::{Connector, Field, Host, Result, Settings, SettingsForm, actor_type};

pub use connection::ExcelConnection;
use file::OpenFiles;
use settings::{ExcelSettings, Folders};

/// The connector `Excel`.
pub struct ExcelConnector {
    folders: Folders,
    files: OpenFiles,
}

impl Connector for ExcelConnector {
    const NAME: &'static str = "Excel";
    const DESCRIPTION: &'static str = "An Excel workbook as a small ERP system";
    const ACTOR_TYPES: &'static [&'static str] = actor_type::ALL;

    type Connection = ExcelConnection;

    fn new(host: &Host) -> Result<Self> {
        Ok(ExcelConnector { folders: Folders::new(host)?, files: OpenFiles::default() })
    }

    fn settings(&self) -> Result<Vec<Field>> {
        Ok(ExcelSettings::fields())
    }

    fn connect(&self, settings: &Settings) -> Result<ExcelConnection> {
        let settings = ExcelSettings::read(settings)?;
        let path = self.folders.workbook(&settings.filename)?;
        ExcelConnection::open(self.files.open(path, self.folders.home()), settings.read_only)
    }
}

plugin_api::export!(ExcelConnector);
