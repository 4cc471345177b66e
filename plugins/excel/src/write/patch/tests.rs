use proptest::prelude::*;
use test_support::scale::cases;

use super::*;
use crate::xlsx::range::cell_name;

fn edits(cells: &[(&str, NewValue, Option<u32>)]) -> SheetEdits {
    let edit = |(name, value, style): &(&str, NewValue, Option<u32>)| {
        (crate::xlsx::range::cell_position(name).unwrap(), CellEdit { value: value.clone(), style: *style })
    };
    cells.iter().map(edit).collect()
}

/// Styles 7 and 8 show dates.
fn patched(xml: &str, cells: &[(&str, NewValue, Option<u32>)]) -> Result<String, PatchError> {
    let is_date_style = |style| matches!(style, 7 | 8);
    let context =
        SheetContext { part: "sheet1.xml", header_row: 0, pushed: None, is_date_style: &is_date_style };
    let patched = patch(xml, &edits(cells), &context)?;
    roxmltree::Document::parse(&patched).unwrap_or_else(|error| panic!("{error}: {patched}"));
    Ok(patched)
}

fn sheet(rows: &str) -> String {
    format!("<worksheet><sheetData>{rows}</sheetData><tail a=\"1\"/></worksheet>")
}

#[test]
fn patch_writes_rows_and_cells_of_every_kind() {
    use NewValue::{Bool, Date, Empty, Number, Text};
    let text = |text: &str| Text(text.to_owned());
    let inline = |text: &str| format!("t=\"inlineStr\"><is><t xml:space=\"preserve\">{text}</t></is></c>");
    for (rows, cells, expected) in [
        // A cell is replaced with its style kept, and what belongs to the old value left out.
        (
            "<row r=\"2\"><c r=\"A2\" s=\"3\" t=\"s\" cm=\"1\" vm=\"2\" ph=\"1\"><v>0</v></c></row>",
            vec![("A2", Number(5.0), Some(9))],
            "<row r=\"2\"><c r=\"A2\" ph=\"1\" s=\"3\"><v>5</v></c></row>".to_owned(),
        ),
        // Cells stand in the order of their columns.
        (
            "<row r=\"2\" ht=\"20\"><c r=\"B2\"/><c r=\"D2\"/></row>",
            vec![("A2", Bool(true), None), ("C2", text("c"), None), ("E2", Number(-0.5), Some(4))],
            format!(
                "<row r=\"2\" ht=\"20\"><c r=\"A2\" t=\"b\"><v>1</v></c><c r=\"B2\"/><c r=\"C2\" {}<c r=\"D2\"/><c r=\"E2\" s=\"4\"><v>-0.5</v></c></row>",
                inline("c")
            ),
        ),
        // A row that closes itself, one that is not there in between, one at the end.
        (
            "<row r=\"2\" s=\"1\"/><row r=\"4\"></row>",
            vec![("A2", Number(2.0), None), ("A3", Number(3.0), None), ("A4", Number(4.0), None), ("A5", Number(5.0), None)],
            "<row r=\"2\" s=\"1\"><c r=\"A2\"><v>2</v></c></row><row r=\"3\"><c r=\"A3\"><v>3</v></c></row><row r=\"4\"><c \
             r=\"A4\"><v>4</v></c></row><row r=\"5\"><c r=\"A5\"><v>5</v></c></row>"
                .to_owned(),
        ),
        // The style of the cell above, not of the heading; a date where the style suits none takes its own.
        (
            "<row r=\"1\"><c r=\"A1\" s=\"5\"/><c r=\"B1\" s=\"5\"/></row><row r=\"2\"><c r=\"A2\" s=\"6\"/></row>",
            vec![("A3", Number(1.0), Some(4)), ("B3", Number(1.0), Some(4)), ("C3", Date(1.5), Some(7))],
            "<row r=\"1\"><c r=\"A1\" s=\"5\"/><c r=\"B1\" s=\"5\"/></row><row r=\"2\"><c r=\"A2\" s=\"6\"/></row><row r=\"3\"><c \
             r=\"A3\" s=\"6\"><v>1</v></c><c r=\"B3\" s=\"4\"><v>1</v></c><c r=\"C3\" s=\"7\"><v>1.5</v></c></row>"
                .to_owned(),
        ),
        (
            "<row r=\"2\"><c r=\"A2\" s=\"6\"/><c r=\"B2\" s=\"8\"/><c r=\"C2\" s=\"8\"/></row>",
            vec![("A2", Date(2.0), Some(7)), ("B2", Date(2.0), Some(7)), ("C2", Number(2.0), Some(4))],
            "<row r=\"2\"><c r=\"A2\" s=\"7\"><v>2</v></c><c r=\"B2\" s=\"8\"><v>2</v></c><c r=\"C2\" s=\"4\"><v>2</v></c></row>"
                .to_owned(),
        ),
        // Clearing keeps the cell; clearing what is not there makes none.
        (
            "<row r=\"2\"><c r=\"A2\" s=\"6\" t=\"s\"><v>0</v></c></row>",
            vec![("A2", Empty, None), ("B2", Empty, None)],
            "<row r=\"2\"><c r=\"A2\" s=\"6\"/></row>".to_owned(),
        ),
        // Spans grow; unreadable ones stay.
        (
            "<row r=\"2\" spans=\"2:3\"><c r=\"B2\"/></row><row r=\"3\" spans='1:1 3:4'/>",
            vec![("E2", Number(1.0), None), ("E3", Number(1.0), None)],
            "<row r=\"2\" spans=\"2:5\"><c r=\"B2\"/><c r=\"E2\"><v>1</v></c></row><row r=\"3\" spans='1:1 3:4'><c \
             r=\"E3\"><v>1</v></c></row>"
                .to_owned(),
        ),
        // Nothing has a name: places are counted.
        (
            "<row><c/><c><v>1</v></c></row><row/><row><c t=\"str\"><v>x</v></c></row>",
            vec![("B1", Number(2.0), None), ("A3", Number(3.0), None), ("B3", Number(4.0), None)],
            "<row><c/><c><v>2</v></c></row><row/><row><c><v>3</v></c><c r=\"B3\"><v>4</v></c></row>".to_owned(),
        ),
        // Comments, foreign elements and quotes of the other kind stay.
        (
            "<!-- <row r=\"9\"> --><row r='2' x:a='\"'><c r='A2'><extLst><f/></extLst></c><mc:x><c r=\"Z9\"/></mc:x></row>",
            vec![("A2", Number(1.0), None), ("B2", Number(1.0), None)],
            "<!-- <row r=\"9\"> --><row r='2' x:a='\"'><c r=\"A2\"><v>1</v></c><mc:x><c r=\"Z9\"/></mc:x><c r=\"B2\"><v>1</v></c></row>"
                .to_owned(),
        ),
    ] {
        let declared = |xml: String| xml.replace("<worksheet>", "<worksheet xmlns:x=\"x\" xmlns:mc=\"mc\">");
        let patched = patched(&declared(sheet(rows)), &cells).unwrap();
        assert_eq!(patched, declared(sheet(&expected)), "{rows}");
    }
}

