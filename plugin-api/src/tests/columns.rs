//! Columnar search finds the same as comparing each actor.

use proptest::prelude::*;

use crate::{Actor, Columns, Field, FieldType, Matcher, Operator, Parent, Restriction, SearchColumn};

const TYPES: [FieldType; 6] = [
    FieldType::Text,
    FieldType::List,
    FieldType::Checkbox,
    FieldType::Integer,
    FieldType::Double,
    FieldType::Datetime,
];

/// Values of fields and of restrictions, of every type: so most of them fit no other one.
const VALUES: &[Option<&str>] = &[
    None,
    Some(""),
    Some("a"),
    Some("A"),
    Some("ab"),
    Some("Bab"),
    Some("Sønner & Blåbær"),
    Some("SØNNER"),
    Some("blåbær"),
    Some("Straße"),
    Some("STRASSE"),
    Some("[I:0]"),
    Some("[I:1]"),
    Some("[I:7]"),
    Some("-7"),
    Some("[F:1.5]"),
    Some("7"),
    Some("[F:NaN]"),
    Some("[DT:01/02/2026 12:00:00.0000000]"),
    Some("[DT:01/02/2026 12:00:59.0000000]"),
    Some("[DT:12/31/2013 23:59:59.0000000]"),
    Some("never a value"),
];

struct Actors {
    actors: Vec<Actor>,
    columns: Vec<(String, SearchColumn)>,
}

impl Actors {
    fn new(actors: Vec<Actor>, fields: &[Field]) -> Self {
        let column = |field: &Field| {
            let values = actors.iter().map(|actor| actor.field(&field.key).flatten());
            (field.key.clone(), SearchColumn::new(field.field_type, values))
        };
        let columns = fields.iter().map(column).collect();
        Actors { actors, columns }
    }
}

impl Columns for Actors {
    fn actors(&self) -> usize {
        self.actors.len()
    }

    fn column(&self, field: &str) -> Option<&SearchColumn> {
        self.columns.iter().find(|(key, _)| key == field).map(|(_, column)| column)
    }

    fn parent(&self, actor: usize) -> Option<(&str, &str)> {
        let parent = self.actors[actor].parent.as_ref()?;
        Some((&parent.actor_type, &parent.key))
    }
}

fn check(actors: &Actors, matcher: &Matcher) {
    let one_by_one = actors.actors.iter().enumerate().filter(|(_, actor)| matcher.matches(*actor));
    let one_by_one: Vec<usize> = one_by_one.map(|(number, _)| number).collect();
    assert_eq!(matcher.find_in(actors), one_by_one, "{matcher:?}");
}

#[test]
fn columnar_search_finds_the_same_for_every_operator() {
    let mut checked = 0;
    for field_type in TYPES {
        let fields = [Field::new("FIELD", field_type)];
        let actor = |value: &Option<&str>| Actor::new("Customer", "1").with("FIELD", *value);
        let actors = Actors::new(VALUES.iter().map(actor).collect(), &fields);
        // A field that no actor has.
        let without = Actors::new(vec![Actor::new("Customer", "1"), Actor::new("Customer", "2")], &[]);
        for &operator in Restriction::operators(field_type) {
            for first in VALUES.iter().flatten() {
                for second in VALUES.iter().flatten() {
                    for values in [&[*first][..], &[*first, *second]] {
                        let restriction = Restriction::new("FIELD", operator, values.iter().copied());
                        for make in [Matcher::new, Matcher::with_seconds] {
                            let Ok(matcher) = make(std::slice::from_ref(&restriction), &fields) else {
                                continue;
                            };
                            check(&actors, &matcher);
                            check(&without, &matcher);
                            checked += 1;
                        }
                    }
                }
            }
        }
    }
    assert!(checked > 5000, "{checked}");
}

#[test]
fn columnar_search_combines_restrictions_and_parents() {
    let fields = [Field::text("NAME"), Field::integer("NUMBER")];
    let actor = |number: i64| {
        let actor = Actor::new("Person", number.to_string()).with("NAME", format!("Kari {number}").as_str());
        let actor = actor.with("NUMBER", number);
        if number % 3 == 0 { actor } else { actor.below("Customer", (number % 3).to_string()) }
    };
    let actors = Actors::new((0..50).map(actor).collect(), &fields);
    let parent = Parent { actor_type: "Customer".to_owned(), key: "2".to_owned() };
    let restrictions = [
        Restriction::new("NAME", Operator::Contains, ["kari 1"]),
        Restriction::new("NUMBER", Operator::Less, ["[I:19]"]),
        Restriction::new(Restriction::PARENT_TYPE, Operator::Equal, [parent.actor_type]),
        Restriction::new(Restriction::PARENT_KEY, Operator::Equal, [parent.key]),
    ];
    for count in [0, 1, 2, 4] {
        let matcher = Matcher::new(&restrictions[..count], &fields).unwrap();
        check(&actors, &matcher);
    }
    assert_eq!(Matcher::new(&restrictions, &fields).unwrap().find_in(&actors), [11, 14, 17]);
}

#[test]
fn columnar_search_in_a_column_of_another_type_finds_nothing() {
    let matcher =
        Matcher::new(&[Restriction::new("A", Operator::IsNot, ["x"])], &[Field::text("A")]).unwrap();
    let actors = Actors::new(vec![Actor::new("Customer", "1").with("A", 5)], &[Field::integer("A")]);
    assert!(matcher.find_in(&actors).is_empty());
}

proptest! {
    #[test]
    fn columnar_search_finds_the_same_for_any_text(
        texts in prop::collection::vec("[abA\u{e6}\u{c6}\u{df}\u{0}]{0,5}", 0..40),
        wanted in "[abA\u{e6}\u{c6}\u{df}s\u{0}]{0,3}",
        operator in prop::sample::select(Restriction::operators(FieldType::Text).to_vec()),
    ) {
        let fields = [Field::text("A")];
        let actor = |text: &String| Actor::new("Customer", "1").with("A", text.as_str());
        let actors = Actors::new(texts.iter().map(actor).collect(), &fields);
        let values = if operator == Operator::Between { vec![wanted.clone(), format!("{wanted}b")] } else { vec![wanted] };
        let matcher = Matcher::new(&[Restriction::new("A", operator, values)], &fields).unwrap();
        check(&actors, &matcher);
    }
}
