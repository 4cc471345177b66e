//! Making workbooks, and connections to them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use erp_host_conformance::testing::{self, Saved, collect};
pub(crate) use plugin_api::Context;
use plugin_api::{Actor, Connection, Connector, DateTime, Error, Host, Outcome, Result, Settings, State};
use rust_xlsxwriter::{ExcelDateTime, Format, Formula, Workbook};
use tempfile::TempDir;

use crate::file::WorkbookFile;
use crate::reported_types::ReportedTypes;
use crate::xlsx::limits::Limits;
use crate::{ExcelConnection, ExcelConnector};

/// A cell of a workbook to be made.
#[derive(Debug, Clone)]
pub(crate) enum C {
    /// Nothing.
    E,
    /// A text.
    T(&'static str),
    /// A number.
    N(f64),
    /// A number or nothing, with a number format.
    F(Option<f64>, &'static str),
    /// A date, shown as one.
    D(&'static str),
    /// Yes or no.
    B(bool),
    /// A formula and its result.
    X(&'static str, &'static str),
}

pub(crate) use C::*;

pub(crate) type Sheet = (&'static str, Vec<Vec<C>>);

/// A folder with a workbook in it, and the connector on that folder.
pub(crate) struct WorkbookFolder {
    pub(crate) folder: TempDir,
    pub(crate) connector: ExcelConnector,
}

impl WorkbookFolder {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let connector = ExcelConnector::new(&Host::for_test(folder.path())).unwrap();
        WorkbookFolder { folder, connector }
    }

    /// With a workbook `book.xlsx` of these sheets.
    pub(crate) fn with(sheets: &[Sheet]) -> Self {
        let place = WorkbookFolder::new();
        write(&place.path(), sheets);
        place
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("book.xlsx")
    }

    pub(crate) fn connect(&self) -> ExcelConnection {
        self.try_connect().unwrap()
    }

    pub(crate) fn try_connect(&self) -> Result<ExcelConnection> {
        self.connector.connect(&Context::default(), &Settings::from([("Filename", "book.xlsx")]))
    }

    /// The error that opening the workbook gives.
    pub(crate) fn refusal(&self) -> String {
        self.try_connect().err().expect("the workbook was opened").user_text()
    }

    /// A connection whose clock stands still at `seconds` after 2026-01-01.
    pub(crate) fn connect_at(&self, seconds: u64) -> ExcelConnection {
        let epoch = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600 + seconds);
        let limits = Limits::new(&Host::for_test(self.folder.path())).unwrap();
        let file = WorkbookFile::new(self.path(), self.folder.path(), limits, Box::new(move || epoch));
        ExcelConnection::open(Arc::new(file), false, ReportedTypes::default()).unwrap()
    }
}

/// Makes a workbook.
pub(crate) fn write(path: &Path, sheets: &[Sheet]) {
    make(sheets).save(path).unwrap();
}

pub(crate) fn make(sheets: &[Sheet]) -> Workbook {
    let mut workbook = Workbook::new();
    for (name, rows) in sheets {
        let sheet = workbook.add_worksheet();
        sheet.set_name(*name).unwrap();
        for (row, cells) in (0..).zip(rows) {
            for (column, cell) in (0..).zip(cells) {
                match cell {
                    E => {}
                    T(text) => drop_it(sheet.write_string(row, column, *text)),
                    N(number) => drop_it(sheet.write_number(row, column, *number)),
                    F(number, format) => {
                        let format = Format::new().set_num_format(*format);
                        match number {
                            Some(number) => {
                                drop_it(sheet.write_number_with_format(row, column, *number, &format))
                            }
                            None => drop_it(sheet.write_blank(row, column, &format)),
                        }
                    }
                    D(text) => {
                        let format = Format::new().set_num_format("yyyy-mm-dd hh:mm");
                        let date = ExcelDateTime::parse_from_str(text).unwrap();
                        drop_it(sheet.write_datetime_with_format(row, column, &date, &format));
                    }
                    B(on) => drop_it(sheet.write_boolean(row, column, *on)),
                    X(formula, result) => {
                        drop_it(sheet.write_formula(row, column, Formula::new(*formula).set_result(*result)))
                    }
                }
            }
        }
    }
    workbook
}

fn drop_it<T>(result: std::result::Result<T, rust_xlsxwriter::XlsxError>) {
    result.map(|_| ()).unwrap();
}

/// How a test of a connection that works ends.
pub(crate) fn outcome_of_test(connection: &ExcelConnection) -> Outcome {
    let cx = Context::default();
    connection.test(&cx).unwrap();
    cx.outcome()
}

/// The names of the actor types.
pub(crate) fn actor_types(connection: &ExcelConnection) -> Vec<String> {
    let types = connection.actor_types(&Context::default()).unwrap();
    types.into_iter().map(|actor_type| actor_type.name).collect()
}

/// All actors of a type.
pub(crate) fn actors(connection: &ExcelConnection, actor_type: &str) -> Vec<Actor> {
    collect(actor_type, None, |cx, rows| connection.search(cx, actor_type, &[], rows)).unwrap()
}

/// One actor.
pub(crate) fn get(connection: &ExcelConnection, actor_type: &str, key: &str) -> Actor {
    let mut actors =
        collect(actor_type, None, |cx, rows| connection.get(cx, actor_type, &[key], rows)).unwrap();
    assert_eq!(actors.len(), 1, "{actor_type} {key}");
    actors.remove(0)
}

pub(crate) fn changed_since(connection: &ExcelConnection, actor_type: &str, stamp: &str) -> Vec<String> {
    let actors =
        collect(actor_type, None, |cx, rows| connection.changed_since(cx, actor_type, Some(stamp), rows))
            .unwrap();
    actors.into_iter().map(|actor| actor.key).collect()
}

pub(crate) fn create(connection: &ExcelConnection, actor: &Actor) -> Result<Actor> {
    let mut actors = collect(&actor.actor_type, None, |cx, rows| connection.create(cx, actor, rows))?;
    assert_eq!(actors.len(), 1);
    Ok(actors.remove(0))
}

pub(crate) fn save(connection: &ExcelConnection, actors: &[Actor]) -> Result<Vec<Actor>> {
    let saved = save_some(connection, actors);
    if saved.outcome.state == State::Ok {
        return Ok(saved.actors);
    }
    let Outcome { user, code, .. } = saved.outcome;
    let error = Error::user(user.unwrap_or_default());
    Err(code.into_iter().fold(error, Error::code))
}

/// Saves actors, of which some may be refused.
pub(crate) fn save_some(connection: &ExcelConnection, actors: &[Actor]) -> Saved {
    testing::save(connection, actors)
}

/// An actor to be created or saved.
pub(crate) fn actor(actor_type: &str, key: &str, fields: &[(&str, Option<&str>)]) -> Actor {
    let fields = fields.iter().map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned)));
    Actor { fields: fields.collect(), ..Actor::new(actor_type, key) }
}

