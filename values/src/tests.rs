//! Unit tests.

use super::*;

#[test]
fn guids_read_all_dotnet_forms_and_write_d() {
    let wanted = "3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf";
    for form in [
        "3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf",
        "3AEF3AF6-8642-4FC1-8DC9-4E08BD76A6BF",
        "3aef3af686424fc18dc94e08bd76a6bf",
        "{3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf}",
        "(3AEF3AF6-8642-4fc1-8dc9-4e08bd76a6bf)",
        " 3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf ",
    ] {
        assert_eq!(form.parse::<Guid>().unwrap().to_string(), wanted, "{form}");
    }
}

#[test]
fn invalid_guids_are_refused_with_their_text() {
    for text in [
        "",
        "not a guid",
        "{3aef3af686424fc18dc94e08bd76a6bf}",
        "3aef3af6-8642-4fc1-8dc9-4e08bd76a6b",
        "3aef3af6+8642-4fc1-8dc9-4e08bd76a6bf",
        "3aef3af6-8642-4fc1-8dc9-4e08bd76a6bg",
        "{3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf)",
    ] {
        let error = text.parse::<Guid>().unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
    }
}

#[test]
fn typed_values_read_and_write() {
    for (wire, value) in [
        ("[I:123]", Value::Integer(123)),
        ("[I:-1]", Value::Integer(-1)),
        ("[F:1.5]", Value::Double(1.5)),
        ("[F:3]", Value::Double(3.0)),
        (
            "[DT:12/31/2013 23:59:59.0000000]",
            DateTime::from_date(2013, 12, 31).unwrap().at(23, 59, 59, 0).unwrap().into(),
        ),
        ("plain", "plain".into()),
        ("", "".into()),
        ("[I:abc]", "[I:abc]".into()),
        ("[I:1", "[I:1".into()),
        ("[F:NaN]", "[F:NaN]".into()),
    ] {
        assert_eq!(Value::from_wire(wire), value);
        assert_eq!(value.to_wire().unwrap(), wire);
    }
    assert_eq!(Value::from(true).to_wire().unwrap(), "[I:1]");
    assert_eq!(Value::from(None::<&str>).to_wire(), None);
    assert_eq!(Value::from(f64::NAN), Value::Null);
}

#[test]
fn values_of_a_known_type_are_read_leniently() {
    let date = DateTime::from_date(2026, 1, 2).unwrap();
    for (text, field_type, value) in [
        ("[I:1", FieldType::Integer, Value::Integer(1)),
        ("7", FieldType::Integer, Value::Integer(7)),
        ("[F:7]", FieldType::Integer, Value::Integer(7)),
        ("[I:2]", FieldType::Double, Value::Double(2.0)),
        ("2.5", FieldType::Double, Value::Double(2.5)),
        ("[I:1]", FieldType::Checkbox, Value::Checkbox(true)),
        ("False", FieldType::Checkbox, Value::Checkbox(false)),
        ("[DT:01/02/2026 00:00:00.0000000]", FieldType::Datetime, date.into()),
        ("2026-01-02", FieldType::Datetime, date.into()),
        ("[I:1]", FieldType::Text, "[I:1]".into()),
        ("", FieldType::Text, "".into()),
        ("", FieldType::Integer, Value::Null),
    ] {
        assert_eq!(Value::parse(text, field_type).unwrap(), value, "{text} as {field_type}");
    }
}

#[test]
fn values_of_the_wrong_type_give_an_error_with_the_expectation() {
    for (text, field_type, expected) in [
        ("many", FieldType::Integer, "whole number"),
        ("1.5", FieldType::Integer, "whole number"),
        ("inf", FieldType::Double, "[F:1.5]"),
        ("2", FieldType::Checkbox, "[I:1] or [I:0]"),
        ("02/30/2026", FieldType::Datetime, "[DT:"),
    ] {
        let error = Value::parse(text, field_type).unwrap_err().to_string();
        assert!(error.contains(text) && error.contains(expected), "{error}");
    }
}

