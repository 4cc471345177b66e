//! The check of calls, with a connection that counts what it is asked.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use plugin_api::{
    Actor, ActorType, Field, Input, ListItem, Operator, Outcome, Restriction, State, Value, error_code,
};

use crate::{Descriptions, InputCheck, NotPassed, Source};

const HOUR: Duration = Duration::from_secs(3600);

/// A connection with customers that have a field of each type.
struct Company {
    fields: RefCell<Vec<Field>>,
    colours: RefCell<Vec<&'static str>>,
    stored: Vec<Actor>,
    /// Calls of `actor_types`, `fields`, `list` and `get`.
    calls: [Cell<usize>; 4],
    fails: Cell<bool>,
}

impl Company {
    fn new() -> Self {
        let fields = vec![
            Field::text("NAME").label("US:\"Full name\";NO:\"Navn\"").mandatory().max_length(10),
            Field::integer("COUNT"),
            Field::double("CREDIT").label("Credit limit"),
            Field::checkbox("ACTIVE"),
            Field::date_time("SINCE"),
            Field::list("COLOUR", "Colours"),
            Field::list("SHAPE", "Nowhere"),
            Field::password("PIN").max_length(4),
            Field::double("BALANCE").read_only(),
            Field::date_time("CREATED").read_only(),
            Field::text("OWNER").read_only(),
        ];
        let stored = Actor::new("Customer", "1")
            .with("NAME", "a name of ERP systems before")
            .with("BALANCE", 0.1 + 0.2)
            .with("CREATED", "[DT:02/29/2024 12:30:15.1234567]")
            .with("OWNER", "line\r\nanother ")
            .with("COUNT", "many")
            .with("COLOUR", "grey");
        Company {
            fields: RefCell::new(fields),
            colours: RefCell::new(vec!["red"]),
            stored: vec![stored],
            calls: Default::default(),
            fails: Cell::new(false),
        }
    }

    fn count(&self, call: usize) {
        self.calls[call].set(self.calls[call].get() + 1);
    }

    /// The calls since the last time.
    fn calls(&self) -> [usize; 4] {
        [0, 1, 2, 3].map(|call| self.calls[call].take())
    }
}

impl Source for Company {
    fn actor_types(&self) -> Result<Vec<ActorType>, Outcome> {
        self.count(0);
        Ok(vec!["Customer".into(), ActorType::new("Person").below("Customer").below("Supplier")])
    }

    fn fields(&self, _: &str) -> Result<Vec<Field>, Outcome> {
        self.count(1);
        if self.fails.get() {
            let outcome = plugin_api::Error::unavailable("the ERP system is away").to_outcome();
            return Err(outcome);
        }
        Ok(self.fields.borrow().clone())
    }

    fn list(&self, name: &str) -> Result<Option<Vec<ListItem>>, Outcome> {
        self.count(2);
        let items = || self.colours.borrow().iter().map(|key| ListItem::new(*key, "")).collect();
        Ok((name == "Colours").then(items))
    }

    fn get(&self, actor_type: &str, keys: &[&str], fields: &[&str]) -> Result<Vec<Actor>, Outcome> {
        self.count(3);
        let is_wanted = |actor: &&Actor| actor.actor_type == actor_type && keys.contains(&actor.key.as_str());
        let mut found: Vec<Actor> = self.stored.iter().filter(is_wanted).cloned().collect();
        for actor in &mut found {
            actor.fields.retain(|(key, _)| fields.contains(&key.as_str()));
        }
        Ok(found)
    }
}

fn check<'c>(descriptions: &'c Descriptions, company: &'c Company) -> InputCheck<'c> {
    InputCheck::new(Input::Checked, descriptions, company)
}

fn new_customer() -> Actor {
    Actor::new("Customer", "").with("NAME", "Fjord")
}