#[test]
fn patch_adds_rows_to_empty_sheets() {
    let cells = [("B2", NewValue::Number(1.0), None)];
    let row = "<row r=\"2\"><c r=\"B2\"><v>1</v></c></row>";
    for (xml, expected) in [
        ("<w><sheetData/></w>", format!("<w><sheetData>{row}</sheetData></w>")),
        ("<w><sheetData a=\"b\" /></w>", format!("<w><sheetData a=\"b\">{row}</sheetData></w>")),
        ("<w><sheetData></sheetData></w>", format!("<w><sheetData>{row}</sheetData></w>")),
        (
            "<x:w xmlns:x=\"x\"><x:sheetData/></x:w>",
            "<x:w xmlns:x=\"x\"><x:sheetData><x:row r=\"2\"><x:c r=\"B2\"><x:v>1</x:v></x:c></x:row></x:sheetData></x:w>"
                .to_owned(),
        ),
    ] {
        assert_eq!(patched(xml, &cells).unwrap(), expected);
    }
    assert!(matches!(patched("<w/>", &cells), Err(PatchError::Xlsx(_))));
    assert!(matches!(patched("<w><sheetData><row r=\"2\">", &cells), Err(PatchError::Xlsx(_))));
}

#[test]
fn dimension_grows_to_the_new_cells() {
    let rows = "<sheetData><row r=\"2\"><c r=\"B2\"/></row></sheetData>";
    for (old, cell, new) in [
        ("B2", "B2", "B2"),
        ("A1:B2", "B2", "A1:B2"),
        ("A1:B2", "D7", "A1:D7"),
        ("B2:C3", "A1", "A1:C3"),
        ("odd", "D7", "odd"),
    ] {
        let xml = |dimension| format!("<w><dimension ref=\"{dimension}\"/>{rows}</w>");
        let patched = patched(&xml(old), &[(cell, NewValue::Number(1.0), None)]).unwrap();
        assert!(patched.starts_with(&format!("<w><dimension ref=\"{new}\"/>")), "{patched}");
    }
}

