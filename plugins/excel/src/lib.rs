//! The connector `Excel`: a workbook as a small ERP system.
//!
//! A sheet per actor type holds the actors, other sheets are lists. The workbook is read once and cached with an index;
//! it is read again when the file changes. What SuperOffice creates or saves is patched into the XML of the sheet,
//! so that everything else in the workbook stays byte for byte.
//!
//! The path of a call: [`connection`](ExcelConnection) -> `file` (cache, valid while the file is unchanged) -> `workbook`
//! (tables and index) and, for a change, `write` (plan, patch, check, archive) -> `file` again (atomic replacement). The
//! file format is `xlsx`, below both. What belongs to one connection only: `settings`, `reported_types` and
//! `typed_workbook`. What `workbook` and `write` build on: `cell`, `keys` and `stamps`.

mod cell;
mod connection;
mod file;
mod keys;
mod reported_types;
mod settings;
mod stamps;
mod typed_workbook;
mod workbook;
mod write;
mod xlsx;

#[cfg(test)]
mod tests;

use plugin_api::{Connector, Context, Field, Host, Input, Result, Settings, SettingsForm, actor_type};

pub use connection::ExcelConnection;
use file::OpenFiles;
use reported_types::ReportedTypes;
use settings::{ExcelSettings, Folders};
use xlsx::limits::Limits;

/// The connector `Excel`.
pub struct ExcelConnector {
    folders: Folders,
    limits: Limits,
    files: OpenFiles,
}

impl Connector for ExcelConnector {
    const NAME: &'static str = "Excel";
    const DESCRIPTION: &'static str = "An Excel workbook as a small ERP system";
    const ACTOR_TYPES: &'static [&'static str] = actor_type::ALL;
    // The type of a column without a declared one is that of its cells, and changes with what is written to it.
    const INPUT: Input = Input::Raw;

    type Connection = ExcelConnection;

    fn new(host: &Host) -> Result<Self> {
        let limits = Limits::new(host)?;
        Ok(ExcelConnector { folders: Folders::new(host)?, limits, files: OpenFiles::default() })
    }

    fn settings(&self, _cx: &Context) -> Result<Vec<Field>> {
        Ok(ExcelSettings::fields())
    }

    fn connect(&self, cx: &Context, settings: &Settings) -> Result<ExcelConnection> {
        let home = self.folders.home();
        let reported = ReportedTypes::read(cx);
        let settings = ExcelSettings::read(settings)?;
        let path = self.folders.workbook(&settings.filename)?;
        let file = self.files.open(path, home, &self.limits);
        ExcelConnection::open(file, settings.read_only, reported)
    }
}

plugin_api::export!(ExcelConnector);
