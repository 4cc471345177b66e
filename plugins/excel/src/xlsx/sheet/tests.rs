use super::*;

/// The cells of rows, by name, or the reason why they are refused.
fn cells(rows: &str) -> Result<Vec<(String, RawValue)>, String> {
    let xml = format!("<worksheet xmlns='m' xmlns:x='f'><sheetData>{rows}</sheetData></worksheet>");
    let mut reader = SheetReader::of("sheet1.xml", &xml);
    let mut found = Vec::new();
    loop {
        match reader.next().map_err(|error| error.to_string())? {
            Item::Cell(cell) => found.push((cell_name(cell.row, cell.column), cell.value)),
            Item::End => return Ok(found),
            _ => {}
        }
    }
}

#[test]
fn values_are_read_strictly() {
    let text = |text: &str| RawValue::Text(text.to_owned());
    let none = |text: &str| RawValue::NoNumber(text.to_owned());
    for (cell, value) in [
        ("<c><v>5</v></c>", RawValue::Number(5.0)),
        ("<c>\n <v>\n 1.5e3\n </v>\n</c>", RawValue::Number(1500.0)),
        ("<c t='n'><v/></c>", RawValue::Empty),
        ("<c t='s'/>", RawValue::Empty),
        ("<c t='s'><v>\n\t7 </v></c>", RawValue::Shared(7)),
        ("<c t='b'><v> 1</v></c>", RawValue::Bool(true)),
        ("<c t='b'><v>FALSE</v></c>", RawValue::Bool(false)),
        ("<c t='e'><v>#N/A</v></c>", RawValue::Error),
        ("<c t='d'><v>2026-01-01</v></c>", RawValue::IsoDate("2026-01-01".to_owned())),
        ("<c t='str'><v> a_x0041_&amp;<!-- x --><![CDATA[<]]> </v></c>", text(" aA&< ")),
        ("<c t='str'><v>\n  a\n</v></c>", text("a")),
        ("<c t='inlineStr'><is><t>x</t></is></c>", text("x")),
        ("<c t='inlineStr'><is>\n<t>\n x </t>\n</is></c>", text("x")),
        ("<c t='inlineStr'><is><t xml:space='preserve'> x </t></is></c>", text(" x ")),
        (
            "<c t='inlineStr'><is><r><rPr><b/></rPr><t>a</t></r><r><t>b</t></r><rPh sb='0' eb='1'><t>z</t></rPh></is></c>",
            text("ab"),
        ),
        ("<c t='inlineStr'><v>x</v></c>", text("x")),
        ("<c><v>NaN</v></c>", none("NaN")),
        ("<c><v>-INF</v></c>", none("-INF")),
        ("<c><v>1e999</v></c>", none("1e999")),
        ("<c><f>1+1</f><v>2</v><extLst><ext><v>9</v></ext></extLst></c>", RawValue::Number(2.0)),
        ("<c><x:v>8</x:v><v>2</v></c>", RawValue::Number(2.0)),
    ] {
        let found = cells(&format!("<row r='2'>{cell}</row>")).unwrap_or_else(|why| panic!("{cell}: {why}"));
        assert_eq!(found, [("A2".to_owned(), value)], "{cell}");
    }
}

#[test]
fn ambiguous_sheets_are_refused_with_the_place() {
    for (rows, part) in [
        ("<row r='2'><c r='B2'><v>abc</v></c></row>", "the cell B2: \"abc\" is no number"),
        ("<row r='2'><c r='B2'><v>1,5</v></c></row>", "B2: \"1,5\" is no number"),
        ("<row r='2'><c r='B2'><v>0x10</v></c></row>", "is no number"),
        ("<row r='2'><c r='B2' t='s'><v>-1</v></c></row>", "\"-1\" is no number of a shared text"),
        ("<row r='2'><c r='B2' t='s'><v>1.0</v></c></row>", "no number of a shared text"),
        ("<row r='2'><c r='B2' t='b'><v>2</v></c></row>", "is no TRUE or FALSE"),
        ("<row r='2'><c r='B2' t='q'><v>2</v></c></row>", "\"q\" is no type of a cell"),
        ("<row r='2'><c r='B2' s='x'><v>2</v></c></row>", "\"x\" is no style"),
        ("<row r='2'><c r='B3'/></row>", "the cell B3 stands in row 2"),
        ("<row r='2'><c r='2B'/></row>", "a cell with the name \"2B\""),
        ("<row r='0'/>", "a row with the number \"0\""),
        ("<row r='1048577'/>", "row 1048577 is beyond"),
        ("<row r='2'><c><v>1</v><v>2</v></c></row>", "two values"),
        ("<row r='2'><c></row>", "no well-formed XML"),
        ("</sheetData><sheetData>", "sheetData twice"),
        ("<mc:AlternateContent xmlns:mc='c'/>", "AlternateContent"),
        ("<row><c><f t='array' ref='#REF!'>1</f></c></row>", "does not say which"),
    ] {
        let why = cells(rows).unwrap_err();
        assert!(why.contains(part) && why.contains("sheet1.xml"), "{part}: {why}");
    }
    let mut reader = SheetReader::of("sheet1.xml", "<chartsheet/>");
    assert!(matches!(reader.next(), Err(XlsxError::Damaged(why)) if why.contains("no sheetData")));
}

#[test]
fn cells_without_references_are_counted_and_others_may_stand_in_any_order() {
    let rows = "<row><c/><c r='D1'/><c/></row><row/><row><c/></row><row r='9'><c r='B9'/><c r='A9'/></row><row r='4'/><row><c/></row>";
    let names: Vec<_> = cells(rows).unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["A1", "D1", "E1", "A3", "B9", "A9", "A5"]);
}