#[test]
fn column_styles_are_used_last() {
    let xml = "<w><cols><col min=\"2\" max=\"3\" style=\"4\"/></cols><sheetData/></w>";
    let cells = [
        ("B2", NewValue::Number(1.0), None),
        ("C2", NewValue::Number(1.0), Some(5)),
        ("D2", NewValue::Number(1.0), None),
    ];
    let patched = patched(xml, &cells).unwrap();
    assert!(
        patched.contains(
            "<c r=\"B2\" s=\"4\"><v>1</v></c><c r=\"C2\" s=\"5\"><v>1</v></c><c r=\"D2\"><v>1</v></c>"
        ),
        "{patched}"
    );
}

#[test]
fn formulas_are_not_overwritten() {
    let rows = "<row r=\"2\"><c r=\"A2\"><f>1+1</f><v>2</v></c><c r=\"B2\"><f t=\"array\" ref=\"B2:C3\">x</f></c></row>\
                <row r=\"3\"><c r=\"A3\"><f t=\"shared\" si=\"0\"/></c><c r=\"B3\"/></row>";
    for (cell, at) in
        [("A2", (1, 0)), ("B2", (1, 1)), ("C2", (1, 2)), ("B3", (2, 1)), ("A3", (2, 0)), ("C3", (2, 2))]
    {
        let result = patched(&sheet(rows), &[(cell, NewValue::Number(1.0), None)]);
        assert_eq!(result, Err(PatchError::Formula(at.0, at.1)), "{cell}");
    }
    assert!(patched(&sheet(rows), &[("D3", NewValue::Number(1.0), None)]).is_ok());
}

/// A sheet of another program: rows and cells in any order, with and without names, gaps, formulas, prefixes.
fn any_sheet() -> impl Strategy<Value = String> {
    let cell = prop_oneof![
        Just("<{p}c{r} s=\"3\"/>"),
        Just("<{p}c{r}><{p}v>{n}</{p}v></{p}c>"),
        Just("<{p}c{r} t='s'>\n<{p}v> 0 </{p}v></{p}c>"),
        Just(
            "<{p}c{r} t=\"inlineStr\"><{p}is><{p}r><{p}t>a</{p}t></{p}r><{p}r><{p}t>&amp;{n}</{p}t></{p}r></{p}is></{p}c>"
        ),
        Just("<{p}c{r}><{p}f>A1*2</{p}f><{p}v>{n}</{p}v></{p}c>"),
        Just("<{p}c{r} t=\"b\" ph=\"1\"><!-- c --><{p}v>1</{p}v><{p}extLst/></{p}c>"),
    ];
    let row = prop::collection::btree_map(0u32..6, cell, 0..5);
    let rows = prop::collection::btree_map(0u32..12, (row, any::<bool>()), 0..8);
    (rows, any::<bool>(), any::<bool>(), any::<u64>()).prop_map(|(rows, prefixed, shuffled, seed)| {
        let p = if prefixed { "x:" } else { "" };
        let mut written: Vec<String> = rows
            .iter()
            .map(|(row, (cells, spans))| {
                let mut cells: Vec<String> = cells
                    .iter()
                    .map(|(column, cell)| {
                        let name = format!(" r=\"{}\"", cell_name(*row, *column));
                        cell.replace("{p}", p).replace("{r}", &name).replace("{n}", &(row * 7 + column).to_string())
                    })
                    .collect();
                if shuffled && !cells.is_empty() {
                    let middle = usize::try_from(seed).unwrap_or(0) % cells.len();
                    cells.rotate_left(middle);
                }
                let spans = if *spans { " spans=\"1:2\"" } else { "" };
                match cells.is_empty() {
                    true => format!("<{p}row r=\"{}\"{spans} ht=\"20\"/>", row + 1),
                    false => format!("<{p}row r=\"{}\"{spans}>{}</{p}row>", row + 1, cells.concat()),
                }
            })
            .collect();
        if shuffled && !written.is_empty() {
            let middle = usize::try_from(seed / 7).unwrap_or(0) % written.len();
            written.rotate_left(middle);
        }
        let xmlns = if prefixed { "xmlns:x" } else { "xmlns" };
        format!(
            "<?xml version=\"1.0\"?>\n<{p}worksheet {xmlns}=\"m\"><{p}dimension ref=\"A1:B2\"/><{p}sheetData>{}</{p}sheetData><{p}tail/></{p}worksheet>",
            written.concat()
        )
    })
}

