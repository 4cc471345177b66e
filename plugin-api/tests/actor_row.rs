//! Structs that are actors: fields, rows and changes from one description.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use erp_host_conformance::testing::collect;
use plugin_api::{Access, Actor, ActorRow, DateTime, Field, FieldType, field_key};

/// A person of a company.
#[derive(Debug, Clone, PartialEq, ActorRow)]
#[actor(type = "Person")]
struct Contact {
    #[actor(key)]
    id: Option<u32>,
    #[actor(stamp)]
    changed: Option<DateTime>,
    #[actor(parent = "Customer")]
    company: Option<String>,
    #[field(label(us = "Last name", no = "Etternavn"), max_length = 40)]
    lastname: String,
    /// Where the person
    /// works.
    #[field(key = "POSITION", list = "Positions")]
    role: Option<String>,
    birthdate: Option<DateTime>,
    #[field(default = 1)]
    rating: Option<f64>,
    active: bool,
    #[field(read_only)]
    #[actor(default)]
    visits: i64,
    #[actor(skip)]
    internal: u8,
}

fn ada() -> Contact {
    Contact {
        id: Some(7),
        changed: None,
        company: Some("C1".to_owned()),
        lastname: "Lovelace".to_owned(),
        role: None,
        birthdate: DateTime::from_date(1815, 12, 10),
        rating: Some(5.0),
        active: true,
        visits: 3,
        internal: 9,
    }
}

#[test]
fn fields_come_from_the_struct() {
    let fields = Contact::fields();
    assert_eq!(Contact::ACTOR_TYPE, "Person");
    let expected = [
        Field::text(field_key::person::LASTNAME)
            .label("US:\"Last name\";NO:\"Etternavn\"")
            .max_length(40)
            .mandatory(),
        Field::list(field_key::person::POSITION, "Positions").description("Where the person works."),
        Field::date_time(field_key::person::BIRTHDATE),
        Field::double("RATING").default(1.0),
        Field::checkbox("ACTIVE"),
        Field::integer("VISITS").read_only(),
    ];
    assert_eq!(fields, expected);
    assert_eq!((fields[0].access, fields[5].field_type), (Access::Mandatory, FieldType::Integer));
}

#[test]
fn row_has_key_parent_and_every_field() {
    let found = collect("Person", None, |_, rows| rows.push_row(&ada())).unwrap();
    let wanted = Actor::new("Person", "7")
        .below("Customer", "C1")
        .with("LASTNAME", "Lovelace")
        .with("POSITION", None::<&str>)
        .with("BIRTHDATE", DateTime::from_date(1815, 12, 10).unwrap())
        .with("RATING", 5.0)
        .with("ACTIVE", true)
        .with("VISITS", 3);
    assert_eq!(found, [wanted]);
    let found = collect("Person", Some(&["ACTIVE"]), |_, rows| rows.push_row(&ada())).unwrap();
    assert_eq!(found[0].fields.len(), 1);
}

#[test]
fn actor_that_is_sent_becomes_the_struct() {
    let sent =
        Actor::new("Person", "").below("Customer", "C1").with("LASTNAME", "Lovelace").with("RATING", "[I:4]");
    let read = Contact::read(&sent).unwrap();
    let expected = Contact {
        id: None,
        rating: Some(4.0),
        active: false,
        birthdate: None,
        visits: 0,
        internal: 0,
        ..ada()
    };
    assert_eq!(read, expected);

    let error = Contact::read(&Actor::new("Person", "")).unwrap_err();
    assert_eq!(error.user_text(), "the field LASTNAME is missing, expected a text");
    let error = Contact::read(&sent.clone().with("BIRTHDATE", "soon")).unwrap_err();
    assert!(error.user_text().starts_with("the field BIRTHDATE is not valid, expected a date"), "{error}");
}

#[test]
fn apply_changes_what_was_sent_and_nothing_else() {
    let mut contact = ada();
    let sent =
        Actor::new("Person", "7").with("RATING", None::<f64>).with("VISITS", 99).with("POSITION", "P2");
    contact.apply(&sent).unwrap();
    assert_eq!(contact, Contact { rating: None, role: Some("P2".to_owned()), ..ada() });
    assert!(contact.apply(&Actor::new("Person", "7").with("LASTNAME", None::<&str>)).is_err());
}

/// Stamps are compared as texts, so a date is sortable there.
#[test]
fn stamp_that_is_a_date_is_sortable() {
    let changed = DateTime::parse_sortable("2026-11-30T21:06:44.5977930").ok();
    let rows = collect("Person", None, |_, rows| rows.push_row(&Contact { changed, ..ada() })).unwrap();
    assert_eq!(rows[0].last_modified.as_deref(), Some("2026-11-30T21:06:44.5977930"));
    assert_eq!(Contact::read(&rows[0]).unwrap().changed, changed);
}
