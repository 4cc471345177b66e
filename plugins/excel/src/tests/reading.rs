use erp_host_conformance::testing::collect;
use plugin_api::{Access, Connection, FieldType, Operator, Restriction, State, actor_type};

use proptest::prelude::*;
use test_support::scale::cases;

use super::kit::*;

fn field_types(place: &WorkbookFolder, actor_type: &str) -> Vec<(String, FieldType)> {
    let fields = place.connect().fields(&Context::default(), actor_type).unwrap();
    fields.into_iter().map(|field| (field.key, field.field_type)).collect()
}

fn values(place: &WorkbookFolder, key: &str) -> Vec<Option<String>> {
    let all = actors(&place.connect(), "Customer");
    all.iter().map(|actor| actor.field(key).unwrap().map(str::to_owned)).collect()
}

#[test]
fn workbook_is_read_as_actors_fields_and_lists() {
    let place = WorkbookFolder::with(&customers());
    let connection = place.connect();
    assert_eq!(actor_types(&connection), ["Customer"]);
    assert_eq!(
        field_types(&place, "Customer"),
        [
            ("NAME", FieldType::Text),
            ("POSTALZIP", FieldType::Text),
            ("Limit", FieldType::Integer),
            ("Since", FieldType::Datetime),
            ("Active", FieldType::Checkbox),
            ("Category", FieldType::List),
        ]
        .map(|(key, field_type)| (key.to_owned(), field_type))
    );
    let alfa = get(&connection, "Customer", "1001");
    assert_eq!(alfa.last_modified.as_deref(), Some("2026-01-01T12:00:00.0000000"));
    assert_eq!(
        alfa.fields,
        actor(
            "Customer",
            "",
            &[
                ("NAME", Some("Alfa")),
                ("POSTALZIP", Some("0150")),
                ("Limit", Some("[I:10]")),
                ("Since", Some("[DT:01/01/2020 00:00:00.0000000]")),
                ("Active", Some("[I:1]")),
                ("Category", Some("A")),
            ]
        )
        .fields
    );
    let gamma = get(&connection, "Customer", "1003");
    assert!(gamma.fields[1..].iter().all(|(_, value)| value.is_none()));
    let list = connection.list(&Context::default(), "category").unwrap().unwrap();
    assert_eq!(
        list.iter().map(|item| (item.key.as_str(), item.text.as_str())).collect::<Vec<_>>(),
        [("A", "Large"), ("B", "Small")]
    );
    assert_eq!(connection.list(&Context::default(), "Nothing").unwrap(), None);
    let outcome = outcome_of_test(&connection);
    assert_eq!(outcome.state, State::Ok, "{outcome:?}");
    assert!(outcome.tech.unwrap().contains("3 Customer"));
}

#[test]
fn types_are_inferred_from_cells_and_their_formats() {
    for (cells, field_type) in [
        (vec![N(1.0), E, N(2.0)], FieldType::Integer),
        (vec![N(1.0), N(2.5)], FieldType::Double),
        (vec![F(Some(1.0), "0.00"), F(Some(2.0), "0.00")], FieldType::Double),
        (vec![F(Some(0.25), "0%")], FieldType::Double),
        (vec![F(Some(150.0), "0000")], FieldType::Text),
        (vec![F(Some(1.0), "@")], FieldType::Text),
        (vec![D("2026-01-01")], FieldType::Datetime),
        (vec![D("2026-01-01"), T("soon")], FieldType::Text),
        (vec![B(true), E], FieldType::Checkbox),
        (vec![B(true), N(1.0)], FieldType::Text),
        (vec![T("x")], FieldType::Text),
        (vec![T(""), N(1.0)], FieldType::Integer),
        (vec![E], FieldType::Text),
        (vec![F(None, "yyyy-mm-dd")], FieldType::Datetime),
        (vec![F(None, "0.00")], FieldType::Double),
        (vec![X("=1/0", "#DIV/0!"), N(1.0)], FieldType::Integer),
    ] {
        let mut rows = vec![vec![T("ID"), T("Thing")]];
        rows.extend((0..).zip(cells.clone()).map(|(id, cell)| vec![N(f64::from(id)), cell]));
        let place = WorkbookFolder::with(&[("Customer", rows)]);
        assert_eq!(field_types(&place, "Customer"), [("Thing".to_owned(), field_type)], "{cells:?}");
    }
}