fn any_edits() -> impl Strategy<Value = Vec<((u32, u32), NewValue)>> {
    let value = prop_oneof![
        Just(NewValue::Empty),
        "\\PC{0,8}".prop_map(NewValue::Text),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(NewValue::Number),
        any::<bool>().prop_map(NewValue::Bool),
    ];
    prop::collection::vec(((0u32..14, 0u32..8), value), 1..6)
}

/// The cells of a sheet by another reader: what each holds, without its place.
fn cells(xml: &str) -> std::collections::BTreeMap<(u32, u32), String> {
    let document = roxmltree::Document::parse(xml).unwrap_or_else(|error| panic!("{error}: {xml}"));
    let cells = document.descendants().filter(|node| node.is_element() && node.tag_name().name() == "c");
    let holds = |node: roxmltree::Node<'_, '_>| {
        let texts: Vec<_> = node
            .descendants()
            .filter(|node| node.is_element())
            .map(|node| {
                let text: String =
                    node.children().filter_map(|child| child.text().filter(|_| child.is_text())).collect();
                format!("{}={}", node.tag_name().name(), text)
            })
            .collect();
        let attributes: Vec<_> =
            node.attributes().map(|found| format!("{}={}", found.name(), found.value())).collect();
        format!("{attributes:?} {texts:?}")
    };
    cells
        .map(|node| {
            let at = node.attribute("r").and_then(crate::xlsx::range::cell_position).unwrap();
            (at, holds(node))
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(10_000)))]

    #[test]
    fn patch_keeps_every_other_cell(xml in any_sheet(), edits in any_edits()) {
        let edits: SheetEdits = edits
            .into_iter()
            .map(|(at, value)| (at, CellEdit { value, style: None }))
            .collect();
        let context = SheetContext { part: "sheet1.xml", header_row: 0, pushed: None, is_date_style: &|_| false };
        let before = cells(&xml);
        let patch = match Patch::new(&xml, &edits, &context) {
            Ok(patch) => patch,
            Err(PatchError::Formula(row, column)) => {
                prop_assert!(before[&(row, column)].contains("f="));
                return Ok(());
            }
            Err(other) => panic!("{other:?}: {xml}"),
        };
        let outline = patch.outline.clone();
        let patched = patch.apply().unwrap();
        let after = cells(&patched);
        for (at, cell) in &before {
            if !edits.contains_key(at) {
                prop_assert_eq!(after.get(at), Some(cell), "{}", patched);
            }
        }
        let new = edits.iter().filter(|(at, edit)| edit.value != NewValue::Empty && !before.contains_key(*at)).count();
        prop_assert_eq!(after.len(), before.len() + new);
        // The check before a write agrees, and finds any other difference.
        let check = |text: &str| {
            super::super::check::sheet(&xml, &outline, text, &edits, &context, &Default::default())
        };
        check(&patched).unwrap();
        for (from, to) in [("<v>", "<v>1"), ("s=\"3\"", "s=\"4\""), ("ht=\"20\"", "ht=\"21\""), ("tail", "tale"), ("<r>", "<r><rPr/>")] {
            let x = patched.contains("x:worksheet");
            let (from, to) = if x { (from.replace('<', "<x:"), to.replace('<', "<x:")) } else { (from.to_owned(), to.to_owned()) };
            // The style of a cell that is written may be another one.
            if from.starts_with("s=") && edits.keys().any(|at| before.contains_key(at)) {
                continue;
            }
            if let Some(at) = patched.find(&from) {
                let harmed = [&patched[..at], &to, &patched[at + from.len()..]].concat();
                // A changed value of a cell that was written shows as well.
                prop_assert!(check(&harmed).is_err(), "{}", harmed);
            }
        }
    }
}