pub(crate) fn stamp(actor: &Actor) -> DateTime {
    DateTime::parse_sortable(actor.last_modified.as_deref().unwrap()).unwrap()
}

/// User text and code of an error.
pub(crate) fn error_of<T>(result: Result<T>) -> (String, Option<String>) {
    let error: Error = result.err().expect("it worked");
    (error.user_text(), error.error_code().map(str::to_owned))
}

/// A sheet of customers, one of lists, enough for most tests.
pub(crate) fn customers() -> Vec<Sheet> {
    vec![
        (
            "Customer",
            vec![
                vec![
                    T("ID"),
                    T("Name"),
                    T("Zip"),
                    T("Limit"),
                    T("Since"),
                    T("Active"),
                    T("Category"),
                    T("LastModified"),
                ],
                vec![
                    N(1001.0),
                    T("Alfa"),
                    T("0150"),
                    N(10.0),
                    D("2020-01-01"),
                    B(true),
                    T("A"),
                    D("2026-01-01T12:00:00"),
                ],
                vec![
                    N(1002.0),
                    T("Beta"),
                    T("5003"),
                    N(20.0),
                    D("2021-02-03"),
                    B(false),
                    T("B"),
                    D("2026-01-01T12:01:00"),
                ],
                vec![N(1003.0), T("Gamma"), E, E, E, E, E, D("2026-01-01T12:02:00")],
            ],
        ),
        ("Category", vec![vec![T("ID"), T("Text")], vec![T("A"), T("Large")], vec![T("B"), T("Small")]]),
    ]
}
