use plugin_api::{Connection, Parent};
use proptest::prelude::*;
use test_support::scale::cases;

use super::archive::{entry, with_entry};
use super::kit::*;

/// Reads the workbook again, as another program would.
fn reopened(place: &WorkbookFolder) -> crate::ExcelConnection {
    place.connect_at(0)
}

#[test]
fn created_actor_is_in_the_workbook() {
    let place = WorkbookFolder::with(&customers());
    let connection = place.connect();
    let fields = [
        ("NAME", Some("Ny & Sønn <AS>")),
        ("POSTALZIP", Some("0010")),
        ("Limit", Some("[I:-5]")),
        ("Since", Some("[DT:11/21/2026 21:36:00.1230000]")),
        ("Active", Some("[I:1]")),
        ("Category", Some("B")),
    ];
    let created = create(&connection, &actor("Customer", "", &fields)).unwrap();
    assert_eq!(created.key, "1004");
    assert_eq!(created.fields, actor("Customer", "", &fields).fields);
    assert_eq!(get(&connection, "Customer", "1004"), created);
    assert_eq!(get(&reopened(&place), "Customer", "1004"), created);
    assert_eq!(changed_since(&connection, "Customer", created.last_modified.as_deref().unwrap()), ["1004"]);
    let sheet = entry(&std::fs::read(place.path()).unwrap(), "xl/worksheets/sheet1.xml");
    assert!(sheet.contains("<dimension ref=\"A1:H5\"/>"), "{sheet}");
    // The key is a number like the others, the date has the style of the cell above.
    let row = &sheet[sheet.find("<row r=\"5\"").unwrap()..];
    assert!(row.contains("<c r=\"A5\"><v>1004</v></c>"), "{row}");
    assert!(row.contains("<c r=\"E5\" s=\"1\"><v>46347.90000142361</v></c>"), "{row}");
    assert!(row.contains("<c r=\"F5\" t=\"b\"><v>1</v></c>"), "{row}");
}

#[test]
fn only_the_fields_that_came_are_saved_and_null_clears() {
    let place = WorkbookFolder::with(&customers());
    let connection = place.connect();
    let before = get(&connection, "Customer", "1001");
    let change = actor(
        "Customer",
        "1001",
        &[("NAME", Some("")), ("Limit", None), ("Since", None), ("Active", Some("[I:0]"))],
    );
    let saved = save(&connection, &[change]).unwrap().remove(0);
    assert_eq!(saved.field("NAME"), Some(Some("")));
    assert_eq!(saved.field("Limit"), Some(None));
    assert_eq!(saved.field("Since"), Some(None));
    assert_eq!(saved.field("Active"), Some(Some("[I:0]")));
    assert_eq!(saved.field("Category"), before.field("Category"));
    assert!(stamp(&saved) > stamp(&before));
    assert_eq!(get(&reopened(&place), "Customer", "1001"), saved);
    // Filling an empty date again finds the style in the cell, and one that was never filled takes that above.
    let date = Some("[DT:02/29/2024 00:00:00.0000000]");
    let all = [
        actor("Customer", "1001", &[("Since", date)]),
        actor("Customer", "1003", &[("Since", date), ("Active", Some("[I:1]"))]),
    ];
    save(&connection, &all).unwrap();
    let reopened = reopened(&place);
    assert_eq!(get(&reopened, "Customer", "1003").field("Since"), Some(date));
    assert_eq!(get(&reopened, "Customer", "1003").field("Active"), Some(Some("[I:1]")));
    assert_eq!(get(&reopened, "Customer", "1001").field("Since"), Some(date));
}

#[test]
fn new_keys_follow_the_highest() {
    for (keys, next) in [
        (vec![N(7.0), N(12.0), N(3.0)], "13"),
        (vec![T("0009"), T("0010")], "0011"),
        (vec![T("99")], "100"),
        (vec![T("C-0017"), T("C-0003"), T("D-9")], "C-0018"),
        (vec![T("A1"), T("B5")], "B6"),
        (vec![T("ALFKI"), T("BONAP")], "1"),
        (vec![T("ALFKI"), T("1")], "2"),
        (vec![T("12345678901234567890123"), T("5")], "6"),
        (vec![], "1"),
    ] {
        let mut rows = vec![vec![T("ID"), T("Name")]];
        rows.extend(keys.iter().map(|key| vec![key.clone(), T("x")]));
        let place = WorkbookFolder::with(&[("Customer", rows)]);
        let created = create(&place.connect(), &actor("Customer", "", &[("NAME", Some("new"))])).unwrap();
        assert_eq!(created.key, next, "{keys:?}");
        assert_eq!(get(&reopened(&place), "Customer", next).field("NAME"), Some(Some("new")));
    }
}

