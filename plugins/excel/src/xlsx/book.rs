//! The workbook part: the sheets, in its order, and the date system.

use super::XlsxError;
use super::package::{Package, Relationship};
use super::xml::{Token, XmlReader};

/// A workbook's parts.
#[derive(Debug)]
pub(crate) struct Book {
    /// The name of the workbook part.
    pub(crate) part: String,
    pub(crate) sheets: Vec<Sheet>,
    /// Days are counted from 1904-01-01.
    pub(crate) counts_from_1904: bool,
    pub(crate) styles: Option<String>,
    pub(crate) shared_strings: Option<String>,
    pub(crate) calculation_chain: Option<String>,
}

/// A sheet of the workbook.
#[derive(Debug)]
pub(crate) struct Sheet {
    pub(crate) name: String,
    pub(crate) kind: SheetKind,
    /// Its number, by which the calculation chain names it.
    pub(crate) id: String,
}

/// What a sheet is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SheetKind {
    /// A sheet of cells, and the part that holds it.
    Worksheet(String),
    /// A chart, a dialog or a macro sheet of old.
    Other,
    /// The workbook does not name the part that holds it.
    Missing,
}

impl Book {
    /// # Errors
    /// The package holds no workbook, or it cannot be read.
    pub(crate) fn read(package: &mut Package<'_>) -> Result<Self, XlsxError> {
        let found = package.relationships("")?;
        let workbook = found.into_iter().find(|relationship| relationship.kind.ends_with("/officeDocument"));
        let part =
            workbook.ok_or_else(|| XlsxError::Damaged("the package names no workbook".to_owned()))?.target;
        let relationships = package.relationships(&part)?;
        let of_kind = |kind: &str| {
            let found = relationships.iter().find(|relationship| relationship.kind.ends_with(kind));
            found.map(|relationship| relationship.target.clone())
        };
        let mut book = Book {
            sheets: Vec::new(),
            counts_from_1904: false,
            styles: of_kind("/styles"),
            shared_strings: of_kind("/sharedStrings"),
            calculation_chain: of_kind("/calcChain"),
            part,
        };
        let mut xml = XmlReader::new(package.reader(&book.part)?);
        loop {
            match xml.next().map_err(|error| error.of(&book.part))? {
                Token::Start | Token::Empty => match xml.local_name() {
                    Some("workbookPr") => {
                        let value = xml.attribute("date1904");
                        book.counts_from_1904 = value.is_some_and(|value| matches!(&*value, "1" | "true"));
                    }
                    Some("sheet") => {
                        let id = xml.foreign_attribute("/relationships", "id");
                        let relationship =
                            id.and_then(|id| relationships.iter().find(|relationship| relationship.id == id));
                        let name = xml.attribute("name").unwrap_or_default().into_owned();
                        let id = xml.attribute("sheetId").unwrap_or_default().into_owned();
                        book.sheets.push(Sheet { name, kind: kind(relationship), id });
                    }
                    _ => {}
                },
                Token::Eof => return Ok(book),
                _ => {}
            }
        }
    }
}

fn kind(relationship: Option<&Relationship>) -> SheetKind {
    match relationship {
        Some(found) if found.kind.ends_with("/worksheet") => SheetKind::Worksheet(found.target.clone()),
        Some(_) => SheetKind::Other,
        None => SheetKind::Missing,
    }
}
