//! Results of formulas are saved with them, and are stale after a change: Excel is asked to calculate them when it opens
//! the workbook.

use std::io::BufRead;

use crate::xlsx::XlsxError;
use crate::xlsx::book::{Book, SheetKind};
use crate::xlsx::package::Package;

use super::{Parts, attributes};

const ATTRIBUTE: &str = "fullCalcOnLoad";
/// What stands behind `<calcPr>` in a workbook part, by its schema.
const BEHIND: [&str; 10] = [
    "oleSize",
    "customWorkbookViews",
    "pivotCaches",
    "smartTagPr",
    "smartTagTypes",
    "webPublishing",
    "fileRecoveryPr",
    "webPublishObjects",
    "extLst",
    "AlternateContent",
];

/// Changes the workbook part, if the workbook has formulas and does not ask for it yet.
///
/// # Errors
/// A part cannot be read.
pub(super) fn ask_for(package: &mut Package<'_>, book: &Book, parts: &mut Parts) -> Result<(), XlsxError> {
    let (xml, encoding) = package.text(&book.part)?;
    let (mut is_asked_for, mut has_element) = (false, false);
    let asked = attributes::change(&book.part, &xml, |reader| {
        if reader.local_name() != Some("calcPr") {
            return Vec::new();
        }
        has_element = true;
        is_asked_for = reader.attribute(ATTRIBUTE).is_some_and(|value| matches!(&*value, "1" | "true"));
        if is_asked_for { Vec::new() } else { vec![(ATTRIBUTE, "1".to_owned())] }
    })?;
    if is_asked_for || !has_formulas(package, book)? {
        return Ok(());
    }
    let new = match asked {
        Some(new) => new,
        None if has_element => return Ok(()),
        None => {
            let element = [(ATTRIBUTE, "1".to_owned())];
            attributes::insert(&book.part, &xml, "calcPr", &element, |name| BEHIND.contains(&name))?
        }
    };
    parts.insert(book.part.clone(), encoding.encode(&new));
    Ok(())
}

fn has_formulas(package: &mut Package<'_>, book: &Book) -> Result<bool, XlsxError> {
    for sheet in &book.sheets {
        let SheetKind::Worksheet(part) = &sheet.kind else { continue };
        let found = package.reader(part).and_then(|text| holds_formula(part, text));
        match found {
            Ok(false) => {}
            Ok(true) => return Ok(true),
            Err(error @ XlsxError::Limit(_)) => return Err(error),
            // A sheet that cannot be read is not one that the connector needs.
            Err(XlsxError::Encoding { .. } | XlsxError::Damaged(_)) => {}
        }
    }
    Ok(false)
}

/// Whether there is a start tag `<f`, with or without a prefix. What only looks like one does no harm.
fn holds_formula(part: &str, mut text: impl BufRead) -> Result<bool, XlsxError> {
    let mut last = [0u8; 2];
    loop {
        let block = text.fill_buf().map_err(|error| XlsxError::from_read(part, &error))?;
        if block.is_empty() {
            return Ok(false);
        }
        for byte in block {
            if matches!(last, [b'<' | b':', b'f'])
                && matches!(byte, b'>' | b'/' | b' ' | b'\t' | b'\n' | b'\r')
            {
                return Ok(true);
            }
            last = [last[1], *byte];
        }
        let length = block.len();
        text.consume(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_found_by_their_tags() {
        for (xml, expected) in [
            ("<c><f>1</f></c>", true),
            ("<x:c><x:f t=\"shared\"/></x:c>", true),
            ("<c><f/></c>", true),
            ("<c><v>1</v></c><formula/><font/>", false),
        ] {
            // Also across the end of a block.
            let text = std::io::BufReader::with_capacity(3, xml.as_bytes());
            assert_eq!(holds_formula("p", text).unwrap(), expected, "{xml}");
        }
    }
}