#[test]
fn key_is_not_given_out_twice() {
    let place = WorkbookFolder::with(&customers());
    let empty = std::fs::read(place.path()).unwrap();
    let connection = place.connect();
    for key in ["1004", "1005"] {
        assert_eq!(create(&connection, &actor("Customer", "", &[])).unwrap().key, key);
    }
    // Somebody deletes both rows.
    std::fs::write(place.path(), empty).unwrap();
    assert_eq!(create(&connection, &actor("Customer", "", &[])).unwrap().key, "1006");
    // A restart forgets nothing.
    assert_eq!(create(&reopened(&place), &actor("Customer", "", &[])).unwrap().key, "1007");
    // Keys of another kind start again.
    write(&place.path(), &[("Customer", vec![vec![T("ID")], vec![T("K-9")]])]);
    assert_eq!(create(&connection, &actor("Customer", "", &[])).unwrap().key, "K-10");
}

#[test]
fn given_key_is_taken_if_it_is_free() {
    let place = WorkbookFolder::with(&customers());
    let connection = place.connect();
    assert_eq!(create(&connection, &actor("Customer", "K-1", &[])).unwrap().key, "K-1");
    let (text, _) = error_of(create(&connection, &actor("Customer", "1001", &[])));
    assert!(text.contains("\"1001\" exists already"), "{text}");
}

