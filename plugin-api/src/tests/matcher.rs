//! Every operator on every field type: what it finds, what it does not, and what is refused.

use proptest::prelude::*;

use crate::Operator as Op;
use crate::{Actor, DateTime, Field, FieldType, Matcher, Operator, Restriction, Value, error_code};

const KEY: &str = "FIELD";

fn field(field_type: FieldType) -> Field {
    Field::new(KEY, field_type)
}

/// `None` is null here; an actor without the field must behave the same.
fn matches(matcher: &Matcher, value: Option<&str>) -> bool {
    let found = matcher.matches(&Actor::new("Customer", "1").with(KEY, value));
    if value.is_none() {
        assert_eq!(found, matcher.matches(&Actor::new("Customer", "1")), "absent is as null");
    }
    found
}

fn matcher(field_type: FieldType, operator: Operator, values: &[&str]) -> Matcher {
    Matcher::new(&[Restriction::new(KEY, operator, values.iter().copied())], &[field(field_type)]).unwrap()
}

fn refusal(field_type: FieldType, operator: Operator, values: &[&str]) -> String {
    let restrictions = [Restriction::new(KEY, operator, values.iter().copied())];
    Matcher::new(&restrictions, &[field(field_type)]).unwrap_err().user_text()
}

type Case<'a> = (FieldType, Operator, &'a [&'a str], &'a [Option<&'a str>], &'a [Option<&'a str>]);

fn check(cases: &[Case<'_>]) {
    for &(field_type, operator, values, hits, misses) in cases {
        let matcher = matcher(field_type, operator, values);
        for &hit in hits {
            assert!(matches(&matcher, hit), "{hit:?} {operator} {values:?} as {field_type} should match");
        }
        for &miss in misses {
            assert!(
                !matches(&matcher, miss),
                "{miss:?} {operator} {values:?} as {field_type} should not match"
            );
        }
    }
}

#[test]
fn matcher_compares_text() {
    let t = FieldType::Text;
    check(&[
        (
            t,
            Op::Equal,
            &["Bergen"],
            &[Some("Bergen"), Some("BERGEN")],
            &[Some("Berge"), Some("Bergen "), Some(""), None],
        ),
        (t, Op::Equal, &["Sønner Æ"], &[Some("sØNNER æ")], &[Some("sonner ae")]),
        (
            t,
            Op::Equal,
            &["Straße"],
            &[Some("STRASSE"), Some("strasse"), Some("straße"), Some("STRAẞE")],
            &[Some("strase")],
        ),
        (t, Op::Equal, &["ΟΔΟΣ"], &[Some("οδος"), Some("οδοσ")], &[Some("οδο")]),
        (t, Op::Equal, &[""], &[Some(""), None], &[Some(" "), Some("x")]),
        (t, Op::Equal, &[], &[Some(""), None], &[Some("x")]),
        (t, Op::IsNot, &["Bergen"], &[Some("Oslo"), Some(""), None], &[Some("bergen")]),
        (t, Op::IsNot, &[""], &[Some("x")], &[Some(""), None]),
        (
            t,
            Op::Begins,
            &["ber"],
            &[Some("Bergen"), Some("BER")],
            &[Some("be"), Some("åber"), Some(""), None],
        ),
        (t, Op::Begins, &["Åse"], &[Some("åsen AS")], &[Some("asen"), Some("xåsen")]),
        (t, Op::Begins, &[""], &[Some("x"), Some("æ"), Some(""), None], &[]),
        (
            t,
            Op::Contains,
            &["GE"],
            &[Some("Bergen"), Some("ge"), Some("øge")],
            &[Some("g e"), Some("g"), Some(""), None],
        ),
        (t, Op::Contains, &["ØNNE"], &[Some("Sønner"), Some("sønne")], &[Some("Sonner"), Some("Sønn")]),
        (t, Op::Contains, &["aab"], &[Some("aaab"), Some("ÆAAAB")], &[Some("aa b")]),
        (t, Op::Contains, &["sa"], &[Some("Rußa")], &[Some("Ruß a")]),
        (
            t,
            Op::Ends,
            &["GEN"],
            &[Some("Bergen"), Some("gen"), Some("øgen")],
            &[Some("genx"), Some("en"), Some(""), None],
        ),
        (t, Op::Ends, &["ÅS"], &[Some("Vestås")], &[Some("ås!"), Some("as")]),
        (t, Op::NotBegins, &["ber"], &[Some("Oslo"), Some(""), None], &[Some("Bergen")]),
        (t, Op::NotContains, &["rg"], &[Some("Oslo"), Some(""), None], &[Some("BERGEN")]),
        (t, Op::NotEnds, &["en"], &[Some("Oslo"), Some(""), None], &[Some("BERGEN")]),
        (t, Op::NotContains, &[""], &[], &[Some("x"), Some(""), None]),
        (
            t,
            Op::Between,
            &["b", "D"],
            &[Some("B"), Some("Carl"), Some("d")],
            &[Some("a"), Some("da"), Some(""), None],
        ),
        (t, Op::Between, &["æ", "ø"], &[Some("Æ"), Some("Ø")], &[Some("z"), Some("å"), Some("øa")]),
        (t, Op::Between, &["d", "b"], &[], &[Some("c"), None]),
        // Text is text, whatever it looks like.
        (t, Op::Equal, &["[i:5]"], &[Some("[I:5]")], &[Some("5")]),
    ]);
}

#[test]
fn matcher_compares_numbers() {
    let (i, d) = (FieldType::Integer, FieldType::Double);
    for t in [i, d] {
        check(&[
            (
                t,
                Op::Equal,
                &["[I:5]"],
                &[Some("[I:5]"), Some("5"), Some("[F:5]")],
                &[Some("[I:6]"), Some("[I:-5]"), Some(""), None],
            ),
            (t, Op::Equal, &[""], &[Some(""), None], &[Some("[I:0]"), Some("x")]),
            (t, Op::Equal, &[], &[None], &[Some("[I:0]")]),
            (t, Op::NotEqual, &["[I:5]"], &[Some("[I:6]"), Some(""), None], &[Some("[I:5]"), Some("many")]),
            (t, Op::NotEqual, &[""], &[Some("[I:0]")], &[Some(""), None]),
            (t, Op::Greater, &["[I:5]"], &[Some("[I:6]")], &[Some("[I:5]"), Some("[I:4]"), None]),
            (
                t,
                Op::Less,
                &["[I:5]"],
                &[Some("[I:4]"), Some("[I:-9]")],
                &[Some("[I:5]"), Some("[I:6]"), None],
            ),
            (t, Op::GreaterOrEqual, &["[I:5]"], &[Some("[I:5]"), Some("[I:6]")], &[Some("[I:4]"), None]),
            (t, Op::LessOrEqual, &["[I:5]"], &[Some("[I:5]"), Some("[I:4]")], &[Some("[I:6]"), None]),
            (
                t,
                Op::Between,
                &["[I:1", "[I:3]"],
                &[Some("[I:1]"), Some("[I:2]"), Some("[I:3]")],
                &[Some("[I:0]"), Some("[I:4]"), None],
            ),
            (t, Op::Between, &["[I:3]", "[I:1]"], &[], &[Some("[I:2]")]),
            (t, Op::Less, &["10"], &[Some("9")], &[Some("many"), Some("[I:x]"), Some(" ")]),
        ]);
    }
    check(&[
        (
            i,
            Op::Equal,
            &["9223372036854775807"],
            &[Some("[I:9223372036854775807]")],
            &[Some("[I:9223372036854775806]")],
        ),
        (i, Op::Greater, &["0"], &[], &[Some("[F:1.5]"), Some("[I:9223372036854775808]")]),
        (d, Op::Equal, &["1.5"], &[Some("[F:1.5]"), Some("[F:1.50]")], &[Some("[F:1.51]")]),
        (
            d,
            Op::Between,
            &["[F:-0.5]", "[F:0.5]"],
            &[Some("[F:-0.5]"), Some("[I:0]"), Some("[F:0.5]")],
            &[Some("[F:0.51]"), Some("[F:NaN]")],
        ),
    ]);
}

#[test]
fn matcher_compares_checkboxes() {
    let t = FieldType::Checkbox;
    check(&[
        (
            t,
            Op::Equal,
            &["[I:1]"],
            &[Some("[I:1]"), Some("1"), Some("True")],
            &[Some("[I:0]"), Some("[I:2]"), Some(""), None],
        ),
        (
            t,
            Op::Equal,
            &["[I:0]"],
            &[Some("[I:0]"), Some("false")],
            &[Some("[I:1]"), Some("no"), Some(""), None],
        ),
        (t, Op::Equal, &[""], &[Some(""), None], &[Some("[I:0]"), Some("[I:1]")]),
    ]);
}

#[test]
fn matcher_compares_lists() {
    let t = FieldType::List;
    check(&[
        (
            t,
            Op::OneOf,
            &["a", "b"],
            &[Some("a"), Some("b")],
            &[Some("A"), Some("c"), Some("ab"), Some(""), None],
        ),
        (t, Op::OneOf, &["a"], &[Some("a")], &[Some("b")]),
        (t, Op::OneOf, &["", "a"], &[Some(""), None, Some("a")], &[Some("b")]),
        (t, Op::OneOf, &[], &[], &[Some("a"), Some(""), None]),
        (t, Op::NotOneOf, &["a", "b"], &[Some("A"), Some("c"), Some(""), None], &[Some("a"), Some("b")]),
        (t, Op::NotOneOf, &["", "a"], &[Some("b")], &[Some("a"), Some(""), None]),
        (t, Op::NotOneOf, &[], &[Some("a"), None], &[]),
    ]);
}

#[test]
fn matcher_compares_dates() {
    let t = FieldType::Datetime;
    let noon = "[DT:05/13/2013 12:00:00.0000000]";
    let later_in_the_minute = "[DT:05/13/2013 12:00:59.9999999]";
    let minute_before = "[DT:05/13/2013 11:59:59.0000000]";
    let minute_after = "[DT:05/13/2013 12:01:00.0000000]";
    let (same, before, after) = (
        [Some(noon), Some(later_in_the_minute), Some("2013-05-13T12:00:30")],
        Some(minute_before),
        Some(minute_after),
    );
    let others = [before, after, Some(""), Some("soon"), None];
    check(&[
        (t, Op::Equal, &[noon], &same, &others),
        (t, Op::Equal, &[later_in_the_minute], &same, &others),
        (t, Op::Equal, &[""], &[Some(""), None], &[Some(noon), Some("soon")]),
        (t, Op::Before, &[noon], &[before], &[Some(noon), Some(later_in_the_minute), after, None]),
        (t, Op::Before, &[later_in_the_minute], &[before], &[Some(noon)]),
        (t, Op::After, &[noon], &[after], &[Some(noon), Some(later_in_the_minute), before, None]),
        (t, Op::BeforeOrEqual, &[noon], &[before, Some(noon), Some(later_in_the_minute)], &[after, None]),
        (t, Op::AfterOrEqual, &[later_in_the_minute], &[after, Some(noon)], &[before, None]),
        (
            t,
            Op::Between,
            &[noon, "5/13/2013 12:01"],
            &[Some(noon), after, Some("5/13/2013 12:01:59")],
            &[before, Some("5/13/2013 12:02"), None],
        ),
        (t, Op::Between, &[minute_after, noon], &[], &[Some(noon)]),
    ]);
}

#[test]
fn matcher_compares_dates_with_seconds() {
    let second = "[DT:05/13/2013 12:00:30.0000000]";
    for (operator, hits, misses) in [
        (Op::Equal, vec![second], vec!["5/13/2013 12:00:31", "5/13/2013 12:00:30.0000001"]),
        (Op::Before, vec!["5/13/2013 12:00:29.9999999"], vec![second]),
        (Op::After, vec!["5/13/2013 12:00:30.0000001"], vec![second]),
        (Op::BeforeOrEqual, vec![second, "5/13/2013 12:00"], vec!["5/13/2013 12:00:31"]),
        (Op::AfterOrEqual, vec![second, "5/13/2013 12:00:31"], vec!["5/13/2013 12:00:29"]),
    ] {
        let restrictions = [Restriction::new(KEY, operator, [second])];
        let matcher = Matcher::with_seconds(&restrictions, &[field(FieldType::Datetime)]).unwrap();
        for hit in hits {
            assert!(matches(&matcher, Some(hit)), "{hit} {operator}");
        }
        for miss in misses {
            assert!(!matches(&matcher, Some(miss)), "{miss} {operator}");
        }
    }
}

#[test]
fn operator_of_another_type_is_refused_with_those_that_fit() {
    for &field_type in FieldType::ALL {
        let allowed = Restriction::operators(field_type);
        for &operator in Operator::ALL {
            let values: &[&str] = if operator == Op::Between { &["1/1/2025", "1/1/2025"] } else { &[""] };
            if allowed.contains(&operator) {
                continue;
            }
            let error = refusal(field_type, operator, values);
            assert!(error.contains("\"FIELD\"") && error.contains(field_type.as_str()), "{error}");
            for allowed in allowed {
                assert!(error.contains(allowed.as_str()), "{error}");
            }
        }
    }
    assert_eq!(
        refusal(FieldType::Checkbox, Op::Contains, &["1"]),
        "the field \"FIELD\" of type Checkbox cannot be searched with contains, expected one of ="
    );
    assert_eq!(
        refusal(FieldType::Password, Op::Equal, &["1"]),
        "the field \"FIELD\" of type Password cannot be searched"
    );
}

#[test]
fn every_operator_of_the_contract_belongs_to_a_type() {
    for operator in Operator::ALL {
        assert!(FieldType::ALL.iter().any(|&t| Restriction::operators(t).contains(operator)), "{operator}");
    }
}

#[test]
fn wrong_values_are_refused_with_what_is_expected() {
    for (field_type, operator, values, expected) in [
        (FieldType::Integer, Op::Equal, &["many"][..], "a whole number like [I:123]"),
        (FieldType::Integer, Op::Greater, &["1.5"], "a whole number"),
        (FieldType::Double, Op::Less, &["x"], "a number like [F:1.5]"),
        (FieldType::Checkbox, Op::Equal, &["2"], "[I:1] or [I:0]"),
        (FieldType::Datetime, Op::Before, &["soon"], "a date like [DT:"),
        (FieldType::Integer, Op::Less, &[""], "needs a value"),
        (FieldType::Integer, Op::Less, &[], "needs a value"),
        (FieldType::Integer, Op::Between, &["1", ""], "needs a value"),
        (FieldType::Datetime, Op::Between, &["1/1/2025"], "expects two values, not 1"),
        (FieldType::Text, Op::Between, &["a", "b", "c"], "expects two values, not 3"),
        (FieldType::Text, Op::Equal, &["a", "b"], "expects one value, not 2"),
        (FieldType::Integer, Op::Equal, &["1", "2"], "expects one value, not 2"),
    ] {
        let error = refusal(field_type, operator, values);
        assert!(error.contains(expected) && error.contains("\"FIELD\""), "{error}");
        assert!(error.contains(operator.as_str()), "{error}");
    }
}

#[test]
fn unknown_field_is_refused_with_the_known_ones() {
    let unknown = [Restriction::new("COLOUR", Op::Equal, ["red"])];
    let error = Matcher::new(&unknown, &[Field::text("NAME"), Field::text("CITY")]).unwrap_err();
    assert_eq!(error.error_code(), Some(error_code::UNKOWN_FIELDKEY));
    assert!(error.user_text().contains("\"COLOUR\"") && error.user_text().contains("NAME, CITY"), "{error}");
    let error = Matcher::new(&unknown, &[]).unwrap_err();
    assert!(error.user_text().ends_with("none"), "{error}");
}

#[test]
fn all_restrictions_must_hold() {
    let restrictions = [
        Restriction::new("NAME", Op::Begins, ["a"]),
        Restriction::new("NAME", Op::Ends, ["z"]),
        Restriction::new("SIZE", Op::Greater, ["1"]),
    ];
    let matcher = Matcher::new(&restrictions, &[Field::text("NAME"), Field::integer("SIZE")]).unwrap();
    let actor = |name, size: i64| Actor::new("Customer", "1").with("NAME", name).with("SIZE", size);
    assert!(matcher.matches(&actor("abcz", 2)));
    assert!(!matcher.matches(&actor("abc", 2)) && !matcher.matches(&actor("abcz", 1)));
    assert!(Matcher::new(&[], &[]).unwrap().matches(&actor("", 0)), "no restriction holds for all");
}

#[test]
fn parent_restrictions_come_as_a_pair() {
    let key = || Restriction::new(Restriction::PARENT_KEY, Op::Equal, ["7"]);
    let actor_type = || Restriction::new(Restriction::PARENT_TYPE, Op::Equal, ["Customer"]);
    let matcher = Matcher::new(&[key(), actor_type()], &[]).unwrap();
    assert_eq!(matcher.parent().unwrap().key, "7");
    let person = Actor::new("Person", "1");
    assert!(matcher.matches(&person.clone().below("Customer", "7")));
    assert!(!matcher.matches(&person.clone().below("Customer", "77")));
    assert!(!matcher.matches(&person.clone().below("Supplier", "7")));
    assert!(!matcher.matches(&person));

    for (alone, named) in [(key(), "only ParentErpKey"), (actor_type(), "only ParentActorType")] {
        let error = Matcher::new(&[alone], &[]).unwrap_err().user_text();
        assert!(error.contains("come together") && error.contains(named), "{error}");
    }
    let odd = Restriction::new(Restriction::PARENT_KEY, Op::Begins, ["7"]);
    let error = Matcher::new(&[odd, actor_type()], &[]).unwrap_err().user_text();
    assert_eq!(error, "ParentErpKey cannot be searched with begins, expected =");
    let empty = Restriction::new(Restriction::PARENT_KEY, Op::Equal, [""]);
    let error = Matcher::new(&[empty, actor_type()], &[]).unwrap_err().user_text();
    assert!(error.contains("ParentErpKey") && error.contains("needs a value"), "{error}");
}

/// Values as they may come: of every type, broken, empty, anything.
fn wire_values() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\[?(I|F|DT)?:?-?[0-9]{0,4}(\\.[0-9])?\\]?",
        "\\[DT:[01]?[0-9]/[0-3]?[0-9]/20[0-9]{2}( [0-9]{2}:[0-9]{2}(:[0-9]{2})?)?\\]?",
        "[abåÅß]{0,3}",
        any::<String>(),
    ]
}

proptest! {
    /// Whatever is asked of whatever there is, the answer is an error or a clear yes or no, and the same each time.
    #[test]
    fn any_restriction_on_any_value_has_an_answer(
        field_type in prop::sample::select(FieldType::ALL),
        operator in prop::sample::select(Operator::ALL),
        values in prop::collection::vec(wire_values(), 0..3),
        value in prop::option::of(wire_values()),
    ) {
        let restrictions = [Restriction::new(KEY, operator, values)];
        match Matcher::new(&restrictions, &[field(field_type)]) {
            Ok(matcher) => {
                prop_assert!(Restriction::operators(field_type).contains(&operator));
                matches(&matcher, value.as_deref());
            }
            Err(error) => prop_assert!(error.user_text().contains(KEY), "{}", error),
        }
    }

    /// An operator that negates another one finds exactly what the other does not, except for broken values.
    #[test]
    fn negated_operators_find_the_rest(wanted in wire_values(), value in prop::option::of(wire_values())) {
        for (field_type, operator, negated) in [
            (FieldType::Text, Op::Equal, Op::IsNot),
            (FieldType::Text, Op::Begins, Op::NotBegins),
            (FieldType::Text, Op::Contains, Op::NotContains),
            (FieldType::Text, Op::Ends, Op::NotEnds),
            (FieldType::List, Op::OneOf, Op::NotOneOf),
            (FieldType::Integer, Op::Equal, Op::NotEqual),
            (FieldType::Double, Op::Equal, Op::NotEqual),
        ] {
            if Value::parse(&wanted, field_type).is_err() {
                continue;
            }
            let found = matches(&matcher(field_type, operator, &[&wanted]), value.as_deref());
            let rest = matches(&matcher(field_type, negated, &[&wanted]), value.as_deref());
            let broken = value.as_deref().is_some_and(|value| Value::parse(value, field_type).is_err());
            // Whether a field is filled in is defined for a broken value too.
            if broken && !wanted.is_empty() {
                prop_assert!(!found && !rest);
            } else {
                prop_assert!(found != rest, "{} {:?} {:?}", operator, wanted, value);
            }
        }
    }

    /// What a range finds is what comparing finds.
    #[test]
    fn ranges_agree_with_comparison(number in -5i64..5, low in -5i64..5, high in -5i64..5) {
        let (value, low_text, high_text) = (format!("[I:{number}]"), format!("[I:{low}]"), format!("[I:{high}]"));
        for field_type in [FieldType::Integer, FieldType::Double] {
            let finds = |operator, values: &[&str]| matches(&matcher(field_type, operator, values), Some(&value));
            prop_assert_eq!(finds(Op::Less, &[&low_text]), number < low);
            prop_assert_eq!(finds(Op::LessOrEqual, &[&low_text]), number <= low);
            prop_assert_eq!(finds(Op::Greater, &[&low_text]), number > low);
            prop_assert_eq!(finds(Op::GreaterOrEqual, &[&low_text]), number >= low);
            prop_assert_eq!(finds(Op::Equal, &[&low_text]), number == low);
            prop_assert_eq!(finds(Op::Between, &[&low_text, &high_text]), (low..=high).contains(&number));
        }
    }

    /// What a restriction finds is within its range.
    #[test]
    fn range_has_all_that_a_restriction_finds(
        operator in prop::sample::select(Operator::ALL),
        bounds in prop::collection::vec(0u8..180, 1..3),
        value in 0u8..180,
    ) {
        let date = |second: u8| {
            DateTime::from_date(2026, 11, 30).and_then(|day| day.at(12, second / 60, second % 60, 5)).unwrap()
        };
        let number = f64::from;
        let wire = |of: &dyn Fn(u8) -> String| bounds.iter().map(|bound| of(*bound)).collect::<Vec<_>>();
        for (field_type, values, value_text) in [
            (FieldType::Datetime, wire(&|bound| format!("[DT:{}]", date(bound))), format!("[DT:{}]", date(value))),
            (FieldType::Double, wire(&|bound| format!("[F:{}]", number(bound))), format!("[F:{}]", number(value))),
        ] {
            let restriction = Restriction::new(KEY, operator, values);
            let Ok(matcher) = Matcher::new(std::slice::from_ref(&restriction), &[field(field_type)]) else {
                continue;
            };
            if !matches(&matcher, Some(&value_text)) {
                continue;
            }
            let is_within = match field_type {
                FieldType::Datetime => {
                    let (from, to) = restriction.range::<DateTime>().unwrap();
                    from.is_none_or(|from| from <= date(value)) && to.is_none_or(|to| to >= date(value))
                }
                _ => {
                    let (from, to) = restriction.range::<f64>().unwrap();
                    from.is_none_or(|from| from <= number(value)) && to.is_none_or(|to| to >= number(value))
                }
            };
            prop_assert!(is_within, "{:?} finds {}", restriction, value_text);
        }
    }
}
