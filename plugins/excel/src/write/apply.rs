//! From a plan to the bytes of the changed workbook, checked.

use std::collections::{BTreeMap, BTreeSet};

use plugin_api::{Error, Result, ResultExt};

use crate::workbook::{Table, Workbook};
use crate::xlsx::XlsxError;
use crate::xlsx::book::Book;
use crate::xlsx::limits::{PartLimits, Reservation};
use crate::xlsx::package::Package;
use crate::xlsx::range::{CellRange, cell_name};
use crate::xlsx::table_part::TablePart;

use super::attributes::Attribute;
use super::check::LinkChanges;
use super::edits::{SheetContext, SheetEdits};
use super::patch::{Patch, PatchError};
use super::plan::Plan;
use super::{Parts, archive, attributes, check, links, push_down, recalculation};

/// The workbook's bytes with the planned changes. Nothing else differs: that is checked before they are given out.
///
/// # Errors
/// A cell cannot be written, the change is beyond the limits, or it would harm the workbook.
pub(crate) fn apply(
    bytes: &[u8],
    workbook: &Workbook,
    plan: &Plan,
    limits: PartLimits,
    memory: &mut Reservation,
) -> Result<Vec<u8>> {
    let mut package = Package::open(bytes, limits)?;
    let book = Book::read(&mut package)?;
    let mut parts = Parts::new();
    for (actor_type, edits) in &plan.edits {
        let table = workbook.table(actor_type)?;
        let is_new = plan.grown.contains(actor_type);
        let pushed = (is_new && table.next.pushes_down).then_some(table.next.row);
        if pushed.is_some()
            && let Some(why) = push_down::obstacle(&mut package, &book, table)?
        {
            return Err(Error::user(why));
        }
        change_sheet(&mut package, workbook, table, edits, pushed, memory, &mut parts)?;
        if is_new {
            for part in &table.tables {
                grow_table(&mut package, part, table.next.row, pushed.is_some(), &mut parts)?;
            }
        }
        if let Some(from) = pushed {
            push_down::change_calculation_chain(&mut package, &book, table, from, &mut parts)?;
        }
    }
    recalculation::ask_for(&mut package, &book, &mut parts)?;

    let mut entries = BTreeMap::new();
    for (part, contents) in parts {
        let index =
            package.index(&part).ok_or_else(|| XlsxError::Damaged(format!("there is no part {part}")))?;
        entries.insert(index, contents);
    }
    let written: usize = entries.values().map(Vec::len).sum();
    memory.take(bytes.len() + written).map_err(XlsxError::from)?;
    let new = archive::replace_entries(bytes, &entries).user("the workbook's archive cannot be written")?;
    check::archive(bytes, &new, &entries.keys().copied().collect::<BTreeSet<_>>()).map_err(not_written)?;
    Ok(new)
}

/// The change would harm the workbook: the error that says so. It is an error of the connector, not of the caller.
fn not_written(error: XlsxError) -> Error {
    match error {
        XlsxError::Damaged(why) => {
            Error::user("nothing was saved, the change would damage the workbook").tech(why)
        }
        other => other.into(),
    }
}

fn change_sheet(
    package: &mut Package<'_>,
    workbook: &Workbook,
    table: &Table,
    edits: &SheetEdits,
    pushed: Option<u32>,
    memory: &mut Reservation,
    parts: &mut Parts,
) -> Result<()> {
    let (old, encoding) = package.text(&table.part)?;
    // The old text, the new one, and its bytes.
    memory.take(3 * old.len()).map_err(XlsxError::from)?;
    let context = SheetContext {
        part: &table.part,
        header_row: table.header_row,
        pushed,
        is_date_style: &|style| workbook.styles.format(style).is_date,
    };
    let refusal = |error: PatchError| refused(error, table);
    let mut patch = Patch::new(&old, edits, &context).map_err(refusal)?;
    let mut changes = LinkChanges::default();
    if !patch.hyperlinks.is_empty() {
        changes = links::change(package, table, edits, &mut patch, parts)?;
    }
    let outline = std::mem::take(&mut patch.outline);
    memory.take(outline.size()).map_err(XlsxError::from)?;
    let new = patch.apply().map_err(refusal)?;
    check::sheet(&old, &outline, &new, edits, &context, &changes).map_err(not_written)?;
    parts.insert(table.part.clone(), encoding.encode(&new));
    Ok(())
}

fn refused(error: PatchError, table: &Table) -> Error {
    let sheet = &table.sheet;
    match error {
        PatchError::Formula(row, column) => Error::user(format!(
            "nothing was saved, the cell {} of the sheet {sheet} holds a formula, which is not overwritten",
            cell_name(row, column)
        )),
        PatchError::Merged(row, column, range) => Error::user(format!(
            "nothing was saved, the cell {} of the sheet {sheet} is covered by the merged cells {range}: nobody would \
             see its value",
            cell_name(row, column)
        )),
        PatchError::Twice(what) => Error::user(format!(
            "nothing was saved, the sheet {sheet} has {what} twice: open the workbook in Excel and save it"
        )),
        PatchError::Xlsx(error) => error.into(),
        PatchError::Failed(why) => Error::user(format!("the sheet {sheet} cannot be changed")).tech(why),
    }
}

/// A table that a row is added to, at its end or above its totals, grows with it, as in Excel. One that was
/// empty is marked as filled.
fn grow_table(
    package: &mut Package<'_>,
    table: &TablePart,
    row: u32,
    pushes_down: bool,
    parts: &mut Parts,
) -> Result<(), XlsxError> {
    let grows = table.grows_by(row, pushes_down);
    if !grows && !table.range.has_row(row) {
        return Ok(());
    }
    let (xml, encoding) = package.text(&table.part)?;
    let last_data_row = table.last_data_row();
    let mut is_root = true;
    let new = attributes::change(&table.part, &xml, |reader| {
        let was_root = std::mem::replace(&mut is_root, false);
        let range = reader.attribute("ref").and_then(|range| CellRange::parse(&range));
        let grown = |last: u32| {
            let mut range = range.filter(|range| grows && range.last.0 == last)?;
            range.last.0 += 1;
            Some(("ref", range.to_string()))
        };
        let mut wanted: Vec<Attribute> = match reader.local_name() {
            _ if was_root => grown(table.range.last.0).into_iter().collect(),
            Some("autoFilter") => grown(last_data_row).into_iter().collect(),
            _ => Vec::new(),
        };
        let shows_empty_row =
            reader.attribute("insertRow").is_some_and(|value| matches!(&*value, "1" | "true"));
        if was_root && shows_empty_row {
            wanted.push(("insertRow", "0".to_owned()));
        }
        wanted
    })?;
    if let Some(new) = new {
        parts.insert(table.part.clone(), encoding.encode(&new));
    }
    Ok(())
}
