//! What a workbook holds: the sheets of actors with their index, and the lists.

pub(crate) mod column;
pub(crate) mod grid;
pub(crate) mod lines;
mod list;
mod package;
pub(crate) mod sheet_xml;
pub(crate) mod table;
mod texts;

use std::collections::{BTreeSet, HashMap};
use std::io::Cursor;

use calamine::{Reader as _, SheetType, Xlsx, XlsxError};
use plugin_api::{DateTime, Error, Result, ResultExt, actor_type};

use crate::cell::{DateSystem, NumberFormat};
use crate::fields::{Overrides, plain_name};
use crate::keys;
use crate::stamps::{Ledger, Past, Stamping, key_digest};

use grid::Grid;
pub(crate) use list::List;
pub(crate) use package::{Archive, entry};
use sheet_xml::{Item, SheetXml};
use table::Surroundings;
pub(crate) use table::Table;

/// A workbook as it stood when it was read.
#[derive(Debug)]
pub(crate) struct Workbook {
    pub(crate) tables: Vec<Table>,
    pub(crate) lists: Vec<List>,
    pub(crate) styles: Styles,
    /// What deserves attention, for the person who tests the connection.
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
    /// What was seen before this start of the host.
    pub(crate) ledger: &'a Ledger,
    pub(crate) stamping: Stamping,
    /// Rows that are about to be written, and the stamps that they get.
    pub(crate) given: &'a GivenStamps,
}

/// Stamps by actor type and key.
pub(crate) type GivenStamps = HashMap<&'static str, HashMap<String, DateTime>>;

/// The sheet that says more about columns.
const FIELDS_SHEET: &str = "fields";

/// The most that a workbook may unpack to: a small file can claim to hold anything.
const MAX_UNPACKED: u64 = 2 << 30;

impl Workbook {
    /// Reads a workbook.
    ///
    /// # Errors
    /// It is no workbook, is protected by a password, is damaged, or has no sheet of actors.
    pub(crate) fn read(bytes: &[u8], history: &History<'_>) -> Result<Self> {
        refuse_other_files(bytes)?;
        let damaged = "the file is no workbook, or it is damaged or only half written";
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).user(damaged)?;
        if package::unpacked_size(&mut archive).user(damaged)? > MAX_UNPACKED {
            let megabytes = MAX_UNPACKED >> 20;
            return Err(Error::user(format!(
                "the workbook is too large, at most {megabytes} MB are read once unpacked"
            )));
        }
        let entries = package::sheets(&mut archive).map_err(|cause| Error::user(damaged).tech(cause))?;
        let mut book = Xlsx::new(Cursor::new(bytes)).map_err(unreadable)?;
        let sheets: Vec<String> = book
            .sheets_metadata()
            .iter()
            .filter(|sheet| sheet.typ == SheetType::WorkSheet)
            .map(|sheet| sheet.name.clone())
            .collect();
        let styles = Styles::read(&mut book, sheets.first())?;