#[test]
fn text_column_shows_what_the_cells_show() {
    let cells = [
        (N(1001.0), "1001"),
        (N(2.5), "2.5"),
        (F(Some(150.0), "0000"), "0150"),
        (F(Some(2.0), "0.00"), "2.00"),
        (B(true), "TRUE"),
        (D("2026-01-31"), "2026-01-31"),
        (D("2026-01-31T10:00:00"), "2026-01-31 10:00:00"),
        (T("  two  spaces "), "  two  spaces "),
        (T("løp & <hopp> \"日本\" 🦀"), "løp & <hopp> \"日本\" 🦀"),
        (X("=\"a\"&\"b\"", "ab"), "ab"),
    ];
    let mut rows = vec![vec![T("ID"), T("Name")]];
    rows.extend((1..).zip(&cells).map(|(id, (cell, _))| vec![N(f64::from(id)), cell.clone()]));
    let place = WorkbookFolder::with(&[("Customer", rows)]);
    let shown: Vec<_> = cells.iter().map(|(_, shown)| Some((*shown).to_owned())).collect();
    assert_eq!(values(&place, "NAME"), shown);
}

#[test]
fn column_names_map_to_superoffice_keys() {
    for (actor_type, heading, key) in [
        (actor_type::CUSTOMER, "Nm", "NAME"),
        (actor_type::SUPPLIER, "NAME", "NAME"),
        (actor_type::CUSTOMER, "Ad1", "POSTALAD1"),
        (actor_type::CUSTOMER, "Zip code", "POSTALZIP"),
        (actor_type::PARTNER, "City", "POSTALCITY"),
        (actor_type::CUSTOMER, "E-mail", "EMAIL"),
        (actor_type::CUSTOMER, "WWW", "URL"),
        (actor_type::CUSTOMER, "Org. nr", "VATNO"),
        (actor_type::PERSON, "Phone", "PHONE_DIRECT"),
        (actor_type::PERSON, "First name", "FIRSTNAME"),
        (actor_type::PROJECT, "Description", "TEXT"),
        (actor_type::PROJECT, "Zip", "Zip"),
        (actor_type::CUSTOMER, "Credit Limit", "Credit Limit"),
    ] {
        let place =
            WorkbookFolder::with(&[(actor_type, vec![vec![T("ID"), T(heading)], vec![N(1.0), N(22.0)]])]);
        let fields = place.connect().fields(&Context::default(), actor_type).unwrap();
        assert_eq!(
            (fields[0].key.as_str(), fields[0].label.as_deref()),
            (key, Some(heading)),
            "{actor_type}"
        );
        let expected = if key == heading && key != "NAME" { FieldType::Integer } else { FieldType::Text };
        assert_eq!(fields[0].field_type, expected, "{heading}");
    }
}

#[test]
fn sheet_fields_overrides_columns() {
    let mut sheets = customers();
    sheets.push((
        "Fields",
        vec![
            ["ActorType", "Column", "FieldKey", "Label", "Type", "List", "Access", "MaxLength", "Rank"]
                .map(T)
                .to_vec(),
            vec![
                T("customer"),
                T("name"),
                T("NAME"),
                T("US:\"Name\";NO:\"Navn\""),
                E,
                E,
                T("mandatory"),
                N(40.0),
                N(9.0),
            ],
            vec![T("*"), T("Limit"), T("LIMIT"), E, T("Double"), E, T("ReadOnly")],
            vec![E, T("Zip"), E, E, T("List"), T("Category")],
            vec![T("Customer"), T("Nowhere"), T("X")],
            vec![T("Customer"), T("Since"), E, E, T("Colour")],
            vec![T("Dog"), T("Name")],
        ],
    ));
    let place = WorkbookFolder::with(&sheets);
    let connection = place.connect();
    let fields = connection.fields(&Context::default(), "Customer").unwrap();
    assert_eq!(fields[0].label.as_deref(), Some("US:\"Name\";NO:\"Navn\""));
    assert_eq!((fields[0].access, fields[0].max_length, fields[0].rank), (Access::Mandatory, 40, Some(9)));
    assert_eq!((fields[1].field_type, fields[1].list.as_deref()), (FieldType::List, Some("Category")));
    assert_eq!(
        (fields[2].key.as_str(), fields[2].field_type, fields[2].access),
        ("LIMIT", FieldType::Double, Access::ReadOnly)
    );
    assert_eq!(get(&connection, "Customer", "1001").field("LIMIT"), Some(Some("[F:10]")));
    let outcome = outcome_of_test(&connection);
    let text = outcome.user.unwrap();
    assert_eq!(outcome.state, State::Warning);
    for part in ["\"Nowhere\" in row 5", "\"Colour\" is no type", "without a sheet: Dog"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn columns_that_are_formulas_are_read_only() {
    let place = WorkbookFolder::with(&[(
        "Customer",
        vec![
            vec![T("ID"), T("Name"), T("Total"), T("Mixed")],
            vec![N(1.0), T("Alfa"), X("=1+1", "2"), X("=1+2", "3")],
            vec![N(2.0), T("Beta"), X("=2+2", "4"), N(5.0)],
        ],
    )]);
    let connection = place.connect();
    let access: Vec<_> = connection
        .fields(&Context::default(), "Customer")
        .unwrap()
        .iter()
        .map(|field| field.access)
        .collect();
    assert_eq!(access, [Access::Normal, Access::ReadOnly, Access::Normal]);
    assert_eq!(get(&connection, "Customer", "2").field("Total"), Some(Some("[I:4]")));
}

#[test]
fn parents_come_from_their_columns() {
    let mut sheets = customers();
    sheets.push((
        "person",
        vec![
            vec![T("Last name"), T("Parent ID"), T("ParentType"), T("ID")],
            vec![T("Ås"), N(1001.0), T("customer"), N(1.0)],
            vec![T("Berg"), N(1002.0), E, N(2.0)],
            vec![T("Dal"), E, T("Customer"), N(3.0)],
        ],
    ));
    let place = WorkbookFolder::with(&sheets);
    let connection = place.connect();
    let parents: Vec<_> = actors(&connection, "Person")
        .into_iter()
        .map(|actor| actor.parent.map(|parent| (parent.actor_type, parent.key)))
        .collect();
    let customer = |key: &str| Some(("Customer".to_owned(), key.to_owned()));
    assert_eq!(parents, [customer("1001"), customer("1002"), None]);
    assert_eq!(connection.fields(&Context::default(), "Person").unwrap().len(), 1);
    let restrictions = [
        Restriction::new(Restriction::PARENT_TYPE, Operator::Equal, ["Customer"]),
        Restriction::new(Restriction::PARENT_KEY, Operator::Equal, ["1002"]),
    ];
    let found =
        collect("Person", None, |cx, rows| connection.search(cx, "Person", &restrictions, rows)).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].key, "2");
}

