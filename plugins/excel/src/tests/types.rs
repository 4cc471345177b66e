//! A field is what it was told to be: the type that was reported stays, and a value's own form says how it is written.

use plugin_api::{Connection, Connector, FieldType, Host, Settings};

use super::archive::entry;
use super::kit::*;
use crate::{ExcelConnection, ExcelConnector};

const GUID: &str = "3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf";

fn connect(place: &Place, guid: &str, revision: u64) -> ExcelConnection {
    let settings = Settings::from([("Filename", "book.xlsx")]).of_connection(guid, revision);
    place.connector.connect(&settings).unwrap()
}

fn types(connection: &ExcelConnection) -> Vec<FieldType> {
    connection.fields("Customer").unwrap().iter().map(|field| field.field_type).collect()
}

fn sheets(credit: C, active: C) -> Vec<Sheet> {
    let rows = vec![
        vec![T("ID"), T("Credit limit"), T("Active")],
        vec![T("C1"), N(99.5), active],
        vec![T("C2"), credit, E],
    ];
    vec![("Customer", rows)]
}

fn cell(place: &Place, name: &str) -> String {
    let xml = entry(&std::fs::read(place.path()).unwrap(), "xl/worksheets/sheet1.xml");
    let at = xml.find(&format!("<c r=\"{name}\"")).unwrap_or_else(|| panic!("{name}: {xml}"));
    let end = xml[at..].find("/>").into_iter().chain(xml[at..].find("</c>")).min().unwrap();
    xml[at..at + end].to_owned()
}

#[test]
fn reported_types_stay_whatever_the_cells_become() {
    let place = Place::with(&sheets(N(200.5), B(true)));
    let first = connect(&place, GUID, 1);
    assert_eq!(types(&first), [FieldType::Double, FieldType::Checkbox]);
    // A person types a remark, and clears the last box.
    write(&place.path(), &sheets(T("ask Kari"), E));
    assert_eq!(types(&first), [FieldType::Double, FieldType::Checkbox]);
    let text = first.test().unwrap().user.unwrap();
    assert!(text.contains("the field Credit limit of Customer was reported as Double, which row 3 does not fit with \"ask Kari\""), "{text}");
    // A restart forgets nothing; another connection has not been told anything yet.
    let connector = ExcelConnector::new(&Host::for_test(place.folder.path())).unwrap();
    let settings = Settings::from([("Filename", "book.xlsx")]).of_connection(GUID, 1);
    assert_eq!(types(&connector.connect(&settings).unwrap()), [FieldType::Double, FieldType::Checkbox]);
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
    let (told, _) = told(save(&first, &[actor("Customer", "C1", &[("Credit limit", Some("ask Ola"))])]));
    assert!(told.contains("\"ask Ola\" is not a value of type Double"), "{told}");

    // Saved anew: the types are those of today.
    assert_eq!(types(&connect(&place, GUID, 2)), [FieldType::Text, FieldType::Checkbox]);
}

#[test]
fn a_whole_number_does_not_turn_a_double_field_into_another() {
    let place = Place::with(&[("Customer", vec![vec![T("ID"), T("Rate")], vec![T("C1"), N(99.5)]])]);
    let told = connect(&place, GUID, 1);
    assert_eq!(types(&told), [FieldType::Double]);
    save(&told, &[actor("Customer", "C1", &[("Rate", Some("[F:100]"))])]).unwrap();
    assert_eq!(types(&told), [FieldType::Double]);
    assert_eq!(get(&told, "Customer", "C1").field("Rate"), Some(Some("[F:100]")));
    // Also where nothing is remembered, a value with decimals is written as what it is.
    let nobody = place.connect();
    let saved = save(&nobody, &[actor("Customer", "C1", &[("Rate", Some("[F:50.25]"))])]).unwrap();
    assert_eq!(saved[0].field("Rate"), Some(Some("[F:50.25]")));
}

#[test]
fn the_sheet_fields_has_the_last_word() {
    let mut sheets = sheets(N(200.5), B(true));
    let place = Place::with(&sheets);
    let connection = connect(&place, GUID, 1);
    assert_eq!(types(&connection)[0], FieldType::Double);
    sheets.push(("Fields", vec![vec![T("Column"), T("Type")], vec![T("Credit limit"), T("Text")]]));
    write(&place.path(), &sheets);
    assert_eq!(types(&connection)[0], FieldType::Text);
    // It was reported since, and stays when the sheet says nothing any more.
    sheets.pop();
    write(&place.path(), &sheets);
    assert_eq!(types(&connection)[0], FieldType::Text);
}

#[test]
fn no_wire_form_lands_in_a_cell() {
    let rows = vec![
        vec![T("ID"), T("Note"), T("Terms"), T("Since")],
        vec![T("C1"), T("x"), N(10.0), D("2020-01-01")],
        vec![T("C2"), T("a text"), E, E],
    ];
    let terms = vec![vec![T("ID"), T("Text")], vec![N(10.0), T("10 days")], vec![N(30.0), T("30 days")]];
    let place = Place::with(&[("Customer", rows), ("Terms", terms)]);
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
    let (told, code) = told(save(&connection, &[actor("Customer", "C1", &[("Terms", Some("[I:31]"))])]));
    assert!(told.contains("no item with the key \"31\""), "{told}");
    assert_eq!(code.as_deref(), Some("UNKOWN_LISTITEM_ID"));
}