        let mut problems = Vec::new();
        let mut grids: Vec<(&'static str, &str, &String, Grid)> = Vec::new();
        let mut lists = Vec::new();
        let mut overrides = Overrides::default();
        for sheet in &sheets {
            let name = sheet.trim();
            if let Some(actor_type) = actor_type_of(name) {
                if grids.iter().any(|(other, ..)| *other == actor_type) {
                    problems.push(format!("there is another sheet for {actor_type}: {name} is not used"));
                    continue;
                }
                let grid = Grid::read(&mut book, sheet, &styles, |_| true);
                let grid = grid.map_err(|error| unreadable_sheet(name, error))?.unwrap_or_default();
                let entry = entries.iter().find(|(entry_name, _)| entry_name == sheet);
                let (_, entry) =
                    entry.ok_or_else(|| Error::user(damaged).tech(format!("no part for {name}")))?;
                grids.push((actor_type, name, entry, grid));
            } else if plain_name(name) == FIELDS_SHEET {
                let grid = Grid::read(&mut book, sheet, &styles, |_| true);
                let grid = grid.map_err(|error| unreadable_sheet(name, error))?.unwrap_or_default();
                overrides = Overrides::read(&grid, &styles, &mut problems);
            } else {
                match Grid::read(&mut book, sheet, &styles, List::is_list) {
                    Ok(Some(grid)) => lists.push(List::read(name, &grid, &styles, &mut problems)),
                    Ok(None) => {}
                    Err(error) => {
                        problems.push(format!("the sheet {name} cannot be read as a list: {error}"))
                    }
                }
            }
        }

        let found: Vec<&str> = grids.iter().map(|(actor_type, ..)| *actor_type).collect();
        for (row, name) in overrides.without_sheet(&found) {
            problems.push(format!("row {row} of the sheet Fields: there is no sheet for {name}"));
        }
        let mut tables = Vec::new();
        for (actor_type, name, entry, grid) in &grids {
            let formulas = formulas(&mut archive, entry)
                .map_err(|cause| Error::user(format!("the sheet {name} cannot be read")).tech(cause))?;
            let seen = history.seen(actor_type);
            let around = Surroundings {
                styles: &styles,
                lists: &lists,
                overrides: &overrides,
                stamping: &history.stamping,
                past: seen.as_ref().map_or(Past::Unknown, |seen| Past::Known(seen)),
                given: history.given.get(actor_type),
                formulas: &formulas,
            };
            match Table::read(actor_type, name, entry, grid, &around, &mut problems) {
                Ok(table) => tables.push(table),
                Err(problem) => problems.push(problem),
            }
        }
        if tables.is_empty() {
            let expected = actor_type::ALL.join(", ");
            let names = sheets.join(", ");
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
        Ok(Workbook { tables, lists, styles, problems })
    }

    /// The table of an actor type.
    ///
    /// # Errors
    /// There is no sheet for it.
    pub(crate) fn table(&self, actor_type: &str) -> Result<&Table> {
        let found = self.tables.iter().find(|table| table.actor_type.eq_ignore_ascii_case(actor_type));
        found.ok_or_else(|| {
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
            let seen = |key: &str| Some((key_digest(key), table.seen(key)?));
            sheet.rows = table.keys().filter_map(seen).collect();
        }
    }
}

impl History<'_> {
    /// What was seen of a sheet, by key; `None` when it was never seen.
    fn seen(&self, actor_type: &str) -> Option<impl Fn(&str) -> Option<crate::stamps::Seen>> {
        let before =
            self.before.and_then(|before| before.tables.iter().find(|table| table.actor_type == actor_type));
        let kept = self.ledger.sheets.get(actor_type);
        let seen = move |key: &str| match before {
            Some(table) => table.seen(key),
            None => kept.and_then(|kept| kept.rows.get(&key_digest(key)).copied()),
        };
        (before.is_some() || kept.is_some()).then_some(seen)
    }
}

impl Styles {
    fn read<R: std::io::Read + std::io::Seek>(book: &mut Xlsx<R>, sheet: Option<&String>) -> Result<Self> {
        let dates = if book.has_1904_epoch() { DateSystem::From1904 } else { DateSystem::From1900 };
        let formats = match sheet {
            Some(sheet) => grid::formats(book, sheet).map_err(|error| unreadable_sheet(sheet, error))?,
            None => Vec::new(),
        };
        Ok(Styles { formats, dates })
    }

    /// The number format of a style.
    pub(crate) fn format(&self, style: u32) -> &NumberFormat {
        static GENERAL: std::sync::LazyLock<NumberFormat> = std::sync::LazyLock::new(NumberFormat::default);
        usize::try_from(style).ok().and_then(|style| self.formats.get(style)).unwrap_or(&GENERAL)
    }

    /// A style that shows dates, if the workbook has one.
    pub(crate) fn date_style(&self) -> Option<u32> {
        let found = self.formats.iter().position(|format| format.is_date)?;
        u32::try_from(found).ok()
    }
}

/// The actor type that a sheet is for.
fn actor_type_of(sheet: &str) -> Option<&'static str> {
    actor_type::ALL.iter().find(|known| known.eq_ignore_ascii_case(sheet)).copied()
}

/// The cells of a sheet that hold formulas.
fn formulas(archive: &mut Archive<'_>, name: &str) -> Result<BTreeSet<(u32, u32)>, String> {
    let xml = entry(archive, name)?;
    let mut found = BTreeSet::new();
    // Most sheets have none: a look at the text spares the way through all cells.
    if !["<f>", "<f ", "<f/", ":f>", ":f "].iter().any(|tag| xml.contains(tag)) {
        return Ok(found);
    }
    let mut items = SheetXml::new(&xml);
    while let Some(item) = items.next()? {
        if let Item::Cell(cell) = item
            && cell.has_formula
        {
            found.insert((cell.row, cell.column));
        }
    }
    Ok(found)
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

fn unreadable(error: XlsxError) -> Error {
    let text = match &error {
        XlsxError::Password => "the workbook is protected by a password: save it without one",
        _ => "the file is no workbook, or it is damaged or only half written",
    };
    Error::user(text).caused_by(error)
}

fn unreadable_sheet(name: &str, error: XlsxError) -> Error {
    Error::user(format!("the sheet {name} cannot be read")).caused_by(error)
}