/// Forms of the vendor's formatter that are read, and not written.
#[test]
fn money_and_dates_of_the_vendors_formatter_are_read() {
    let day = || Value::DateTime(DateTime::from_date(2017, 11, 9).unwrap());
    for (wire, value, field_type) in [
        ("[M:123.45]", Value::Double(123.45), FieldType::Double),
        ("[M:-5]", Value::Double(-5.0), FieldType::Double),
        ("[D:11/09/2017]", day(), FieldType::Datetime),
        ("[D:11/09/2017 00:00:00]", day(), FieldType::Datetime),
        ("[D:09.11.2017]", day(), FieldType::Datetime),
        ("[D:2017-11-09]", day(), FieldType::Datetime),
    ] {
        assert_eq!(Value::from_wire(wire), value, "{wire}");
        assert_eq!(Value::parse(wire, field_type).unwrap(), value, "{wire}");
        // Without its end, as a recorded client sends values.
        assert_eq!(Value::parse(&wire[..wire.len() - 1], field_type).unwrap(), value, "{wire}");
        assert!(!value.to_wire().unwrap().starts_with("[M:") && !value.to_wire().unwrap().starts_with("[D:"));
    }
    assert_eq!(Value::parse("[M:3]", FieldType::Integer).unwrap(), Value::Integer(3));
    for text in
        ["[M:a]", "[D:]", "[D:31.02.2017]", "[D:+9.11.2017]", "[D:13/31/2017]", "[D:9.11]", "[M:1", "[MM:1]"]
    {
        assert_eq!(Value::from_wire(text), Value::from(text), "{text}");
    }
    assert!(Value::parse("[D:31.02.2017]", FieldType::Datetime).is_err());
    // People type dots in other orders: they count only within the form.
    assert!(Value::parse("09.11.2017", FieldType::Datetime).is_err());
    assert_eq!(Value::parse("[M:1.5]", FieldType::Text).unwrap(), Value::from("[M:1.5]"));
}

#[test]
fn every_day_of_the_calendar_converts_both_ways() {
    let mut ticks = 0;
    while let Some(day) = DateTime::from_ticks(ticks) {
        let (year, month, number) = day.date();
        assert_eq!(DateTime::from_date(year, month, number), Some(day));
        ticks += 86_400 * 10_000_000;
    }
    assert_eq!(DateTime::from_ticks(ticks - 1).unwrap().to_string(), "12/31/9999 23:59:59.9999999");
}

#[test]
fn dates_read_both_forms_and_refuse_impossible_ones() {
    let moment: DateTime = "5/3/2013 13:50:45.5".parse().unwrap();
    assert_eq!(moment.to_sortable(), "2013-05-03T13:50:45.5000000");
    assert_eq!(DateTime::parse_sortable("2013-05-03T13:50:45.5Z").unwrap(), moment);
    assert_eq!(moment.without_seconds().to_sortable(), "2013-05-03T13:50:00.0000000");
    for text in [
        "",
        "2/29/2025",
        "13/01/2025",
        "1/1/0",
        "1/1/2025 24:00",
        "1/1/2025 1",
        "1/1/2025 1:2:3.12345678",
        "x/1/2025",
    ] {
        assert!(text.parse::<DateTime>().is_err(), "{text}");
    }
}

#[test]
fn unix_time_is_counted_from_1970() {
    let moment = std::time::UNIX_EPOCH + std::time::Duration::new(951_782_400, 700);
    assert_eq!(DateTime::from_system_time(moment).to_sortable(), "2000-02-29T00:00:00.0000007");
}

#[test]
fn localised_texts_read_and_write() {
    for (wire, texts) in [
        (r#"US:"File name";NO:"Filnavn""#, vec![("US", "File name"), ("NO", "Filnavn")]),
        (r#"US:"A "quoted" word";NO:"x""#, vec![("US", r#"A "quoted" word"#), ("NO", "x")]),
        ("Plain", vec![("", "Plain")]),
        (r#"Error: "x" is wrong"#, vec![("", r#"Error: "x" is wrong"#)]),
        ("", vec![("", "")]),
        (r#"US:"one;two""#, vec![("US", "one;two")]),
        (r#"US:"cut off"#, vec![("", r#"US:"cut off"#)]),
        (r#"US:"a";NO:"#, vec![("", r#"US:"a";NO:"#)]),
        (r#"US:"a";NO:"cut off"#, vec![("", r#"US:"a";NO:"cut off"#)]),
    ] {
        let text = LocalizedText::parse(wire);
        assert_eq!(text.iter().collect::<Vec<_>>(), texts);
        assert_eq!(text.to_string(), wire);
    }
    let text = LocalizedText::parse(r#"NO:"Filnavn";US:"File name""#);
    assert_eq!((text.get("no"), text.get("GE"), text.get("US")), ("Filnavn", "File name", "File name"));
}

#[test]
fn names_read_exactly_and_errors_list_the_known_ones() {
    for &state in State::ALL {
        assert_eq!(state.as_str().parse::<State>().unwrap(), state);
    }
    assert_eq!(Operator::ALL.len(), 20);
    assert!(!State::Error.is_ok() && State::Warning.is_ok());
    let error = "text".parse::<FieldType>().unwrap_err().to_string();
    assert!(error.contains("\"text\"") && error.contains("Checkbox, Text"), "{error}");
}
