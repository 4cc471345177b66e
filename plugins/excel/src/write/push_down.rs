//! Making room above a row of totals: the row moves down by one. Excel would carry along all that names the cells that
//! move; where something does, the change is refused with the reason.

use crate::workbook::Table;
use crate::xlsx::XlsxError;
use crate::xlsx::book::{Book, SheetKind};
use crate::xlsx::formula::references;
use crate::xlsx::package::Package;
use crate::xlsx::range::{CellRange, MAX_ROWS, cell_name};
use crate::xlsx::sheet::{Item, RawValue, SheetReader};
use crate::xlsx::strings;
use crate::xlsx::xml::{Token, XmlReader};

use super::{Parts, attributes};

/// Why the totals of a table cannot move down, in words for a person; `None` if they can.
///
/// # Errors
/// A part cannot be read.
pub(crate) fn obstacle(
    package: &mut Package<'_>,
    book: &Book,
    table: &Table,
) -> Result<Option<String>, XlsxError> {
    let from = table.next.row;
    let why = match in_sheet(package, table, from)? {
        Some(why) => Some(why),
        None => elsewhere(package, book, table, from)?,
    };
    Ok(why.map(|why| {
        format!(
            "no row can be added above the totals in row {} of the sheet {}: {why}; add an empty row to the table in Excel",
            from + 1,
            table.sheet
        )
    }))
}

/// Whether a range would have to move or to grow. One that reaches to the end of the sheet stays as it is.
fn moves(range: &CellRange, from: u32) -> bool {
    range.last.0 >= from && !(range.first.0 < from && range.last.0 == MAX_ROWS - 1)
}

fn in_sheet(package: &mut Package<'_>, table: &Table, from: u32) -> Result<Option<String>, XlsxError> {
    let part = &table.part;
    let columns = table.tables.iter().find(|part| part.totals > 0).map(|part| part.range);
    let in_table = |column: u32| columns.is_some_and(|range| range.has_column(column));
    let mut reader = SheetReader::new(part, package.reader(part)?);
    loop {
        let why = match reader.next()? {
            Item::Cell(cell) => {
                let name = cell_name(cell.row, cell.column);
                let is_used = cell.value != RawValue::Empty || cell.formula.is_some();
                let is_total = cell.row == from && in_table(cell.column);
                match &cell.formula {
                    _ if cell.row >= from && is_used && !is_total => {
                        Some(format!("the cell {name} stands beside or below them"))
                    }
                    Some(formula) if is_total && !formula.kind.is_empty() => {
                        Some(format!("the cell {name} holds a formula for several cells"))
                    }
                    // It would not count the new row.
                    Some(formula) if is_total && !references(&formula.text).is_empty() => {
                        Some(format!("the formula in {name} names cells by their addresses"))
                    }
                    Some(formula) if names(&formula.text, None, &table.sheet, from) => {
                        Some(format!("the formula in {name} names cells there"))
                    }
                    _ => None,
                }
            }
            Item::Row { row, .. } if row == MAX_ROWS - 1 => {
                Some("the last row of the sheet is in use".to_owned())
            }
            Item::Merged(range) if moves(&range, from) => {
                Some(format!("the merged cells {range} reach there"))
            }
            Item::Hyperlink(link) if moves(&link.cells, from) => {
                Some(format!("a hyperlink in {} is there", link.cells))
            }
            Item::Region(what, ranges) => ranges
                .iter()
                .find(|range| moves(range, from))
                .map(|range| format!("a {what} for {range} reaches there")),
            Item::End => return Ok(None),
            _ => None,
        };
        if why.is_some() {
            return Ok(why);
        }
    }
}

/// Whether a formula of the sheet `own` (`None`: the table's own one) names cells of the table's sheet that move.
fn names(formula: &str, own: Option<&str>, sheet: &str, from: u32) -> bool {
    references(formula).iter().any(|(named, range)| {
        let is_ours = match named {
            Some(named) => named.trim().eq_ignore_ascii_case(sheet) || named.contains(':'),
            None => own.is_none(),
        };
        is_ours && moves(range, from)
    })
}