#[test]
fn invalid_changes_are_refused_and_nothing_is_written() {
    let mut sheets = customers();
    sheets[0].1[0].push(T("Sum"));
    sheets[0].1[1].push(X("=1+1", "2"));
    sheets[0].1[2].push(N(3.0));
    sheets.push((
        "Fields",
        vec![
            ["ActorType", "Column", "Type", "Access", "MaxLength"].map(T).to_vec(),
            vec![T("Customer"), T("Name"), E, T("Mandatory"), N(10.0)],
            vec![T("Customer"), T("Zip"), E, T("ReadOnly")],
        ],
    ));
    sheets.push((
        "Person",
        vec![vec![T("ID"), T("LastName"), T("ParentID")], vec![N(1.0), T("Ås"), N(1001.0)]],
    ));
    sheets.push(("Project", vec![vec![T("ID"), T("Name")], vec![N(1.0), T("Bridge")]]));
    let place = WorkbookFolder::with(&sheets);
    let connection = place.connect();
    let before = std::fs::read(place.path()).unwrap();
    let named =
        |extra: (&'static str, Option<&'static str>)| actor("Customer", "", &[("NAME", Some("New")), extra]);
    let below = |actor_type: &str, parent_type: &str, parent: &str| plugin_api::Actor {
        parent: Some(Parent { actor_type: parent_type.to_owned(), key: parent.to_owned() }),
        ..actor(actor_type, "", &[])
    };
    let many = "x".repeat(40_000);
    let long = actor("Person", "", &[("LASTNAME", Some(&many))]);
    for (new, part, code) in [
        (
            actor("Partner", "", &[]),
            "no sheet for the actor type \"Partner\", only for Customer, Person, Project",
            None,
        ),
        (named(("COLOUR", Some("red"))), "no field \"COLOUR\"", Some("UNKOWN_FIELDKEY")),
        (named(("LastModified", Some("now"))), "no field \"LastModified\"", Some("UNKOWN_FIELDKEY")),
        (named(("Category", Some("Q"))), "no item with the key \"Q\"", Some("UNKOWN_LISTITEM_ID")),
        (named(("Limit", Some("many"))), "\"many\" is not a value of type Integer", None),
        (named(("Limit", Some("[I:9007199254740993]"))), "9007199254740993 is beyond", None),
        (named(("Since", Some("[DT:13/01/2020 00:00:00]"))), "is not a value of type Datetime", None),
        (named(("Since", Some("[DT:12/31/1899 00:00:00]"))), "1899-12-31 is before the first date", None),
        (named(("Active", Some("perhaps"))), "is not a value of type Checkbox", None),
        (named(("POSTALZIP", Some("0150"))), "POSTALZIP is read only", None),
        (actor("Customer", "", &[]), "the field NAME of Customer must be filled in", None),
        (actor("Customer", "", &[("NAME", Some(" "))]), "the field NAME of Customer must be filled in", None),
        (actor("Customer", "", &[("NAME", Some("eleven chars"))]), "10 characters at most, not 12", None),
        (long, "32767 characters at most, not 40000", None),
        (below("Person", "Customer", "4711"), "the parent Customer \"4711\" does not exist", None),
        (below("Person", "Dog", "1"), "no sheet for the actor type \"Dog\"", None),
        (below("Person", "Project", "1"), "has no column ParentType", None),
        (below("Project", "Customer", "1001"), "has no column ParentID", None),
    ] {
        let (text, actual_code) = error_of(create(&connection, &new));
        assert!(text.contains(part), "{part}: {text}");
        assert_eq!(actual_code.as_deref(), code, "{text}");
    }
    let refused = [
        (actor("Customer", "4711", &[("NAME", Some("x"))]), "the workbook has no such row"),
        (
            actor("Customer", "1001", &[("Limit", Some("[I:5]")), ("NAME", None)]),
            "the field NAME of Customer must be filled in",
        ),
        (
            actor("Customer", "1001", &[("NAME", Some("lost")), ("POSTALZIP", Some("1"))]),
            "the field POSTALZIP is read only",
        ),
        (
            actor("Customer", "1001", &[("Sum", Some("[I:5]"))]),
            "the cell I2 of the sheet Customer holds a formula",
        ),
        (actor("Dog", "1", &[]), "no sheet for the actor type \"Dog\""),
    ];
    for (bad, part) in &refused {
        let (text, _) = error_of(save(&connection, std::slice::from_ref(bad)));
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(std::fs::read(place.path()).unwrap(), before);
    // The others of the same call are saved.
    for (number, (bad, part)) in refused.into_iter().enumerate() {
        let name = format!("Changed {number}");
        let good = actor("Customer", "1002", &[("NAME", Some(&name))]);
        let saved = save_some(&connection, &[bad, good]);
        assert_eq!((saved.actors.len(), saved.not_saved.len()), (1, 1), "{saved:?}");
        assert!(saved.not_saved[0].why.user.as_deref().unwrap().contains(part), "{saved:?}");
        assert_eq!(get(&connection, "Customer", "1002").field("NAME"), Some(Some(name.as_str())));
    }
    let untouched = get(&connection, "Customer", "1001");
    assert_eq!(
        (untouched.field("NAME"), untouched.field("POSTALZIP")),
        (Some(Some("Alfa")), Some(Some("0150")))
    );
    // A value that a cell shows already is no change: neither a formula nor a read-only field is in the way.
    let same = actor(
        "Customer",
        "1001",
        &[("Sum", Some("[I:2]")), ("POSTALZIP", Some("0150")), ("NAME", Some("Alpha"))],
    );
    assert_eq!(save(&connection, &[same]).unwrap()[0].field("NAME"), Some(Some("Alpha")));
}

#[test]
fn parents_are_written_to_their_columns() {
    let mut sheets = customers();
    sheets.push((
        "Person",
        vec![
            vec![T("ID"), T("LastName"), T("ParentType"), T("ParentID")],
            vec![N(1.0), T("Ås"), T("Customer"), N(1001.0)],
        ],
    ));
    let place = WorkbookFolder::with(&sheets);
    let connection = place.connect();
    let parent = |key: &str| Some(Parent { actor_type: "customer".to_owned(), key: key.to_owned() });
    let new =
        plugin_api::Actor { parent: parent("1002"), ..actor("Person", "", &[("LASTNAME", Some("Berg"))]) };
    let created = create(&connection, &new).unwrap();
    assert_eq!(created.parent, Some(Parent { actor_type: "Customer".to_owned(), key: "1002".to_owned() }));
    save(&connection, &[plugin_api::Actor { parent: parent("1003"), ..actor("Person", "1", &[]) }]).unwrap();
    let reopened = reopened(&place);
    assert_eq!(get(&reopened, "Person", "1").parent.unwrap().key, "1003");
    assert_eq!(get(&reopened, "Person", "2"), created);
    // Nothing said about the parent: it stays.
    save(&connection, &[actor("Person", "1", &[("LASTNAME", Some("Dal"))])]).unwrap();
    assert_eq!(get(&connection, "Person", "1").parent.unwrap().key, "1003");
}

#[test]
fn several_types_are_saved_in_one_call() {
    let mut sheets = customers();
    sheets.push(("Project", vec![vec![T("ID"), T("Name")], vec![T("P1"), T("Bridge")]]));
    let place = WorkbookFolder::with(&sheets);
    let connection = place.connect();
    let saved = save(
        &connection,
        &[
            actor("Project", "P1", &[("NAME", Some("Tunnel"))]),
            actor("Customer", "1001", &[("NAME", Some("One"))]),
            actor("Customer", "1001", &[("NAME", Some("Two"))]),
        ],
    )
    .unwrap();
    let saved_names: Vec<_> = saved
        .iter()
        .map(|actor| (actor.actor_type.as_str(), actor.field("NAME").unwrap().unwrap()))
        .collect();
    assert_eq!(saved_names, [("Project", "Tunnel"), ("Customer", "Two"), ("Customer", "Two")]);
    assert!(stamp(&saved[0]) < stamp(&saved[1]));
    // A change that is taken back in the same call is none.
    let back = [
        actor("Customer", "1002", &[("NAME", Some("X"))]),
        actor("Customer", "1002", &[("NAME", Some("Beta"))]),
    ];
    save(&connection, &back).unwrap();
    assert_eq!(get(&reopened(&place), "Customer", "1002").field("NAME"), Some(Some("Beta")));
}

#[test]
fn new_rows_go_below_all_others_and_use_rows_that_are_there() {
    let place = WorkbookFolder::with(&[(
        "Customer",
        vec![
            vec![T("ID"), T("Name"), T("Since")],
            vec![N(1.0), T("Alfa"), D("2020-01-01")],
            vec![E, E, E],
            vec![N(2.0), T("Beta"), D("2020-01-01")],
            vec![F(None, "0.00"), E, F(None, "yyyy-mm-dd")],
            vec![F(None, "0.00"), E, F(None, "yyyy-mm-dd")],
        ],
    )]);
    let connection = place.connect();
    let since = Some("[DT:05/17/2026 00:00:00.0000000]");
    for name in ["Gamma", "Delta", "Epsilon"] {
        create(&connection, &actor("Customer", "", &[("NAME", Some(name)), ("Since", since)])).unwrap();
    }
    let sheet = entry(&std::fs::read(place.path()).unwrap(), "xl/worksheets/sheet1.xml");
    for (row, name) in [(5, "Gamma"), (6, "Delta"), (7, "Epsilon")] {
        let at = sheet.find(&format!("<row r=\"{row}\"")).unwrap();
        let row = &sheet[at..at + sheet[at..].find("</row>").unwrap()];
        assert!(row.contains(name), "{row}");
    }
    let reopened = reopened(&place);
    assert_eq!(actors(&reopened, "Customer").len(), 5);
    assert!(actors(&reopened, "Customer")[2..].iter().all(|actor| actor.field("Since") == Some(since)));
}

#[test]
fn sheet_xml_of_other_programs_is_patched_too() {
    let prefixed = |xml: String| {
        let mut out = xml.replace("</", "</x:").replace("xmlns=", "xmlns:x=");
        for name in ["worksheet", "dimension", "sheet", "row", "c ", "v>", "cols", "col ", "pageMargins"] {
            out = out.replace(&format!("<{name}"), &format!("<x:{name}"));
        }
        out
    };
    let nameless = |xml: String| {
        let mut out = String::new();
        for (at, part) in xml.split("<row r=\"").enumerate() {
            let part = if at == 0 {
                part.to_owned()
            } else {
                format!("<row{}", &part[part.find('"').unwrap() + 1..])
            };
            out.push_str(&part);
        }
        let mut cells = String::new();
        for (at, part) in out.split("<c r=\"").enumerate() {
            let part =
                if at == 0 { part.to_owned() } else { format!("<c{}", &part[part.find('"').unwrap() + 1..]) };
            cells.push_str(&part);
        }
        cells
    };
    let as_it_is = |xml: String| xml;
    let spellings: [(&str, &dyn Fn(String) -> String); 3] =
        [("as it is", &as_it_is), ("prefixed", &prefixed), ("without names", &nameless)];
    // Without gaps, so that cells may stand without their names.
    let sheet = vec![
        vec![T("ID"), T("Name"), T("Limit")],
        vec![N(1.0), T("Alfa"), N(5.0)],
        vec![N(2.0), T("Beta"), N(6.0)],
    ];
    for (name, spelling) in spellings {
        let place = WorkbookFolder::with(&[("Customer", sheet.clone())]);
        let bytes = std::fs::read(place.path()).unwrap();
        let bytes = with_entry(&bytes, "xl/worksheets/sheet1.xml", |xml| {
            let spelt = spelling(xml);
            assert!(roxmltree::Document::parse(&spelt).is_ok(), "{name}: {spelt}");
            spelt
        });
        std::fs::write(place.path(), bytes).unwrap();
        let connection = place.connect();
        save(&connection, &[actor("Customer", "1", &[("NAME", Some("Alpha")), ("Limit", None)])]).unwrap();
        save(&connection, &[actor("Customer", "2", &[("Limit", Some("[I:7]"))])]).unwrap();
        let created = create(&connection, &actor("Customer", "", &[("Limit", Some("[I:8]"))])).unwrap();
        assert_eq!(created.key, "3", "{name}");
        let written = entry(&std::fs::read(place.path()).unwrap(), "xl/worksheets/sheet1.xml");
        assert!(roxmltree::Document::parse(&written).is_ok(), "{name}: {written}");
        let names: Vec<_> = actors(&reopened(&place), "Customer")
            .iter()
            .map(|actor| {
                (
                    actor.field("NAME").unwrap().map(str::to_owned),
                    actor.field("Limit").unwrap().map(str::to_owned),
                )
            })
            .collect();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            names,
            [(text("Alpha"), None), (text("Beta"), text("[I:7]")), (None, text("[I:8]"))],
            "{name}"
        );
    }
}

