//! Reported types: the types that fields were reported with to a connection. SuperOffice keeps the type that it mapped
//! first, so a field keeps its type, whatever its cells become, until the sheet `Fields` declares another one or the
//! connection is saved again. Kept in the folder of the connection.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use plugin_api::{Context, Field, FieldType};
use serde::{Deserialize, Serialize};

use crate::workbook::column::Column;

/// The file, in the folder of the connection.
const FILE: &str = "types.json";

const NOT_KEPT: &str = "the reported types cannot be kept: after a restart fields may change their types";

/// The types that were reported to a connection.
#[derive(Debug, Default)]
pub(crate) struct ReportedTypes {
    /// `None`: they are kept in memory.
    file: Option<PathBuf>,
    known: Mutex<TypesFile>,
}

/// What the file holds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct TypesFile {
    /// The save of the connection since which this holds.
    revision: u64,
    /// The names of types, by actor type and field key.
    types: BTreeMap<String, BTreeMap<String, String>>,
}

impl ReportedTypes {
    /// What was reported to a connection since it was saved last.
    pub(crate) fn read(cx: &Context) -> Self {
        let Some(connection) = cx.connection() else { return ReportedTypes::default() };
        let file = match cx.folder() {
            Ok(folder) => Some(folder.join(FILE)),
            Err(error) => {
                tracing::warn!(%error, "{NOT_KEPT}");
                None
            }
        };
        let known = file.as_deref().and_then(TypesFile::read);
        let known = known.filter(|known| known.revision == connection.revision);
        let known = known.unwrap_or(TypesFile { revision: connection.revision, ..TypesFile::default() });
        ReportedTypes { file, known: Mutex::new(known) }
    }

    /// The field of a column, of the type that was reported; and whether the type is fixed, by that or by the sheet
    /// `Fields`.
    pub(crate) fn field(&self, actor_type: &str, column: &Column) -> (Field, bool) {
        let mut field = column.field.clone();
        if column.has_declared_type {
            return (field, true);
        }
        let known = self.known();
        let name = known.types.get(actor_type).and_then(|types| types.get(&field.key));
        match name.and_then(|name| name.parse().ok()) {
            None => (field, false),
            // A list that is gone leaves texts.
            Some(FieldType::List) if field.list.is_none() => (field, false),
            Some(reported) => {
                if reported != FieldType::List {
                    field.list = None;
                }
                field.field_type = reported;
                (field, true)
            }
        }
    }

    /// Notes what is about to be reported. What cannot be kept on disk is kept in memory.
    pub(crate) fn report(&self, actor_type: &str, fields: &[Field], is_declared: impl Fn(&str) -> bool) {
        let mut known = self.known();
        let types = known.types.entry(actor_type.to_owned()).or_default();
        let mut is_new = false;
        for field in fields {
            let name = field.field_type.as_str();
            let reported = types.get(&field.key).map(String::as_str);
            if reported.is_none() || (is_declared(&field.key) && reported != Some(name)) {
                types.insert(field.key.clone(), name.to_owned());
                is_new = true;
            }
        }
        if let (true, Some(file)) = (is_new, &self.file)
            && let Err(error) = known.write(file)
        {
            let path = file.display();
            tracing::warn!(%path, %error, "{NOT_KEPT}");
        }
    }

    fn known(&self) -> MutexGuard<'_, TypesFile> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TypesFile {
    fn read(file: &Path) -> Option<Self> {
        let bytes = std::fs::read(file).ok()?;
        match serde_json::from_slice(&bytes) {
            Ok(known) => Some(known),
            Err(error) => {
                tracing::warn!(path = %file.display(), %error, "the reported types are damaged and are begun anew");
                None
            }
        }
    }

    /// Writes the file whole, unless it is that of a later save: a connection that is about to be closed may still work.
    fn write(&self, file: &Path) -> std::io::Result<()> {
        if TypesFile::read(file).is_some_and(|newer| newer.revision > self.revision) {
            return Ok(());
        }
        let folder = file.parent().ok_or(std::io::ErrorKind::InvalidInput)?;
        std::fs::create_dir_all(folder)?;
        let mut new = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer(&mut new, self)?;
        new.as_file().sync_all()?;
        new.persist(file).map_err(|error| error.error)?;
        Ok(())
    }
}