/// Looks into all other parts that name cells of the sheet: other sheets, names, charts, comments, other tables.
fn elsewhere(
    package: &mut Package<'_>,
    book: &Book,
    table: &Table,
    from: u32,
) -> Result<Option<String>, XlsxError> {
    for relationship in package.relationships(&table.part)? {
        let what = match relationship.kind.rsplit('/').next() {
            Some("comments" | "threadedComment") => "a comment",
            Some("table") if !table.tables.iter().any(|known| known.part == relationship.target) => {
                "another table"
            }
            _ => continue,
        };
        let part = &relationship.target;
        let mut xml = XmlReader::new(package.reader(part)?);
        loop {
            match xml.next().map_err(|error| error.of(part))? {
                Token::Start | Token::Empty => {
                    let range = xml.attribute("ref").and_then(|range| CellRange::parse(&range));
                    if range.is_some_and(|range| moves(&range, from)) {
                        return Ok(Some(format!("{what} is there")));
                    }
                }
                Token::Eof => break,
                _ => {}
            }
        }
    }
    // Formulas stand in elements and attributes of these names, with the name of the sheet wherever it is another one's;
    // extensions name ranges in `sqref`.
    let is_formula =
        |name: &str| matches!(name, "f" | "definedName" | "formula1" | "formula2" | "formula" | "sqref");
    let holds_formula = |element: &str, attribute: &str| match attribute {
        "val" => element == "cfvo",
        "r" => element == "inputCells",
        "textlink" | "fmlaLink" | "fmlaRange" | "linkedCell" | "listFillRange" => true,
        _ => false,
    };
    let mut parts = vec![(book.part.clone(), "a name of the workbook"), (table.part.clone(), "the sheet")];
    for sheet in &book.sheets {
        match &sheet.kind {
            SheetKind::Worksheet(part) if *part != table.part => {
                parts.push((part.clone(), "a formula of another sheet"))
            }
            _ => {}
        }
    }
    for (folder, what) in [
        ("/charts/", "a chart"),
        ("/pivotcache/", "a pivot table"),
        ("/drawings/", "a drawing"),
        ("/ctrlprops/", "a control"),
    ] {
        let found = package.parts().filter(|part| part.contains(folder) && part.ends_with(".xml"));
        parts.extend(found.map(|part| (part.to_owned(), what)));
    }
    for (part, what) in parts {
        if package.index(&part).is_none() {
            continue;
        }
        let own = (part != table.part).then_some(part.as_str());
        let mut xml = XmlReader::new(package.reader(&part)?);
        loop {
            let token = xml.next().map_err(|error| error.of(&part))?;
            if matches!(token, Token::Start | Token::Empty) {
                let element = xml.name().rsplit(':').next().unwrap_or_default();
                let formula = xml.attributes().find(|(name, formula)| {
                    holds_formula(element, name) && names(formula, own, &table.sheet, from)
                });
                let is_ours =
                    xml.attribute("sheet").is_some_and(|name| name.trim().eq_ignore_ascii_case(&table.sheet));
                let range = xml.attribute("ref").and_then(|range| CellRange::parse(&range));
                let is_source = matches!(element, "worksheetSource" | "dataRef")
                    && is_ours
                    && range.is_some_and(|range| moves(&range, from));
                if formula.is_some() || is_source {
                    return Ok(Some(format!("{what} names cells there")));
                }
            }
            match token {
                Token::Start if xml.name().rsplit(':').next().is_some_and(is_formula) => {
                    let text = strings::read_text(&mut xml).map_err(|error| error.of(&part))?;
                    if names(&text, own, &table.sheet, from) {
                        return Ok(Some(format!("{what} names cells there ({text})")));
                    }
                }
                Token::Eof => break,
                _ => {}
            }
        }
    }
    Ok(None)
}

/// The calculation chain names cells with formulas, those of the totals too. A wrong name there is damage to Excel.
///
/// # Errors
/// The part cannot be read.
pub(super) fn change_calculation_chain(
    package: &mut Package<'_>,
    book: &Book,
    table: &Table,
    from: u32,
    parts: &mut Parts,
) -> Result<(), XlsxError> {
    let Some(part) = book.calculation_chain.as_deref().filter(|part| package.index(part).is_some()) else {
        return Ok(());
    };
    let is_ours = |kind: &SheetKind| matches!(kind, SheetKind::Worksheet(part) if *part == table.part);
    let own = book.sheets.iter().find(|sheet| is_ours(&sheet.kind)).map(|sheet| sheet.id.as_str());
    let (xml, encoding) = package.text(part)?;
    // A cell without the number of its sheet is of the sheet of the one before.
    let mut sheet = String::new();
    let new = attributes::change(part, &xml, |reader| {
        if reader.local_name() != Some("c") {
            return Vec::new();
        }
        if let Some(id) = reader.attribute("i") {
            sheet = id.into_owned();
        }
        let cell = reader.attribute("r").and_then(|name| CellRange::parse(&name));
        let moved = cell.filter(|cell| cell.first.0 >= from && Some(sheet.as_str()) == own);
        let name = moved.map(|cell| cell_name(cell.first.0 + 1, cell.first.1));
        name.map(|name| ("r", name)).into_iter().collect()
    })?;
    if let Some(new) = new {
        parts.insert(part.to_owned(), encoding.encode(&new));
    }
    Ok(())
}