#[test]
fn lists_of_numbers_and_checkboxes_of_numbers_stay_numbers() {
    let place = WorkbookFolder::with(&[
        (
            "Customer",
            vec![vec![T("ID"), T("Terms"), T("Flag")], vec![N(1.0), N(10.0), N(1.0)], vec![N(2.0), E, E]],
        ),
        ("Terms", vec![vec![T("ID"), T("Text")], vec![N(10.0), T("10 days")], vec![N(30.0), T("30 days")]]),
        ("Fields", vec![vec![T("Column"), T("Type")], vec![T("Flag"), T("Checkbox")]]),
    ]);
    let connection = place.connect();
    let fields = [("Terms", Some("30")), ("Flag", Some("[I:0]"))];
    let saved = save(&connection, &[actor("Customer", "2", &fields)]).unwrap();
    assert_eq!(saved[0].fields, actor("", "", &fields).fields);
    let sheet = entry(&std::fs::read(place.path()).unwrap(), "xl/worksheets/sheet1.xml");
    assert!(sheet.contains("<c r=\"B3\"><v>30</v></c><c r=\"C3\"><v>0</v></c>"), "{sheet}");
}

#[test]
fn date_needs_a_date_format_or_becomes_a_text() {
    let place = WorkbookFolder::with(&[
        ("Customer", vec![vec![T("ID"), T("Since")], vec![N(1.0)]]),
        ("Fields", vec![vec![T("Column"), T("Type")], vec![T("Since"), T("Date")]]),
    ]);
    let since = Some("[DT:05/17/2026 10:00:00.0000000]");
    let saved = save(&place.connect(), &[actor("Customer", "1", &[("Since", since)])]).unwrap();
    assert_eq!(saved[0].field("Since"), Some(since));
    let sheet = entry(&std::fs::read(place.path()).unwrap(), "xl/worksheets/sheet1.xml");
    assert!(sheet.contains("2026-05-17T10:00:00"), "{sheet}");
    // .NET's empty date is none.
    let none = Some("[DT:01/01/0001 00:00:00.0000000]");
    assert_eq!(
        save(&place.connect(), &[actor("Customer", "1", &[("Since", none)])]).unwrap()[0].field("Since"),
        Some(None)
    );
}

