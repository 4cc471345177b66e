//! Field types: a reported type stays, and the wire form of a value decides how it is written.

use plugin_api::{Connection, ConnectionRevision, Connector, FieldType, Host, Settings};

use super::archive::entry;
use super::kit::*;
use crate::{ExcelConnection, ExcelConnector};

const GUID: &str = "3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf";

fn connect(place: &WorkbookFolder, guid: &str, revision: u64) -> ExcelConnection {
    connect_to(&place.connector, place, guid, revision)
}

fn connect_to(
    connector: &ExcelConnector,
    place: &WorkbookFolder,
    guid: &str,
    revision: u64,
) -> ExcelConnection {
    let settings = Settings::from([("Filename", "book.xlsx")]).of_connection(guid, revision);
    let connection = ConnectionRevision { guid: guid.to_owned(), revision };
    let cx = Context::of_connection(&Host::for_test(place.folder.path()), connection);
    connector.connect(&cx, &settings).unwrap()
}

fn types(connection: &ExcelConnection) -> Vec<FieldType> {
    connection.fields(&Context::default(), "Customer").unwrap().iter().map(|field| field.field_type).collect()
}

fn sheets(credit: C, active: C) -> Vec<Sheet> {
    let rows = vec![
        vec![T("ID"), T("Credit limit"), T("Active")],
        vec![T("C1"), N(99.5), active],
        vec![T("C2"), credit, E],
    ];
    vec![("Customer", rows)]
}

fn cell(place: &WorkbookFolder, name: &str) -> String {
    let xml = entry(&std::fs::read(place.path()).unwrap(), "xl/worksheets/sheet1.xml");
    let at = xml.find(&format!("<c r=\"{name}\"")).unwrap_or_else(|| panic!("{name}: {xml}"));
    let end = xml[at..].find("/>").into_iter().chain(xml[at..].find("</c>")).min().unwrap();
    xml[at..at + end].to_owned()
}

#[test]
fn reported_types_stay_when_cells_change() {
    let place = WorkbookFolder::with(&sheets(N(200.5), B(true)));
    let first = connect(&place, GUID, 1);
    assert_eq!(types(&first), [FieldType::Double, FieldType::Checkbox]);
    // A person types a remark, and clears the last box.
    write(&place.path(), &sheets(T("ask Kari"), E));
    assert_eq!(types(&first), [FieldType::Double, FieldType::Checkbox]);
    let text = outcome_of_test(&first).user.unwrap();
    assert!(text.contains("the field Credit limit of Customer was reported as Double, which row 3 does not fit with \"ask Kari\""), "{text}");
    // A restart forgets nothing; to another connection nothing was reported yet.
    let connector = ExcelConnector::new(&Host::for_test(place.folder.path())).unwrap();
    let again = connect_to(&connector, &place, GUID, 1);
    assert_eq!(types(&again), [FieldType::Double, FieldType::Checkbox]);
    assert!(place.folder.path().join("connections").join(GUID).join("types.json").exists());
    let other = connect(&place, "00000000-0000-4000-8000-000000000002", 7);
    assert_eq!(types(&other), [FieldType::Text, FieldType::Text]);
    assert_eq!(types(&first), [FieldType::Double, FieldType::Checkbox]);

    let fields = [("Credit limit", Some("[F:50.25]")), ("Active", Some("[I:1]"))];
    let saved = save(&first, &[actor("Customer", "C1", &fields)]).unwrap();
    assert_eq!(saved[0].fields, actor("", "", &fields).fields);
    assert_eq!(cell(&place, "B2"), "<c r=\"B2\"><v>50.25</v>");
    assert_eq!(cell(&place, "C2"), "<c r=\"C2\" t=\"b\"><v>1</v>");
    // The remark goes back and forth as it is.
    save(&first, &[actor("Customer", "C2", &[("Credit limit", Some("ask Kari")), ("Active", None)])])
        .unwrap();
    let (text, _) = error_of(save(&first, &[actor("Customer", "C1", &[("Credit limit", Some("ask Ola"))])]));
    assert!(text.contains("\"ask Ola\" is not a value of type Double"), "{text}");

    // Saved again: the types are those of today.
    assert_eq!(types(&connect(&place, GUID, 2)), [FieldType::Text, FieldType::Checkbox]);
}

#[test]
fn double_field_stays_double_after_a_whole_number() {
    let place = WorkbookFolder::with(&[("Customer", vec![vec![T("ID"), T("Rate")], vec![T("C1"), N(99.5)]])]);
    let connection = connect(&place, GUID, 1);
    assert_eq!(types(&connection), [FieldType::Double]);
    save(&connection, &[actor("Customer", "C1", &[("Rate", Some("[F:100]"))])]).unwrap();
    assert_eq!(types(&connection), [FieldType::Double]);
    assert_eq!(get(&connection, "Customer", "C1").field("Rate"), Some(Some("[F:100]")));
    // Also where nothing is remembered, a value with decimals is written as what it is.
    let untyped = place.connect();
    let saved = save(&untyped, &[actor("Customer", "C1", &[("Rate", Some("[F:50.25]"))])]).unwrap();
    assert_eq!(saved[0].field("Rate"), Some(Some("[F:50.25]")));
}

#[test]
fn sheet_fields_overrides_reported_types() {
    let mut sheets = sheets(N(200.5), B(true));
    let place = WorkbookFolder::with(&sheets);
    let connection = connect(&place, GUID, 1);
    assert_eq!(types(&connection)[0], FieldType::Double);
    sheets.push(("Fields", vec![vec![T("Column"), T("Type")], vec![T("Credit limit"), T("Text")]]));
    write(&place.path(), &sheets);
    assert_eq!(types(&connection)[0], FieldType::Text);
    // It was reported since, and stays when the sheet declares nothing any more.
    sheets.pop();
    write(&place.path(), &sheets);
    assert_eq!(types(&connection)[0], FieldType::Text);
}

#[test]
fn wire_forms_are_not_written_to_cells() {
    let rows = vec![
        vec![T("ID"), T("Note"), T("Terms"), T("Since")],
        vec![T("C1"), T("x"), N(10.0), D("2020-01-01")],
        vec![T("C2"), T("a text"), E, E],
    ];
    let terms = vec![vec![T("ID"), T("Text")], vec![N(10.0), T("10 days")], vec![N(30.0), T("30 days")]];
    let place = WorkbookFolder::with(&[("Customer", rows), ("Terms", terms)]);
    let connection = place.connect();
    for (value, expected) in [
        ("[F:50.25]", "<v>50.25</v>"),
        ("[I:7]", "<v>7</v>"),
        ("[I:7", "<v>7</v>"),
        ("[DT:01/02/2020 00:00:00.0000000]", "<v>43832</v>"),
        ("[I:seven]", "[I:seven]"),
    ] {
        save(&connection, &[actor("Customer", "C1", &[("Note", Some(value))])]).unwrap();
        assert!(cell(&place, "B2").contains(expected), "{value}: {}", cell(&place, "B2"));
    }
    save(&connection, &[actor("Customer", "C1", &[("Terms", Some("[I:30]"))])]).unwrap();
    assert_eq!(cell(&place, "C2"), "<c r=\"C2\"><v>30</v>");
    let (text, code) = error_of(save(&connection, &[actor("Customer", "C1", &[("Terms", Some("[I:31]"))])]));
    assert!(text.contains("no item with the key \"31\""), "{text}");
    assert_eq!(code.as_deref(), Some("UNKOWN_LISTITEM_ID"));
}