/// What the caller reads, the code, and what the log has.
fn refused(result: Result<(), NotPassed>) -> (String, String, String) {
    match result {
        Err(NotPassed::Refused(refusal)) => {
            let outcome = refusal.to_error().to_outcome();
            assert_eq!(outcome.state, State::Error);
            (outcome.user.unwrap_or_default(), outcome.code.unwrap_or_default(), refusal.reason)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn input_check_passes_values_on_in_the_form_of_their_type() {
    let (company, descriptions) = (Company::new(), Descriptions::new(HOUR));
    for (key, sent, passed_on) in [
        ("COUNT", Some("12"), Some("[I:12]")),
        ("COUNT", Some("[I:12]"), Some("[I:12]")),
        ("COUNT", Some("12.0"), Some("[I:12]")),
        ("COUNT", Some(""), None),
        ("COUNT", None, None),
        ("CREDIT", Some(" 1.50 "), Some("[F:1.5]")),
        ("CREDIT", Some("[M:1.5]"), Some("[F:1.5]")),
        ("ACTIVE", Some("true"), Some("[I:1]")),
        ("SINCE", Some("[D:31.12.2013]"), Some("[DT:12/31/2013 00:00:00.0000000]")),
        ("SINCE", Some("2013-12-31T10:00:00"), Some("[DT:12/31/2013 10:00:00.0000000]")),
        ("NAME", Some("[I:1]"), Some("[I:1]")),
        ("COLOUR", Some("red"), Some("red")),
        ("COLOUR", Some(""), None),
        ("SHAPE", Some("anything, as there is no such list"), Some("anything, as there is no such list")),
        ("BALANCE", None, None),
        ("OWNER", Some(""), Some("")),
    ] {
        let mut actor = new_customer().with(key, sent);
        check(&descriptions, &company).create(&mut actor).unwrap();
        assert_eq!(actor.field(key), Some(passed_on), "{key} {sent:?}");
        assert!(actor.unchanged.is_empty());
    }
}

#[test]
fn input_check_refuses_a_new_actor_and_names_field_and_expectation() {
    let (company, descriptions) = (Company::new(), Descriptions::new(HOUR));
    let nameless = Actor::new("Customer", "");
    for (actor, expected, code) in [
        (
            Actor::new("Alien", ""),
            "there is no actor type \"Alien\", expected one of Customer, Person",
            "INVALID_INPUT",
        ),
        (
            new_customer().with("FOO", 1),
            "Customer has no field \"FOO\", expected one of NAME, COUNT,",
            "UNKOWN_FIELDKEY",
        ),
        (nameless.clone(), "the field NAME (Full name) of a new Customer must be filled in", "INVALID_INPUT"),
        (
            nameless.clone().with("NAME", " "),
            "the field NAME (Full name) of a new Customer must be",
            "INVALID_INPUT",
        ),
        (
            nameless.with("NAME", Value::Null),
            "the field NAME (Full name) of a new Customer must be",
            "INVALID_INPUT",
        ),
        (
            new_customer().with("CREDIT", "abc"),
            "the field CREDIT (Credit limit) of Customer expects a number like 1.5, not \"abc\"",
            "INVALID_INPUT",
        ),
        (
            new_customer().with("COUNT", "[I:1.5]"),
            "COUNT of Customer expects a whole number like 123,",
            "INVALID_INPUT",
        ),
        (
            new_customer().with("ACTIVE", "maybe"),
            "ACTIVE of Customer expects 1 for yes or 0 for no, not",
            "INVALID_INPUT",
        ),
        (
            new_customer().with("SINCE", "31/31/2013"),
            "SINCE of Customer expects a date like",
            "INVALID_INPUT",
        ),
        (
            new_customer().with("COLOUR", "blue"),
            "COLOUR of Customer expects the key of an item of the list Colours, not \"blue\"",
            "UNKOWN_LISTITEM_ID",
        ),
        (
            new_customer().with("NAME", "Ærlig & Søn"),
            "NAME (Full name) of Customer takes at most 10 characters, and 11 were sent",
            "INVALID_INPUT",
        ),
        (new_customer().with("BALANCE", 1.5), "the field BALANCE of Customer is read-only", "INVALID_INPUT"),
    ] {
        let mut sent = actor.clone();
        let (explanation, own_code, _) = refused(check(&descriptions, &company).create(&mut sent));
        assert!(explanation.contains(expected), "{explanation}");
        assert_eq!((own_code.as_str(), sent), (code, actor));
    }
}

#[test]
fn input_check_keeps_values_out_of_the_log_and_secrets_out_of_both() {
    let (company, descriptions) = (Company::new(), Descriptions::new(HOUR));
    let check = check(&descriptions, &company);
    let (explanation, _, reason) = refused(check.create(&mut new_customer().with("CREDIT", "hunter2")));
    assert!(explanation.contains("hunter2") && !reason.contains("hunter2"), "{explanation} {reason}");
    assert_eq!(reason, "the field CREDIT of Customer expects a number like 1.5");
    let (explanation, _, reason) = refused(check.create(&mut new_customer().with("PIN", "hunter2")));
    assert!(!format!("{explanation} {reason}").contains("hunter2"), "{explanation} {reason}");
    company.fields.borrow_mut().push(Field::integer("ApiKey"));
    let (explanation, _, reason) = refused(check.create(&mut new_customer().with("ApiKey", "hunter2")));
    assert!(!format!("{explanation} {reason}").contains("hunter2"), "{explanation} {reason}");
}

#[test]
fn input_check_passes_on_what_a_saved_actor_has_already_and_marks_it() {
    let (company, descriptions) = (Company::new(), Descriptions::new(HOUR));
    let check = check(&descriptions, &company);
    // A whole actor, after another system had its values: other digits, no fractions of a second, other ends of lines.
    let mut actors = [Actor::new("Customer", "1")
        .with("NAME", "a name of ERP systems before")
        .with("BALANCE", 0.3)
        .with("CREATED", "[DT:02/29/2024 12:30:15.0000000]")
        .with("OWNER", "line\nanother")
        .with("COUNT", "many")
        .with("COLOUR", "grey")
        .with("CREDIT", "12")];
    assert!(check.save(&mut actors).unwrap().is_empty());
    let expected = company.stored[0].clone().with("CREDIT", 12.0);
    let [saved] = actors;
    assert_eq!(saved.fields, expected.fields, "its own values, to the last digit");
    for key in ["NAME", "BALANCE", "CREATED", "OWNER", "COUNT", "COLOUR"] {
        assert!(saved.is_unchanged(key), "{key}");
    }
    assert!(!saved.is_unchanged("CREDIT"));
    assert_eq!(company.calls()[3], 1, "the actor is read once");
}

#[test]
fn input_check_refuses_a_change_of_a_read_only_field() {
    let (company, descriptions) = (Company::new(), Descriptions::new(HOUR));
    let check = check(&descriptions, &company);
    for (key, field, value, expected) in [
        ("1", "BALANCE", Value::from(0.31), "the field BALANCE of Customer is read-only"),
        ("1", "BALANCE", Value::Null, "the field BALANCE of Customer is read-only"),
        ("1", "COUNT", Value::from("few"), "the field COUNT of Customer expects a whole number"),
        (
            "2",
            "OWNER",
            Value::from("x"),
            "is read-only: leave it out, or send it back as it is; the connector has no such",
        ),
    ] {
        let mut actors =
            [Actor::new("Customer", "1").with("NAME", "y"), Actor::new("Customer", key).with(field, value)];
        let before = actors.clone();
        let mut all = check.save(&mut actors).unwrap();
        assert_eq!(all.keys().copied().collect::<Vec<_>>(), [1], "the other one is not");
        let (explanation, _, reason) = refused(Err(all.remove(&1).unwrap().into()));
        assert!(explanation.contains(expected), "{explanation}");
        assert!(!reason.contains("\"1\""), "{reason}");
        assert_eq!(actors, before);
    }
}

#[test]
fn input_check_asks_the_connector_only_when_descriptions_are_too_old() {
    let (company, descriptions) = (Company::new(), Descriptions::new(HOUR));
    let customer = || new_customer().with("COLOUR", "red");
    check(&descriptions, &company).create(&mut customer()).unwrap();
    assert_eq!(company.calls(), [1, 1, 1, 0]);
    let check_all = |descriptions: &Descriptions| {
        let check = check(descriptions, &company);
        check.actor_type("Customer").unwrap();
        check.search("Customer", &mut [Restriction::new("NAME", Operator::Equal, ["x"])]).unwrap();
        check.create(&mut customer()).unwrap();
        assert!(check.save(&mut [customer(), customer()]).unwrap().is_empty());
        company.calls()
    };
    assert_eq!(check_all(&descriptions), [0, 0, 0, 0]);
    // Never cached: once in each call that needs it.
    assert_eq!(check_all(&Descriptions::new(Duration::ZERO)), [4, 3, 2, 0]);
}

#[test]
fn input_check_reads_descriptions_afresh_before_it_refuses() {
    let (company, descriptions) = (Company::new(), Descriptions::new(HOUR));
    let check = check(&descriptions, &company);
    check.create(&mut new_customer().with("COLOUR", "red").with("COUNT", "1")).unwrap();
    company.calls();
    company.colours.borrow_mut().push("blue");
    check.create(&mut new_customer().with("COLOUR", "blue")).unwrap();
    assert_eq!(company.calls(), [1, 1, 1, 0]);
    company.fields.borrow_mut().retain(|field| field.key != "COUNT");
    company.fields.borrow_mut().push(Field::text("NEW"));
    company.fields.borrow_mut().push(Field::text("COUNT"));
    let mut actor = new_customer().with("COUNT", "01").with("NEW", "x");
    check.create(&mut actor).unwrap();
    assert_eq!(actor.text("COUNT"), "01", "by the description of now");
    company.calls();
    // Refused once more costs no more than one reading.
    refused(check.create(&mut new_customer().with("FOO", "x")));
    assert_eq!(company.calls(), [1, 1, 0, 0]);
}

#[test]
fn input_check_of_a_search_names_an_unknown_field() {
    let (company, descriptions) = (Company::new(), Descriptions::new(HOUR));
    let check = check(&descriptions, &company);
    let search =
        |field: &str| check.search("Customer", &mut [Restriction::new(field, Operator::Equal, ["x"])]);
    search(Restriction::PARENT_KEY).unwrap();
    search("NAME").unwrap();
    let (explanation, code, _) = refused(search("FOO"));
    assert!(explanation.starts_with("Customer has no field \"FOO\", expected one of NAME"), "{explanation}");
    assert_eq!(code, "UNKOWN_FIELDKEY");
    refused(check.search("Alien", &mut []));
    refused(check.actor_type("Alien"));
}

#[test]
fn input_check_of_a_search_passes_values_on_in_the_form_of_their_type() {
    use Operator as Op;
    let (company, descriptions) = (Company::new(), Descriptions::new(HOUR));
    let check = check(&descriptions, &company);
    for (field, operator, sent, passed_on) in [
        ("NAME", Op::Begins, &["a"][..], &["a"][..]),
        ("NAME", Op::Equal, &[], &[]),
        // As in a recording of SuperOffice.
        ("COUNT", Op::Between, &["[I:1", "2000"], &["[I:1]", "[I:2000]"]),
        ("COUNT", Op::Equal, &[""], &[""]),
        ("CREDIT", Op::GreaterOrEqual, &["1.50"], &["[F:1.5]"]),
        ("ACTIVE", Op::Equal, &["true"], &["[I:1]"]),
        ("SINCE", Op::Before, &["2013-12-31T10:00:00"], &["[DT:12/31/2013 10:00:00.0000000]"]),
        ("COLOUR", Op::OneOf, &["red", ""], &["red", ""]),
        ("COLOUR", Op::NotOneOf, &[], &[]),
        ("SHAPE", Op::OneOf, &["anything"], &["anything"]),
        ("OWNER", Op::Contains, &["x"], &["x"]),
        (Restriction::PARENT_KEY, Op::Equal, &["1"], &["1"]),
    ] {
        let mut restrictions = [
            Restriction::new(Restriction::PARENT_TYPE, Op::Equal, ["Customer"]),
            Restriction::new(field, operator, sent.iter().copied()),
        ];
        check.search("Customer", &mut restrictions).unwrap();
        assert_eq!(restrictions[1].values, passed_on, "{field} {operator} {sent:?}");
        assert_eq!(restrictions[0].values, ["Customer"]);
    }
}

#[test]
fn input_check_of_a_search_refuses_restrictions_that_do_not_fit_their_field() {
    use Operator as Op;
    let (company, descriptions) = (Company::new(), Descriptions::new(HOUR));
    let check = check(&descriptions, &company);
    for (field, operator, sent, expected, code) in [
        (
            "COUNT",
            Op::Begins,
            &["1"][..],
            "the field COUNT of Customer of the type Integer is searched with one of =, !=, >, <, >=, <=, between, not begins",
            error_code::INVALID_INPUT,
        ),
        (
            "PIN",
            Op::Equal,
            &["hunter2"],
            "PIN of Customer of the type Password cannot be searched",
            error_code::INVALID_INPUT,
        ),
        (
            "COUNT",
            Op::Equal,
            &["few"],
            "COUNT of Customer expects a whole number like 123, not \"few\"",
            error_code::INVALID_INPUT,
        ),
        (
            "COUNT",
            Op::Greater,
            &[""],
            "COUNT of Customer expects a whole number like 123, not",
            error_code::INVALID_INPUT,
        ),
        (
            "SINCE",
            Op::Between,
            &["today", "[DT:12/31/2013 10:00:00.0000000]"],
            "SINCE of Customer expects a date",
            error_code::INVALID_INPUT,
        ),
        (
            "COUNT",
            Op::Between,
            &["1"],
            "COUNT of Customer is searched with two values after between, and 1 were sent",
            error_code::INVALID_INPUT,
        ),
        (
            "NAME",
            Op::Begins,
            &["a", "b"],
            "NAME (Full name) of Customer is searched with one value after begins, and 2 were sent",
            error_code::INVALID_INPUT,
        ),
        (
            "COLOUR",
            Op::OneOf,
            &["red", "blue"],
            "COLOUR of Customer expects the key of an item of the list Colours, not \"blue\"",
            error_code::UNKOWN_LISTITEM_ID,
        ),
    ] {
        let mut restrictions = [Restriction::new(field, operator, sent.iter().copied())];
        let before = restrictions.clone();
        let (explanation, own_code, reason) = refused(check.search("Customer", &mut restrictions));
        assert!(explanation.contains(expected), "{explanation}");
        assert_eq!((own_code.as_str(), &restrictions), (code, &before));
        assert!(reason.starts_with(&format!("the field {field} of Customer ")), "{reason}");
        assert!(!sent.iter().any(|sent| sent.len() > 2 && reason.contains(sent)), "{reason}");
    }
}

#[test]
fn input_check_of_a_search_reads_descriptions_afresh_before_it_refuses() {
    let (company, descriptions) = (Company::new(), Descriptions::new(HOUR));
    let check = check(&descriptions, &company);
    let mut search = [Restriction::new("COLOUR", Operator::OneOf, ["red"])];
    check.search("Customer", &mut search).unwrap();
    company.calls();
    company.colours.borrow_mut().push("blue");
    check.search("Customer", &mut [Restriction::new("COLOUR", Operator::OneOf, ["blue"])]).unwrap();
    assert_eq!(company.calls(), [1, 1, 1, 0]);
}

#[test]
fn input_check_of_a_new_actor_asks_for_the_parent_that_its_type_declares() {
    let (company, descriptions) = (Company::new(), Descriptions::new(HOUR));
    let check = check(&descriptions, &company);
    let person = || Actor::new("Person", "").with("NAME", "Kari");
    let (explanation, code, reason) = refused(check.create(&mut person()));
    assert_eq!(
        explanation,
        "a new Person needs a parent: ParentActorType (Customer, Supplier) and ParentErpKey are missing"
    );
    assert_eq!(code, error_code::INVALID_INPUT);
    assert_eq!(reason, "a new Person without a parent, expected one of the type Customer, Supplier");
    let (explanation, ..) = refused(check.create(&mut person().below("Project", "1")));
    assert_eq!(
        explanation,
        "the parent of a new Person cannot be of the type \"Project\", expected one of Customer, Supplier"
    );
    check.create(&mut person().below("Supplier", "1")).unwrap();
    check.create(&mut new_customer().below("Project", "1")).unwrap();
    // A person that is there has its parent.
    check.save(&mut [Actor::new("Person", "1").with("NAME", "Ola")]).unwrap();
}

#[test]
fn input_check_fails_as_the_description_does() {
    let (company, descriptions) = (Company::new(), Descriptions::new(HOUR));
    company.fails.set(true);
    match check(&descriptions, &company).create(&mut new_customer()) {
        Err(NotPassed::NotDescribed(outcome)) => {
            assert_eq!(outcome.kind, plugin_api::ErrorKind::Unavailable);
        }
        other => panic!("{other:?}"),
    }
    company.fails.set(false);
    check(&descriptions, &company).create(&mut new_customer()).unwrap();
}

#[test]
fn input_check_of_a_connector_that_wants_it_raw_asks_nothing() {
    let (company, descriptions) = (Company::new(), Descriptions::new(HOUR));
    let check = InputCheck::new(Input::Raw, &descriptions, &company);
    let mut actor = Actor::new("Alien", "").with("COUNT", "12");
    check.create(&mut actor).unwrap();
    assert_eq!(actor.text("COUNT"), "12");
    assert!(check.save(&mut [actor]).unwrap().is_empty());
    check.actor_type("Alien").unwrap();
    assert_eq!(company.calls(), [0; 4]);
}