#[test]
fn filled_cells_of_an_array_formula_are_not_written() {
    let place = WorkbookFolder::with(&[(
        "Customer",
        vec![vec![T("ID"), T("A")], vec![N(1.0), N(5.0)], vec![N(2.0), N(6.0)]],
    )]);
    let bytes = std::fs::read(place.path()).unwrap();
    let bytes = with_entry(&bytes, "xl/worksheets/sheet1.xml", |xml| {
        let new = xml.replace(
            "<c r=\"B2\"><v>5</v></c>",
            "<c r=\"B2\"><f t=\"array\" ref=\"B2:B3\">A2:A3+4</f><v>5</v></c>",
        );
        assert_ne!(new, xml);
        new
    });
    std::fs::write(place.path(), bytes).unwrap();
    let (text, _) = error_of(save(&place.connect(), &[actor("Customer", "2", &[("A", Some("[I:7]"))])]));
    assert!(text.contains("the cell B3 of the sheet Customer holds a formula"), "{text}");
}

#[test]
fn save_without_actors_changes_nothing() {
    let place = WorkbookFolder::with(&customers());
    let before = std::fs::read(place.path()).unwrap();
    assert_eq!(save(&place.connect(), &[]).unwrap(), []);
    assert_eq!(std::fs::read(place.path()).unwrap(), before);
}

