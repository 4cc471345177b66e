//! What a workbook holds: the sheets of actors with their index, and the lists.

pub(crate) mod column;
mod column_reader;
mod examples;
mod field_keys;
mod grid;
pub(crate) mod lines;
mod list;
mod overrides;
mod read_context;
pub(crate) mod table;
mod texts;
mod type_inference;
mod warnings;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use plugin_api::{DateTime, Error, Result, actor_type};

use crate::cell::{DateSystem, NumberFormat};
use crate::keys;
use crate::stamps::{Ledger, PriorVersions, Stamping, key_digest};
use crate::xlsx::XlsxError;
use crate::xlsx::book::{Book, SheetKind};
use crate::xlsx::limits::{PartLimits, Reservation};
use crate::xlsx::package::Package;
use crate::xlsx::strings::SharedStrings;
use crate::xlsx::styles::format_codes;
use crate::xlsx::table_part::TablePart;

use examples::{Examples, truncated};
use field_keys::normalized_name;
use grid::{Grid, SharedParts};
pub(crate) use list::List;
use overrides::Overrides;
use read_context::ReadContext;
use table::SheetCells;
pub(crate) use table::Table;
pub(crate) use warnings::MAX_KEY;

/// A workbook as it stood when it was read.
#[derive(Debug)]
pub(crate) struct Workbook {
    pub(crate) tables: Vec<Table>,
    pub(crate) lists: Vec<List>,
    pub(crate) styles: Styles,
    strings: Arc<SharedStrings>,
    /// Warnings for the test of the connection.
    pub(crate) problems: Vec<String>,
}

/// Number formats and the date system.
#[derive(Debug)]
pub(crate) struct Styles {
    formats: Vec<NumberFormat>,
    pub(crate) dates: DateSystem,
}

/// What is known from before, so that rows keep their stamps.
pub(crate) struct History<'a> {
    /// The workbook as it was read before.
    pub(crate) before: Option<&'a Workbook>,
    /// The row versions from before the host was started.
    pub(crate) ledger: &'a Ledger,
    pub(crate) stamping: Stamping,
    /// Rows that are about to be written, and the stamps that they get: a change of ours to the workbook before, which
    /// leaves the shared texts as they were.
    pub(crate) given: Option<&'a GivenStamps>,
}

/// Stamps by actor type and key.
pub(crate) type GivenStamps = HashMap<&'static str, HashMap<String, DateTime>>;

/// The memory of a place for a value, in bytes.
const PLACE: usize = 16;

/// The sheet that overrides the fields of columns.
const FIELDS_SHEET: &str = "fields";

