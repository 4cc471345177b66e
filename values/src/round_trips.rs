//! Property tests: what is written reads as itself, and no text makes a reader panic.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

fn text() -> impl Strategy<Value = String> {
    let awkward = select(
        &["\"", ";", ":", "US:\"", "\";NO:\"", "[I:", "[F:", "[DT:", "]", "-", "{", "é", " ", "1", ".", "/"]
            [..],
    );
    let piece = prop_oneof![awkward.prop_map(str::to_owned), any::<char>().prop_map(String::from)];
    vec(piece, 0..10).prop_map(|pieces| pieces.concat())
}

fn date_time() -> impl Strategy<Value = DateTime> {
    let last: DateTime = "12/31/9999 23:59:59.9999999".parse().unwrap();
    (0..=last.ticks()).prop_map(|ticks| DateTime::from_ticks(ticks).unwrap())
}

proptest! {
    #[test]
    fn round_trip_of_guids_in_every_form(bits: u128, upper: bool) {
        let guid = Guid::from_u128(bits);
        let hyphenated = guid.to_string();
        let plain = hyphenated.replace('-', "");
        for form in [hyphenated.clone(), plain, format!("{{{hyphenated}}}"), format!("({hyphenated})")] {
            let form = if upper { form.to_uppercase() } else { form };
            prop_assert_eq!(form.parse(), Ok(guid));
        }
    }

    #[test]
    fn round_trip_and_order_of_dates_in_both_forms(a in date_time(), b in date_time()) {
        prop_assert_eq!(a.to_string().parse(), Ok(a));
        prop_assert_eq!(DateTime::parse_sortable(&a.to_sortable()), Ok(a));
        prop_assert_eq!(a.cmp(&b), a.to_sortable().cmp(&b.to_sortable()));
        let ((year, month, day), (hour, minute, second, ticks)) = (a.date(), a.time());
        let built = DateTime::from_date(year, month, day).and_then(|date| date.at(hour, minute, second, ticks));
        prop_assert_eq!(built, Some(a));
    }

    #[test]
    fn round_trip_of_typed_values(number: i64, double: f64, on: bool, date in date_time()) {
        for (value, field_type) in [
            (Value::Integer(number), FieldType::Integer),
            (Value::from(double), FieldType::Double),
            (Value::Checkbox(on), FieldType::Checkbox),
            (Value::DateTime(date), FieldType::Datetime),
        ] {
            let Some(wire) = value.to_wire().map(String::from) else {
                prop_assert!(!double.is_finite());
                continue;
            };
            prop_assert_eq!(Value::parse(&wire, field_type), Ok(value.clone()));
            let by_form = Value::from_wire(&wire);
            match value {
                Value::Checkbox(on) => prop_assert_eq!(by_form, Value::Integer(on.into())),
                other => prop_assert_eq!(by_form, other),
            }
        }
    }

    /// A text that looks like a typed value means that value; every other one stays as it is.
    #[test]
    fn round_trip_of_any_text_as_a_value(text in text()) {
        let value = Value::from_wire(&text);
        if let Value::Text(same) = &value {
            prop_assert_eq!(same.as_ref(), text.as_str());
        }
        let again = value.to_string();
        prop_assert_eq!(Value::from_wire(&again), value);
        for &field_type in FieldType::ALL {
            if let Err(error) = Value::parse(&text, field_type) {
                prop_assert_eq!(error.expected, field_type);
            }
        }
    }

    #[test]
    fn round_trip_of_localised_texts(texts in vec(("[A-Z]{2}", "[^\"]{0,10}"), 1..4)) {
        let mut text = LocalizedText::default();
        for (language, words) in &texts {
            text = text.with(language, words);
        }
        prop_assert_eq!(LocalizedText::parse(&text.to_string()), text);
    }

    /// Reading and writing any text loses nothing of it.
    #[test]
    fn round_trip_of_any_text_as_a_localised_one(text in text()) {
        let read = LocalizedText::parse(&text);
        if read.iter().all(|(language, _)| language.is_empty()) {
            prop_assert_eq!(read.to_string(), text.as_str());
        }
        prop_assert_eq!(LocalizedText::parse(&read.to_string()), read);
    }
}