fn any_text() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        " ",
        "\n",
        "\r\n",
        "\t",
        "\u{1}",
        "\u{1f}",
        "\u{7f}",
        "\u{85}",
        "\u{2028}",
        "\u{fffe}",
        "_x0041_",
        "_x005F_",
        "_X0041_",
        "&amp;",
        "<b>",
        "]]>",
        "\"'",
        "é",
        "日本語",
        "🦀",
        "\u{202e}",
        "=1+1",
        "0150",
        "#N/A",
    ]);
    prop::collection::vec(
        prop_oneof![
            odd.prop_map(str::to_owned),
            "\\PC{0,6}",
            // A NUL is refused.
            any::<char>().prop_filter("no NUL", |sign| *sign != '\0').prop_map(String::from)
        ],
        0..8,
    )
    .prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(160)))]

    #[test]
    fn any_text_reads_back_the_same(texts in prop::collection::vec(any_text(), 8)) {
        let place = WorkbookFolder::with(&[("Customer", vec![vec![T("ID"), T("Name"), T("Note")]])]);
        let connection = place.connect();
        let mut created = Vec::new();
        for pair in texts.chunks(2) {
            let fields = [("NAME", Some(pair[0].as_str())), ("Note", Some(pair[1].as_str()))];
            created.push(create(&connection, &actor("Customer", "", &fields)).unwrap());
        }
        let reopened = reopened(&place);
        for (actor, pair) in created.iter().zip(texts.chunks(2)) {
            prop_assert_eq!(actor.field("NAME"), Some(Some(pair[0].as_str())));
            let read = get(&reopened, "Customer", &actor.key);
            prop_assert_eq!(read.field("NAME"), Some(Some(pair[0].as_str())));
            prop_assert_eq!(read.field("Note"), Some(Some(pair[1].as_str())));
        }
    }

    #[test]
    fn any_number_reads_back_the_same(number in any::<f64>().prop_filter("finite", |number| number.is_finite()), whole in -9_007_199_254_740_991i64..=9_007_199_254_740_991) {
        let place = WorkbookFolder::with(&[("Customer", vec![vec![T("ID"), T("D"), T("I")], vec![N(1.0), N(0.5), N(1.0)]])]);
        let (double, integer) = (format!("[F:{number}]"), format!("[I:{whole}]"));
        let fields = [("D", Some(double.as_str())), ("I", Some(integer.as_str()))];
        save(&place.connect(), &[actor("Customer", "1", &fields)]).unwrap();
        let read = get(&reopened(&place), "Customer", "1");
        let value = read.field("D").unwrap().unwrap();
        let read_number: f64 = value.trim_start_matches(['[', 'F', 'I', ':']).trim_end_matches(']').parse().unwrap();
        prop_assert_eq!(read_number, number);
        prop_assert_eq!(read.field("I"), Some(Some(integer.as_str())));
    }
}

#[test]
fn writing_keeps_the_mode_of_the_file() {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let place = WorkbookFolder::with(&customers());
        std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o664)).unwrap();
        save(&place.connect(), &[actor("Customer", "1001", &[("NAME", Some("x"))])]).unwrap();
        assert_eq!(std::fs::metadata(place.path()).unwrap().permissions().mode() & 0o777, 0o664);
        std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o444)).unwrap();
        let connection = place.connect();
        let (text, _) = error_of(save(&connection, &[actor("Customer", "1001", &[("NAME", Some("y"))])]));
        assert!(text.contains("write-protected"), "{text}");
        let left: Vec<_> =
            std::fs::read_dir(place.folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".tmp")), "{left:?}");
        assert!(connection.test(&Context::default()).is_ok());
    }
}
