//! Unusual workbooks: merged cells, hyperlinks, totals, odd values, odd packages, large ones.

use plugin_api::{Access, Connection, Connector, Host, Settings, State};

use super::archive::{entry, with_entry};
use super::kit::*;
use crate::ExcelConnector;

const SHEET: &str = "xl/worksheets/sheet1.xml";

/// A place whose first sheet, `Customer`, has these rows below its headings and these elements behind them.
fn place(headings: &[&'static str], rows: &str, behind: &str) -> WorkbookFolder {
    let place =
        WorkbookFolder::with(&[("Customer", vec![headings.iter().map(|heading| T(heading)).collect()])]);
    change(&place, SHEET, |xml| xml.replace("</sheetData>", &format!("{rows}</sheetData>{behind}")));
    place
}

fn change(place: &WorkbookFolder, part: &str, change: impl FnOnce(String) -> String) {
    let bytes = with_entry(&std::fs::read(place.path()).unwrap(), part, |xml| {
        let new = change(xml.clone());
        assert_ne!(new, xml);
        new
    });
    std::fs::write(place.path(), bytes).unwrap();
}

fn sheet(place: &WorkbookFolder) -> String {
    entry(&std::fs::read(place.path()).unwrap(), SHEET)
}

fn text(name: &str, text: &str) -> String {
    format!("<c r=\"{name}\" t=\"inlineStr\"><is><t>{text}</t></is></c>")
}

fn row(number: u32, cells: &str) -> String {
    format!("<row r=\"{number}\">{cells}</row>")
}

/// What the test of the connection warns of.
fn warning(place: &WorkbookFolder) -> String {
    let outcome = outcome_of_test(&place.connect());
    assert_eq!(outcome.state, State::Warning, "{outcome:?}");
    outcome.user.unwrap()
}

#[test]
fn invalid_number_is_no_value_and_gives_a_warning() {
    let rows = row(2, &(text("A2", "C1") + "<c r=\"B2\"><v>NaN</v></c>"))
        + &row(3, &(text("A3", "C2") + "<c r=\"B3\"><v>-INF</v></c>"))
        + &row(4, &(text("A4", "C3") + "<c r=\"B4\"><v>1.5</v></c>"));
    let place = place(&["ID", "Amount"], &rows, "");
    let values: Vec<_> = actors(&place.connect(), "Customer")
        .iter()
        .map(|actor| actor.field("Amount").unwrap().map(str::to_owned))
        .collect();
    assert_eq!(values, [None, None, Some("[F:1.5]".to_owned())]);
    let text = warning(&place);
    assert!(text.contains("numbers that are none, they are left out: NaN in B2, -INF in B3"), "{text}");
    // A good number may be put there.
    save(&place.connect(), &[actor("Customer", "C1", &[("Amount", Some("[F:2.5]"))])]).unwrap();
    assert!(sheet(&place).contains("<c r=\"B2\"><v>2.5</v></c>"));
}

#[test]
fn damaged_workbook_is_refused_with_the_place() {
    for (cell, part) in [
        ("<c r=\"B2\"><v>abc</v></c>", "the cell B2: \"abc\" is no number"),
        ("<c r=\"B2\" t=\"s\"><v>99</v></c>", "the cell B2 names the shared text 99, which is not there"),
        ("<c r=\"B2\"><v>1</v></c><c r=\"B2\"><v>2</v></c>", "the cell B2 is there twice"),
        ("<c r=\"B7\"><v>1</v></c>", "the cell B7 stands in row 2"),
    ] {
        let place = place(&["ID", "Amount"], &row(2, &(text("A2", "C1") + cell)), "");
        let refusal = place.refusal();
        assert!(refusal.contains(part) && refusal.contains("the sheet Customer"), "{part}: {refusal}");
    }
}

#[test]
fn merged_cells_are_not_written_unless_the_value_shows() {
    let rows = row(2, &(text("A2", "C1") + &text("B2", "Bergen")))
        + &row(3, &(text("A3", "C2") + "<c r=\"B3\"/>"))
        + &row(4, &text("A4", "Updated by Kari"));
    let merged = "<mergeCells count=\"2\"><mergeCell ref=\"B2:B3\"/><mergeCell ref=\"A4:B6\"/></mergeCells>";
    let place = place(&["ID", "City"], &rows, merged);
    let connection = place.connect();
    let (text, _) = error_of(save(&connection, &[actor("Customer", "C2", &[("POSTALCITY", Some("Voss"))])]));
    assert!(
        text.contains("the cell B3 of the sheet Customer is covered by the merged cells B2:B3"),
        "{text}"
    );
    save(&connection, &[actor("Customer", "C1", &[("POSTALCITY", Some("Voss"))])]).unwrap();
    let key = create(&connection, &actor("Customer", "", &[("POSTALCITY", Some("Os"))])).unwrap().key;
    assert!(sheet(&place).contains("<row r=\"7\">"), "{}", sheet(&place));
    assert_eq!(get(&connection, "Customer", &key).field("POSTALCITY"), Some(Some("Os")));
    let text = warning(&place);
    assert!(
        text.contains("has merged cells, only the first cell of each is written: B2:B3, A4:B6"),
        "{text}"
    );
}

#[test]
fn cells_beside_the_columns_do_not_move_new_rows() {
    let rows = row(2, &text("A2", "C1"))
        + &row(9, &(text("C9", "a note") + "<c r=\"A9\" t=\"inlineStr\"><is><t/></is></c>"));
    let place = place(&["ID", "Name"], &rows, "");
    create(&place.connect(), &actor("Customer", "", &[("NAME", Some("Ny"))])).unwrap();
    assert!(
        sheet(&place).contains("<c r=\"B3\" t=\"inlineStr\"><is><t xml:space=\"preserve\">Ny"),
        "{}",
        sheet(&place)
    );
}

/// A table around the customers with a row of totals in row 4; what more the sheet holds.
fn with_totals(formula: &str, rows: &str, behind: &str) -> WorkbookFolder {
    let mut workbook = make(&[(
        "Customer",
        vec![
            vec![T("ID"), T("Credit"), T("Twice")],
            vec![T("C-1"), N(10.0), X("=Kunder[Credit]*2", "20")],
            vec![T("C-2"), N(20.0), X("=Kunder[Credit]*2", "40")],
        ],
    )]);
    let sheet = workbook.worksheet_from_name("Customer").unwrap();
    let columns = vec![
        rust_xlsxwriter::TableColumn::new().set_header("ID").set_total_label("Totalt"),
        rust_xlsxwriter::TableColumn::new()
            .set_header("Credit")
            .set_total_function(rust_xlsxwriter::TableFunction::Sum),
        rust_xlsxwriter::TableColumn::new().set_header("Twice").set_formula("=Kunder[Credit]*2"),
    ];
    let table = rust_xlsxwriter::Table::new().set_name("Kunder").set_total_row(true).set_columns(&columns);
    sheet.add_table(0, 0, 3, 2, &table).unwrap();
    let place = WorkbookFolder::new();
    workbook.save(place.path()).unwrap();
    if !formula.is_empty() {
        change(&place, SHEET, |xml| {
            xml.replace("SUBTOTAL(109,[Credit])", formula).replace("SUBTOTAL(109,Kunder[Credit])", formula)
        });
    }
    if !rows.is_empty() || !behind.is_empty() {
        change(&place, SHEET, |xml| xml.replace("</sheetData>", &format!("{rows}</sheetData>{behind}")));
    }
    place
}

#[test]
fn totals_are_no_actor_and_new_rows_go_above_them() {
    let place = with_totals("", "", "");
    let connection = place.connect();
    assert_eq!(actors(&connection, "Customer").len(), 2);
    let outcome = outcome_of_test(&connection);
    assert_eq!(outcome.state, State::Ok, "{outcome:?}");
    for key in ["C-3", "C-4"] {
        let created = create(&connection, &actor("Customer", "", &[("Credit", Some("[I:30]"))])).unwrap();
        assert_eq!(created.key, key);
    }
    let xml = sheet(&place);
    assert!(xml.contains("<row r=\"6\""), "{xml}");
    let total = &xml[xml.find("<c r=\"B6\"").unwrap()..];
    assert!(total.starts_with("<c r=\"B6\"><f>SUBTOTAL(109,"), "{total}");
    // The formula of the column goes on, as in Excel.
    assert!(xml.contains("<c r=\"C5\"><f>Kunder[Credit]*2</f></c>"), "{xml}");
    let table = entry(&std::fs::read(place.path()).unwrap(), "xl/tables/table1.xml");
    assert!(table.contains("ref=\"A1:C6\"") && table.contains("<autoFilter ref=\"A1:C5\"/>"), "{table}");
    assert_eq!(actors(&place.connect_at(0), "Customer").len(), 4);
}

#[test]
fn totals_with_references_do_not_move() {
    let below = row(9, &text("B9", "Note"));
    let rule = "<conditionalFormatting sqref=\"B2:B3\"><cfRule type=\"expression\" priority=\"1\"><formula>B2&gt;$B$4</formula></cfRule></conditionalFormatting>";
    let whole = "<conditionalFormatting sqref=\"B2:B1048576\"><cfRule type=\"expression\" priority=\"1\"><formula>B2&gt;5</formula></cfRule></conditionalFormatting>";
    let merged = "<mergeCells><mergeCell ref=\"A6:B6\"/></mergeCells>";
    let bar = "<conditionalFormatting sqref=\"B2:B3\"><cfRule type=\"dataBar\" priority=\"1\"><dataBar><cfvo type=\"formula\" val=\"$B$4\"/></dataBar></cfRule></conditionalFormatting>";
    let spark = "<extLst><ext xmlns:x14=\"s\" xmlns:xm=\"m\"><x14:sparkline><xm:f>Customer!B2:B4</xm:f><xm:sqref>D2</xm:sqref></x14:sparkline></ext></extLst>";
    for (formula, rows, behind, part) in [
        ("SUM(B2:B3)", "", "", "the formula in B4 names cells by their addresses"),
        ("", below.as_str(), "", "the cell B9 stands beside or below them"),
        ("", "", rule, "names cells there (B2>$B$4)"),
        ("", "", merged, "the merged cells A6:B6 reach there"),
        ("", "", bar, "names cells there"),
        ("", "", spark, "Customer!B2:B4"),
        ("", "", "<hyperlinks><hyperlink ref=\"B4\" location=\"x\"/></hyperlinks>", "a hyperlink in B4"),
    ] {
        let place = with_totals(formula, rows, behind);
        let before = std::fs::read(place.path()).unwrap();
        let (text, _) = error_of(create(&place.connect(), &actor("Customer", "", &[])));
        assert!(text.contains(part) && text.contains("above the totals in row 4"), "{part}: {text}");
        assert_eq!(std::fs::read(place.path()).unwrap(), before);
        assert!(warning(&place).contains(part), "{}", warning(&place));
        // Saving is as free as ever.
        save(&place.connect(), &[actor("Customer", "C-1", &[("Credit", Some("[I:11]"))])]).unwrap();
    }
    let place = with_totals("", "", whole);
    create(&place.connect(), &actor("Customer", "", &[])).unwrap();
}

#[test]
fn times_of_day_and_durations_keep_their_formats() {
    let place = WorkbookFolder::with(&[(
        "Customer",
        vec![
            vec![T("ID"), T("Opens"), T("Hours"), T("When")],
            vec![
                N(1.0),
                F(Some(0.375), "hh:mm"),
                F(Some(1.5625), "[h]:mm"),
                F(Some(0.25), "dd.mm.yyyy hh:mm"),
            ],
            vec![
                N(2.0),
                F(Some(0.5), "hh:mm"),
                F(Some(2.0), "[h]:mm"),
                F(Some(46_000.5), "dd.mm.yyyy hh:mm"),
            ],
        ],
    )]);
    let connection = place.connect();
    let before = sheet(&place);
    let one = get(&connection, "Customer", "1");
    assert_eq!(one.field("Opens"), Some(Some("[DT:12/31/1899 09:00:00.0000000]")));
    assert_eq!(one.field("Hours"), Some(Some("[F:1.5625]")));
    let fields = [
        ("Opens", Some("[DT:12/31/1899 10:30:00.0000000]")),
        ("Hours", Some("[F:0.75]")),
        ("When", Some("[DT:12/31/1899 07:00:00.0000000]")),
    ];
    let saved = save(&connection, &[actor("Customer", "1", &fields)]).unwrap();
    assert_eq!(saved[0].fields, actor("", "", &fields).fields);
    let after = sheet(&place);
    for cell in ["B2", "C2", "D2"] {
        let style = |xml: &str| {
            let at = xml.find(&format!("<c r=\"{cell}\"")).unwrap();
            xml[at..at + xml[at..].find('>').unwrap()].to_owned()
        };
        assert_eq!(style(&before), style(&after));
    }
    let (text, _) =
        error_of(save(&connection, &[actor("Customer", "2", &[("When", Some("[DT:12/31/1899 07:00:00]"))])]));
    assert!(text.contains("1899-12-31 is before the first date"), "{text}");
}

#[test]
fn formulas_are_read_only_and_recalculation_is_requested() {
    let rows = row(2, &(text("A2", "C1") + "<c r=\"B2\"><f>1+1</f></c>"));
    let place = place(&["ID", "Sum"], &rows, "");
    change(&place, "xl/workbook.xml", |xml| xml.replace(" fullCalcOnLoad=\"1\"", ""));
    let connection = place.connect();
    assert_eq!(connection.fields(&Context::default(), "Customer").unwrap()[0].access, Access::ReadOnly);
    let text = warning(&place);
    assert!(
        text.contains("the column \"Sum\" of the sheet Customer holds formulas without their results"),
        "{text}"
    );
    create(&connection, &actor("Customer", "", &[])).unwrap();
    let book = entry(&std::fs::read(place.path()).unwrap(), "xl/workbook.xml");
    assert!(book.contains("fullCalcOnLoad=\"1\""), "{book}");
}

#[test]
fn hyperlink_over_several_cells_is_not_split() {
    let rows = row(2, &(text("A2", "C1") + &text("B2", "a@x.no")))
        + &row(3, &(text("A3", "C2") + &text("B3", "b@x.no")));
    let links = "<hyperlinks><hyperlink ref=\"B2:B3\" r:id=\"rId1\" xmlns:r=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships\"/></hyperlinks>";
    let place = place(&["ID", "E-mail"], &rows, links);
    let bytes = super::archive::with_new_entry(
        &std::fs::read(place.path()).unwrap(),
        "xl/worksheets/_rels/sheet1.xml.rels",
        "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\"><Relationship Id=\"rId1\" \
         Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/hyperlink\" Target=\"mailto:a@x.no\" \
         TargetMode=\"External\"/></Relationships>",
    );
    std::fs::write(place.path(), bytes).unwrap();
    let (text, _) =
        error_of(save(&place.connect(), &[actor("Customer", "C1", &[("EMAIL", Some("c@x.no"))])]));
    assert!(text.contains("the cell B2 of the sheet Customer belongs to a hyperlink over B2:B3"), "{text}");
    assert!(warning(&place).contains("hyperlinks over several cells"), "{}", warning(&place));
}

#[test]
fn sheet_without_a_part_is_left_out() {
    let place = WorkbookFolder::with(&customers());
    change(&place, "xl/workbook.xml", |xml| {
        xml.replace("</sheets>", "<sheet name=\"Person\" sheetId=\"9\"/></sheets>")
    });
    assert_eq!(actor_types(&place.connect()), ["Customer"]);
    assert!(warning(&place).contains("does not say where the sheet Person is"), "{}", warning(&place));
    create(&place.connect(), &actor("Customer", "", &[])).unwrap();
}

#[test]
fn lists_and_keys_that_superoffice_cannot_use_give_warnings() {
    let long: &'static str = Box::leak("K".repeat(255).into_boxed_str());
    let place = WorkbookFolder::with(&[
        (
            "Customer",
            vec![
                vec![T("ID"), T("Category"), T("Org")],
                vec![T("ab"), T("Large"), N(1_234_567_890_123_456.0)],
                vec![T("AB"), T("A"), E],
                vec![T(long), T("gull"), E],
                vec![T("x"), T("Q"), E],
            ],
        ),
        (
            "Category",
            vec![
                vec![T("ID"), T("Text")],
                vec![T("A"), T("Large")],
                vec![T("B"), T("US:\"Gold\";NO:\"Gull\"")],
                vec![T("b"), T("x")],
            ],
        ),
    ]);
    let text = warning(&place);
    for part in [
        "IDs that differ only in case, which SuperOffice takes for one: ab and AB",
        "IDs of more than 254 characters",
        "numbers of 16 digits and more, of which Excel keeps 15 (format such cells as text): C2",
        "texts of the list Category in the column \"Category\", expected their IDs: Large in row 2, gull in row 4",
        "values in the column \"Category\" that are not in the list Category: Q in row 5",
        "the list Category has IDs that differ only in case, which SuperOffice takes for one: B and b",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let connection = place.connect();
    let (alike, _) = error_of(create(&connection, &actor("Customer", "X", &[])));
    assert!(alike.contains("\"X\" exists already as \"x\""), "{alike}");
    let (long, _) = error_of(create(&connection, &actor("Customer", &"Y".repeat(255), &[])));
    assert!(long.contains("an ID has 254 characters at most, not 255"), "{long}");
}

#[test]
fn character_that_a_cell_cannot_hold_is_refused() {
    let place = place(&["ID", "Name"], &row(2, &(text("A2", "C1") + &text("B2", "Ber_x0000_gen"))), "");
    let connection = place.connect();
    assert_eq!(get(&connection, "Customer", "C1").field("NAME"), Some(Some("Ber_x0000_gen")));
    let (text, _) = error_of(create(&connection, &actor("Customer", "", &[("NAME", Some("a\0b"))])));
    assert!(text.contains("the field NAME: a cell cannot hold the character U+0000"), "{text}");
}

/// The connector with these options, on a place.
fn refusal_with(place: &WorkbookFolder, options: &[(&str, &str)]) -> Option<String> {
    let host = Host::for_test(place.folder.path());
    let host = options.iter().fold(host, |host, (name, value)| host.with_option(*name, *value));
    let connector = ExcelConnector::new(&host).unwrap();
    connector
        .connect(&Context::default(), &Settings::from([("Filename", "book.xlsx")]))
        .err()
        .map(|error| error.user_text())
}

#[test]
fn limits_are_named_when_a_workbook_exceeds_them() {
    // Two megabytes of white space.
    let place = place(&["ID"], &(row(2, &text("A2", "C1")) + &" ".repeat(2 << 20)), "");
    let refused = |options: &[(&str, &str)]| refusal_with(&place, options).unwrap();
    let part = "xl/worksheets/sheet1.xml unpacks to more than";
    assert!(refused(&[("max_part_mb", "1")]).contains(&format!("{part} 1 MB")));
    assert!(refused(&[]).contains(&format!("{part} 100 times its packed size")), "{}", refused(&[]));
    assert_eq!(refusal_with(&place, &[("max_ratio", "5000")]), None);

    // Many cells, and one long text that many share.
    let mut rows = vec![vec![T("ID"), T("Note")]];
    let long: &'static str = Box::leak("long ".repeat(2000).into_boxed_str());
    rows.extend((0..200).map(|id| vec![N(f64::from(id)), T(long)]));
    let place = WorkbookFolder::with(&[("Customer", rows)]);
    let refused = refusal_with(&place, &[("memory_mb", "2")]).unwrap();
    assert!(refused.contains("reading it takes more than the 2 MB of memory"), "{refused}");
    assert_eq!(refusal_with(&place, &[]), None);
}

/// A sheet of customers with these rows below its headings, and an Excel table.
fn with_table(headings: &[&'static str], rows: &str, table: &str) -> WorkbookFolder {
    let relationship =
        |kind: &str| format!("http://schemas.openxmlformats.org/officeDocument/2006/relationships{kind}");
    let parts = format!(
        "<tableParts count=\"1\"><tablePart xmlns:r=\"{}\" r:id=\"rId1\"/></tableParts>",
        relationship("")
    );
    let place = place(headings, rows, &parts);
    let bytes = std::fs::read(place.path()).unwrap();
    let rels = format!(
        "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\"><Relationship Id=\"rId1\" Type=\"{}\" \
         Target=\"../tables/table1.xml\"/></Relationships>",
        relationship("/table")
    );
    let bytes = super::archive::with_new_entry(&bytes, "xl/worksheets/_rels/sheet1.xml.rels", &rels);
    let table = format!(
        "<table xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\" id=\"1\" {table}</table>"
    );
    std::fs::write(place.path(), super::archive::with_new_entry(&bytes, "xl/tables/table1.xml", &table))
        .unwrap();
    place
}

#[test]
fn table_formula_fills_only_empty_cells() {
    // The third column of the table has no heading, and a note stands below it.
    let rows = row(2, &(text("A2", "C1") + &text("B2", "En") + "<c r=\"C2\"><v>4</v></c>"))
        + &row(3, &text("C3", "Note of Kari"));
    let columns = "<tableColumns count=\"3\"><tableColumn id=\"1\" name=\"ID\"/><tableColumn id=\"2\" name=\"Name\"/><tableColumn id=\"3\" name=\" \"><calculatedColumnFormula>1+1</calculatedColumnFormula></tableColumn></tableColumns>";
    let place = with_table(&["ID", "Name"], &rows, &format!("ref=\"A1:C2\">{columns}"));
    create(&place.connect(), &actor("Customer", "", &[("NAME", Some("Ny"))])).unwrap();
    let xml = sheet(&place);
    assert!(xml.contains("Note of Kari") && xml.contains("<row r=\"4\">"), "{xml}");
}

#[test]
fn empty_text_for_a_computed_column_is_no_change() {
    let rows = row(2, &(text("A2", "C1") + "<c r=\"B2\"><f>1+1</f><v>2</v></c>"));
    let columns = "<tableColumns count=\"2\"><tableColumn id=\"1\" name=\"ID\"/><tableColumn id=\"2\" name=\"Sum\"><calculatedColumnFormula>1+1</calculatedColumnFormula></tableColumn></tableColumns>";
    for array in ["", " array=\"1\""] {
        let columns = columns.replace("Formula>1", &format!("Formula{array}>1"));
        let place = with_table(&["ID", "Sum"], &rows, &format!("ref=\"A1:B2\">{columns}"));
        create(&place.connect(), &actor("Customer", "", &[("Sum", Some(""))])).unwrap();
        let filled = sheet(&place).contains("<c r=\"B3\"><f>1+1</f></c>");
        // An array formula is more than its text.
        assert_eq!(filled, array.is_empty(), "{}", sheet(&place));
        let table = entry(&std::fs::read(place.path()).unwrap(), "xl/tables/table1.xml");
        assert!(table.contains("ref=\"A1:B3\""), "{table}");
    }
}

#[test]
fn totals_of_a_table_beside_the_keys_hide_no_actor() {
    let rows = row(2, &(text("A2", "C1") + &text("B2", "En")))
        + &row(3, &(text("A3", "C2") + &text("B3", "Sum") + "<c r=\"C3\"><v>3</v></c>"));
    let place = with_table(&["ID", "City", "Amount"], &rows, "ref=\"B1:C3\" totalsRowCount=\"1\">");
    let connection = place.connect();
    assert_eq!(actors(&connection, "Customer").len(), 2);
    create(&connection, &actor("Customer", "", &[])).unwrap();
    assert!(sheet(&place).contains("<row r=\"4\"><c r=\"A4\""), "{}", sheet(&place));
}

#[test]
fn warnings_about_the_sheet_fields_are_limited() {
    let mut fields = vec![vec![T("ActorType"), T("Column"), T("Type")]];
    fields.extend((0..500).map(|_| vec![T("Customer"), T("Nowhere"), T("Colour")]));
    let place = WorkbookFolder::with(&[("Customer", vec![vec![T("ID"), T("Name")]]), ("Fields", fields)]);
    let text = warning(&place);
    assert!(text.contains("more rows of the sheet Fields make no sense"), "{text}");
    assert!(text.contains("has not: \"Nowhere\" in row 2") && text.len() < 4000, "{text}");
}

#[test]
fn empty_table_takes_its_first_row() {
    let place = with_table(
        &["ID", "Name"],
        &row(2, "<c r=\"A2\" s=\"0\"/>"),
        "ref=\"A1:B2\" insertRow=\"1\" totalsRowShown=\"0\"><autoFilter ref=\"A1:B2\"/>",
    );
    for (key, range) in [("1", "A1:B2"), ("2", "A1:B3")] {
        assert_eq!(create(&place.connect(), &actor("Customer", "", &[])).unwrap().key, key);
        let table = entry(&std::fs::read(place.path()).unwrap(), "xl/tables/table1.xml");
        assert!(table.contains(&format!("ref=\"{range}\" insertRow=\"0\"")), "{table}");
        assert!(table.contains(&format!("<autoFilter ref=\"{range}\"/>")), "{table}");
    }
}