impl Workbook {
    /// Reads a workbook.
    ///
    /// # Errors
    /// It is no workbook, is protected by a password, is damaged, is beyond the limits, or has no sheet of actors.
    pub(crate) fn read(
        bytes: &[u8],
        history: &History<'_>,
        limits: PartLimits,
        memory: &mut Reservation,
    ) -> Result<Self> {
        refuse_other_files(bytes)?;
        let mut package = Package::open(bytes, limits)?;
        let book = Book::read(&mut package)?;
        let styles = Styles::read(&mut package, &book)?;
        let strings =
            match (history.before.filter(|_| history.given.is_some()), book.shared_strings.as_deref()) {
                (Some(before), _) => Arc::clone(&before.strings),
                // A workbook without any text may name the part and leave it out.
                (None, Some(part)) if package.index(part).is_some() => {
                    Arc::new(SharedStrings::read(&mut package, part, memory)?)
                }
                (None, _) => Arc::default(),
            };

        let shared = SharedParts { styles: &styles, strings: &strings };
        let mut problems = Vec::new();
        let mut sheets: Vec<(&'static str, SheetCells)> = Vec::new();
        let mut lists = Vec::new();
        let mut overrides = Overrides::default();
        for sheet in &book.sheets {
            let name = sheet.name.trim();
            let part = match &sheet.kind {
                SheetKind::Worksheet(part) => part,
                SheetKind::Other => continue,
                SheetKind::Missing => {
                    problems.push(format!(
                        "the workbook does not say where the sheet {name} is (it has no r:id): it is not used"
                    ));
                    continue;
                }
            };
            if let Some(actor_type) = actor_type_of(name) {
                if sheets.iter().any(|(other, _)| *other == actor_type) {
                    problems.push(format!("there is another sheet for {actor_type}: {name} is not used"));
                    continue;
                }
                let grid = Grid::read(&mut package, part, &shared, memory, |_| true);
                let grid = grid.map_err(|error| unreadable_sheet(name, error))?.unwrap_or_default();
                let tables =
                    tables(&mut package, part, &grid).map_err(|error| unreadable_sheet(name, error))?;
                let sheet = SheetCells { name: name.to_owned(), part: part.clone(), grid, tables };
                sheets.push((actor_type, sheet));
            } else if normalized_name(name) == FIELDS_SHEET {
                let grid = Grid::read(&mut package, part, &shared, memory, |_| true);
                let grid = grid.map_err(|error| unreadable_sheet(name, error))?.unwrap_or_default();
                overrides = Overrides::read(&grid, &styles, &mut problems);
            } else {
                match Grid::read(&mut package, part, &shared, memory, List::is_list) {
                    Ok(Some(grid)) => lists.push(List::read(name, &grid, &styles, &mut problems)),
                    Ok(None) => {}
                    Err(error @ XlsxError::Limit(_)) => return Err(error.into()),
                    Err(error) => {
                        problems.push(format!("the sheet {name} cannot be read as a list: {error}"))
                    }
                }
            }
        }

        let found: Vec<&str> = sheets.iter().map(|(actor_type, _)| *actor_type).collect();
        let without_sheet = overrides.without_sheet(&found);
        let without_sheet = without_sheet
            .map(|(row, name)| move || format!("{} in row {row}", truncated(name)))
            .collect::<Examples>();
        if !without_sheet.is_empty() {
            problems.push(format!("the sheet Fields names actor types without a sheet: {without_sheet}"));
        }
        let mut tables = Vec::new();
        for (actor_type, sheet) in &sheets {
            // Searches keep a place for every actor in every column.
            let places = sheet.grid.headings(&styles).len().saturating_mul(sheet.grid.rows());
            memory.take(places.saturating_mul(PLACE)).map_err(XlsxError::from)?;
            let versions = history.prior_versions(actor_type);
            let context = ReadContext {
                styles: &styles,
                lists: &lists,
                overrides: &overrides,
                stamping: &history.stamping,
                prior: versions
                    .as_ref()
                    .map_or(PriorVersions::Unknown, |versions| PriorVersions::Known(versions)),
                given: history.given.and_then(|given| given.get(actor_type)),
            };
            match Table::read(actor_type, sheet, &context, &mut problems) {
                Ok(table) => {
                    warnings::of_table(&table, &sheet.grid, &context, &mut problems);
                    tables.push(table);
                }
                Err(problem) => problems.push(problem),
            }
        }
        if tables.is_empty() {
            let expected = actor_type::ALL.join(", ");
            let names: Vec<&str> = book.sheets.iter().map(|sheet| sheet.name.as_str()).collect();
            let names = names.join(", ");
            let mut text = format!(
                "the workbook has no sheet of actors: expected a sheet named {expected} with a column ID, found {names}"
            );
            for problem in problems {
                text.push_str("; ");
                text.push_str(&problem);
            }
            return Err(Error::user(text));
        }
        // In the contract's order, whatever the order of the sheets.
        tables.sort_by_key(|table| actor_type::ALL.iter().position(|known| *known == table.actor_type));
        Ok(Workbook { tables, lists, styles, strings, problems })
    }

    /// The table of an actor type.
    ///
    /// # Errors
    /// There is no sheet for it.
    pub(crate) fn table(&self, actor_type: &str) -> Result<&Table> {
        self.position(actor_type).map(|at| &self.tables[at])
    }

    /// The number of the table of an actor type.
    ///
    /// # Errors
    /// There is no sheet for it.
    pub(crate) fn position(&self, actor_type: &str) -> Result<usize> {
        let at = self.tables.iter().position(|table| table.actor_type.eq_ignore_ascii_case(actor_type));
        at.ok_or_else(|| {
            let known: Vec<&str> = self.tables.iter().map(|table| table.actor_type).collect();
            let known = known.join(", ");
            Error::user(format!(
                "the workbook has no sheet for the actor type {actor_type:?}, only for {known}"
            ))
        })
    }

    pub(crate) fn list(&self, name: &str) -> Option<&List> {
        self.lists.iter().find(|list| list.is_named(name))
    }

    /// The newest stamp of all actors.
    pub(crate) fn newest(&self) -> Option<DateTime> {
        self.tables.iter().filter_map(Table::newest).max()
    }

    /// Notes in the ledger what this workbook gives out.
    pub(crate) fn note_in(&self, ledger: &mut Ledger) {
        ledger.newest = ledger.newest.max(self.newest());
        for table in &self.tables {
            // A sheet that is gone stays in the ledger: it may come back.
            let sheet = ledger.sheets.entry(table.actor_type.to_owned()).or_default();
            let highest_key = keys::higher(keys::highest(table.keys()), sheet.highest_key.as_deref());
            sheet.highest_key = highest_key.map(str::to_owned);
            let versions = |key: &str| Some((key_digest(key), table.row_version(key)?));
            sheet.rows = table.keys().filter_map(versions).collect();
        }
    }
}

impl History<'_> {
    /// The prior versions of a sheet's rows, by key; `None` for a sheet that was never read.
    fn prior_versions(&self, actor_type: &str) -> Option<impl Fn(&str) -> Option<crate::stamps::RowVersion>> {
        let before =
            self.before.and_then(|before| before.tables.iter().find(|table| table.actor_type == actor_type));
        let ledger = self.ledger.sheets.get(actor_type);
        let versions = move |key: &str| match before {
            Some(table) => table.row_version(key),
            None => ledger.and_then(|ledger| ledger.rows.get(&key_digest(key)).copied()),
        };
        (before.is_some() || ledger.is_some()).then_some(versions)
    }
}

