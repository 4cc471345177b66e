//! Filling in forms, and the problems that are reported.

use std::collections::BTreeMap;

use values::{Access, FieldType, LocalizedText};

use super::{Form, FormField, FormInput};

fn field(key: &str, field_type: FieldType) -> FormField {
    FormField {
        key: key.to_owned(),
        name: LocalizedText::parse(&format!("US:\"The {key}\";NO:\"Den {key}\"")),
        description: LocalizedText::default(),
        field_type,
        access: Access::Normal,
        list: None,
        default: None,
        max_length: 0,
        rank: 0,
    }
}

fn form() -> Form {
    let mut form = Form::new(vec![
        FormField { list: Some("Terms".to_owned()), ..field("Terms", FieldType::List) },
        FormField { access: Access::Mandatory, max_length: 10, rank: -1, ..field("Server", FieldType::Text) },
        FormField { default: Some("5".to_owned()), ..field("Days", FieldType::Integer) },
        field("ReadOnly", FieldType::Checkbox),
        field("Password", FieldType::Password),
        field("Hint", FieldType::Label),
        FormField { access: Access::ReadOnly, ..field("Version", FieldType::Text) },
    ]);
    form.set_list(
        "Terms",
        vec![("10".to_owned(), "Ten".to_owned()), ("30".to_owned(), "US:\"Thirty\"".to_owned())],
    );
    form
}

#[test]
fn fill_converts_values_to_their_wire_form_in_the_order_of_the_form() {
    let given =
        FormInput::from([("Server", "erp"), ("Terms", "thirty"), ("ReadOnly", "true"), ("Days", "7")]);
    let filled = form().fill(&given, &BTreeMap::new()).unwrap();
    let values: Vec<_> = filled.values.iter().map(|(key, value)| (key.as_str(), value.as_deref())).collect();
    assert_eq!(
        values,
        [
            ("Server", Some("erp")),
            ("Terms", Some("30")),
            ("Days", Some("[I:7]")),
            ("ReadOnly", Some("[I:1]")),
            ("Password", None),
            ("Version", None),
        ]
    );
}

#[test]
fn fill_takes_the_input_before_the_stored_value_before_the_default() {
    let stored =
        BTreeMap::from([("Server".to_owned(), "old".to_owned()), ("Days".to_owned(), "[I:9]".to_owned())]);
    let filled = form().fill(&FormInput::from([("Server", "new")]), &stored).unwrap();
    assert_eq!((filled.get("Server"), filled.get("Days")), (Some("new"), Some("[I:9]")));
    assert_eq!(filled.get("ReadOnly"), Some("[I:0]"), "a checkbox is ticked or not");
    let filled = form().fill(&FormInput::from([("Server", "x")]), &BTreeMap::new()).unwrap();
    assert_eq!(filled.get("Days"), Some("[I:5]"));
}

#[test]
fn fill_reports_every_problem_at_once() {
    type Case = (&'static [(&'static str, &'static str)], &'static [&'static str]);
    let cases: [Case; 7] = [
        (&[], &["mandatory", "Server (The Server)"]),
        (&[("Server", "")], &["mandatory"]),
        (&[("Server", "x"), ("Serve", "y")], &["no setting \"Serve\"", "Server, Terms"]),
        (&[("Server", "x"), ("Days", "many")], &["Days", "many", "whole number"]),
        (&[("Server", "longer than ten")], &["15 characters of 10"]),
        (
            &[("Server", "x"), ("Terms", "90"), ("Version", "2")],
            &["\"90\"", "10 Ten", "Version is read-only"],
        ),
        (&[("Server", "x"), ("Hint", "y")], &["no setting \"Hint\""]),
    ];
    for (given, expected) in cases {
        let mut filled = FormInput::default();
        given.iter().for_each(|(key, value)| filled.set_default(key, value));
        let error = form().fill(&filled, &BTreeMap::new()).unwrap_err().to_string();
        for part in expected {
            assert!(error.contains(part), "{given:?}: no {part:?} in {error}");
        }
    }
}

#[test]
fn show_uses_one_language_and_masks_secrets() {
    let given = FormInput::from([("Server", "erp"), ("Password", "hunter2")]);
    let filled = form().fill(&given, &BTreeMap::new()).unwrap();
    let shown = form().show("NO", Some(&filled));
    assert!(shown.starts_with("  Server"), "by rank: {shown}");
    for part in ["Den Server = erp", "Server  * ", "30 Thirty"] {
        assert!(shown.contains(part), "no {part:?} in {shown}");
    }
    assert!(!shown.contains("hunter2") && !format!("{filled:?} {given:?}").contains("hunter2"), "{shown}");
}