#[test]
fn searches_read_the_file_once() {
    let mut rows = vec![vec![T("ID"), T("Name"), T("LastModified")]];
    rows.extend(
        (1..=10_000u32).map(|id| vec![N(f64::from(id)), if id == 7777 { T("Needle") } else { T("Hay") }, E]),
    );
    let place = WorkbookFolder::with(&[("Customer", rows)]);
    let connection = place.connect();
    for _ in 0..3 {
        let needle = [Restriction::new("NAME", Operator::Begins, ["need"])];
        let found =
            collect("Customer", None, |cx, rows| connection.search(cx, "Customer", &needle, rows)).unwrap();
        assert_eq!(found.iter().map(|actor| actor.key.as_str()).collect::<Vec<_>>(), ["7777"]);
        let found =
            collect("Customer", None, |cx, rows| connection.search_text(cx, "Customer", "EEDL", None, rows))
                .unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(get(&connection, "Customer", "9999").field("NAME"), Some(Some("Hay")));
        assert_eq!(actors(&connection, "Customer").len(), 10_000);
    }
    // Another connection to the same workbook shares what was read.
    assert_eq!(actors(&place.connect(), "Customer").len(), 10_000);
    assert_eq!(connection.file().loads(), 1);
}

#[test]
fn only_wanted_fields_are_sent_and_unknown_keys_are_left_out() {
    let place = WorkbookFolder::with(&customers());
    let connection = place.connect();
    let keys = ["1002", "nobody", "1001"];
    let found = collect("Customer", Some(&["NAME", "NOTHING"]), |cx, rows| {
        connection.get(cx, "Customer", &keys, rows)
    })
    .unwrap();
    let names: Vec<_> =
        found.iter().map(|actor| (actor.key.as_str(), actor.fields.len(), actor.field("NAME"))).collect();
    assert_eq!(names, [("1002", 1, Some(Some("Beta"))), ("1001", 1, Some(Some("Alfa")))]);
    assert!(
        connection
            .fields(&Context::default(), "Dog")
            .unwrap_err()
            .user_text()
            .contains("no sheet for the actor type \"Dog\"")
    );
}