impl Styles {
    fn read(package: &mut Package<'_>, book: &Book) -> Result<Self, XlsxError> {
        let dates = if book.counts_from_1904 { DateSystem::From1904 } else { DateSystem::From1900 };
        let codes = match book.styles.as_deref() {
            Some(part) if package.index(part).is_some() => format_codes(package, part)?,
            _ => Vec::new(),
        };
        let formats = codes.iter().map(|(code, id)| NumberFormat::parse(code, *id)).collect();
        Ok(Styles { formats, dates })
    }

    /// The number format of a style.
    pub(crate) fn format(&self, style: u32) -> &NumberFormat {
        static GENERAL: std::sync::LazyLock<NumberFormat> = std::sync::LazyLock::new(NumberFormat::default);
        usize::try_from(style).ok().and_then(|style| self.formats.get(style)).unwrap_or(&GENERAL)
    }

    /// A style that shows dates, if the workbook has one.
    pub(crate) fn date_style(&self) -> Option<u32> {
        let is_date = |format: &NumberFormat| format.is_date && !format.is_time;
        let found = self.formats.iter().position(is_date)?;
        u32::try_from(found).ok()
    }
}

/// The actor type that a sheet is for.
fn actor_type_of(sheet: &str) -> Option<&'static str> {
    actor_type::ALL.iter().find(|known| known.eq_ignore_ascii_case(sheet)).copied()
}

/// The Excel tables of a sheet.
fn tables(package: &mut Package<'_>, part: &str, grid: &Grid) -> Result<Vec<TablePart>, XlsxError> {
    if grid.table_parts.is_empty() {
        return Ok(Vec::new());
    }
    let relationships = package.relationships(part)?;
    let ids: HashSet<&str> = grid.table_parts.iter().map(String::as_str).collect();
    let named = relationships.iter().filter(|relationship| ids.contains(relationship.id.as_str()));
    // Each once, however often it is named.
    let parts: BTreeSet<&str> = named.map(|relationship| relationship.target.as_str()).collect();
    let parts: Vec<&str> = parts.into_iter().filter(|part| package.index(part).is_some()).collect();
    parts.into_iter().map(|part| TablePart::read(package, part)).collect()
}

/// Says what else a file is that is no workbook of the kind that we read.
fn refuse_other_files(bytes: &[u8]) -> Result<()> {
    const COMPOUND_FILE: &[u8] = &[0xd0, 0xcf, 0x11, 0xe0];
    if bytes.starts_with(COMPOUND_FILE) {
        return Err(Error::user(
            "the workbook is protected by a password, or is an old .xls file: save it as .xlsx or .xlsm without a \
             password",
        ));
    }
    if bytes.is_empty() {
        return Err(Error::user("the file is empty: expected a workbook (.xlsx or .xlsm)"));
    }
    if !bytes.starts_with(b"PK") {
        return Err(Error::user("the file is no workbook: expected .xlsx or .xlsm"));
    }
    Ok(())
}

fn unreadable_sheet(name: &str, error: XlsxError) -> Error {
    match error {
        XlsxError::Damaged(why) => Error::user(format!("the sheet {name} cannot be read: {why}")),
        other => other.into(),
    }
}