#[test]
fn duplicate_and_missing_ids_give_warnings() {
    let place = WorkbookFolder::with(&[
        (
            "Customer",
            vec![
                vec![T("Name"), T("ID"), T("name")],
                vec![T("Alfa"), N(1.0)],
                vec![T("No key")],
                vec![T("Again"), N(1.0)],
                vec![E, F(None, "0.00")],
                vec![T("Beta"), N(2.0)],
            ],
        ),
        ("Supplier", vec![vec![T("Name")], vec![T("No ID column")]]),
        (
            "Colours",
            vec![
                vec![T("ID"), T("Text")],
                vec![T("R"), T("Red")],
                vec![T("R"), T("Rot")],
                vec![E, T("Blue")],
            ],
        ),
    ]);
    let connection = place.connect();
    assert_eq!(actor_types(&connection), ["Customer"]);
    assert_eq!(actors(&connection, "Customer").len(), 2);
    assert_eq!(get(&connection, "Customer", "1").field("NAME"), Some(Some("Alfa")));
    let outcome = outcome_of_test(&connection);
    assert_eq!(outcome.state, State::Warning);
    let text = outcome.user.unwrap();
    for part in [
        "rows without an ID, they are left out: 3",
        "an ID twice, the first row counts: 1 in row 2 and 4",
        "the sheet Supplier has no column \"ID\"",
        "two columns \"name\"",
        "the list Colours has an ID twice, the first row counts: R in row 3",
        "the list Colours has rows without an ID, they are left out: 4",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn other_files_are_refused_with_the_reason() {
    let place = WorkbookFolder::new();
    let whole = make(&customers()).save_to_buffer().unwrap();
    for (bytes, part) in [
        (&b""[..], "the file is empty"),
        (b"Name;City\n", "expected .xlsx or .xlsm"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 and more", "protected by a password"),
        (&whole[..whole.len() / 2], "damaged or only half written"),
    ] {
        std::fs::write(place.path(), bytes).unwrap();
        let refusal = place.refusal();
        assert!(refusal.contains(part), "{part}: {refusal}");
    }
    write(&place.path(), &[("Sheet1", vec![vec![T("ID")]])]);
    assert!(place.refusal().contains("no sheet of actors"), "{}", place.refusal());
    write(&place.path(), &[("Customer", vec![vec![T("Name")]])]);
    assert!(place.refusal().contains("the sheet Customer has no column \"ID\""), "{}", place.refusal());
    write(&place.path(), &[("Customer", vec![])]);
    assert!(place.refusal().contains("the sheet Customer has no column \"ID\""), "{}", place.refusal());
}

#[test]
fn both_date_systems_are_honoured() {
    let place = WorkbookFolder::with(&customers());
    let bytes = std::fs::read(place.path()).unwrap();
    let old = super::archive::with_entry(&bytes, "xl/workbook.xml", |xml| {
        assert!(xml.contains("<workbookPr "));
        xml.replace("<workbookPr ", "<workbookPr date1904=\"1\" ")
    });
    std::fs::write(place.path(), old).unwrap();
    let connection = place.connect();
    // The same number of days, counted from four years and a day later.
    assert_eq!(
        get(&connection, "Customer", "1001").field("Since"),
        Some(Some("[DT:01/02/2024 00:00:00.0000000]"))
    );
    let since = Some("[DT:05/17/1905 10:30:00.0000000]");
    let saved = save(&connection, &[actor("Customer", "1001", &[("Since", since)])]).unwrap();
    assert_eq!(saved[0].field("Since"), Some(since));
    assert_eq!(get(&place.connect_at(0), "Customer", "1001").field("Since"), Some(since));
}

/// A workbook whose sheets, styles or parts are damaged at one place.
fn damaged() -> impl Strategy<Value = (usize, prop::sample::Index, prop::sample::Index, String)> {
    let junk = prop_oneof![
        Just(String::new()),
        prop::sample::select(vec![
            "<",
            ">",
            "\"",
            "/>",
            "</c>",
            "<c",
            "<f>",
            " r=\"A0\"",
            " r=\"ZZZZZZZ9999999999\"",
            "&x;",
            "<!--",
            "]]>",
            "99999999999",
            "-1",
            "\0",
            "é"
        ])
        .prop_map(str::to_owned),
        ".{0,3}",
    ];
    (0..4usize, any::<prop::sample::Index>(), any::<prop::sample::Index>(), junk)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(1_000)))]

    #[test]
    fn damaged_workbook_is_read_or_refused((part, from, to, junk) in damaged()) {
        let parts = ["xl/worksheets/sheet1.xml", "xl/workbook.xml", "xl/styles.xml", "xl/_rels/workbook.xml.rels"];
        let bytes = make(&customers()).save_to_buffer().unwrap();
        let bytes = super::archive::with_entry(&bytes, parts[part], |xml| {
            let places: Vec<usize> = xml.char_indices().map(|(at, _)| at).collect();
            let from = places[from.index(places.len())];
            let to = places[to.index(places.len())];
            // Mostly a small hole, now and then a large one.
            let to = if to.is_multiple_of(4) { to.max(from) } else { from };
            [&xml[..from], &junk, &xml[to..]].concat()
        });
        let place = WorkbookFolder::new();
        std::fs::write(place.path(), &bytes).unwrap();
        if let Ok(connection) = place.try_connect() {
            outcome_of_test(&connection);
            let written = save(&connection, &[actor("Customer", "1001", &[("NAME", Some("x"))])]);
            if written.is_err() {
                prop_assert!(std::fs::read(place.path()).unwrap() == bytes);
            }
        }
    }
}
