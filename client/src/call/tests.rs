//! Arguments and restrictions as text, and actors as JSON.

use contract::{Actor, Dictionary, Operation, Outcome, Payload, Reply, Request};

use super::*;

#[test]
fn parse_operation_ignores_case_and_prefix() {
    for name in ["WSGetActors", "getactors", "wsgetactors", "GETACTORS"] {
        assert_eq!(parse_operation(name), Ok(Operation::GetActors));
    }
    assert_eq!(parse_operation("authenticate"), Ok(Operation::Authenticate));
    assert!(parse_operation("getactor").unwrap_err().contains("GetActors"));
}

#[test]
fn parse_restriction_reads_the_values_of_each_operator() {
    for (text, expected) in [
        ("NAME begins Fjord & Fjell", "NAME begins [\"Fjord & Fjell\"]"),
        ("AGE BETWEEN [I:1] and [I:2]", "AGE between [\"[I:1]\", \"[I:2]\"]"),
        ("CATEGORY oneof A, B", "CATEGORY oneof [\"A\", \"B\"]"),
    ] {
        let parsed = parse_restriction(text).unwrap();
        let values = parsed.effective_values();
        let values: Vec<&str> = values.iter().map(|value| value.as_deref().unwrap()).collect();
        let (field, operator) = (parsed.field_key.as_deref().unwrap(), parsed.operator.as_deref().unwrap());
        assert_eq!(format!("{field} {operator} {values:?}"), expected);
    }
    for (text, expected) in [
        ("NAME", "expected a field, an operator and its values"),
        ("NAME like A", "unknown operator \"like\", expected one of = "),
        ("A between 1", "expected two values with 'and' between them"),
    ] {
        assert!(parse_restriction(text).unwrap_err().contains(expected), "{text}");
    }
}

#[test]
fn create_actor_takes_exactly_one_actor() {
    let arguments =
        Arguments { actors: Some(vec![Actor::default(), Actor::default()]), ..Arguments::default() };
    let error = arguments.request(Operation::CreateActor).unwrap_err();
    assert_eq!(error.to_string(), "WSCreateActor takes one actor, not 2");
    let one = Arguments { actors: Some(vec![Actor::default()]), ..Arguments::default() };
    assert_eq!(
        one.request(Operation::CreateActor),
        Ok(Request::CreateActor { actor: Some(Actor::default()) })
    );
}

#[test]
fn actors_from_json_reads_what_reply_to_json_writes() {
    let fields: Dictionary<'static> =
        [("NAME", Some("Ærlig & Sønner")), ("CITY", None), ("NOTE", Some(""))].into_iter().collect();
    let actor = Actor {
        actor_type: Some("Customer".into()),
        erp_key: Some("1".into()),
        field_values: Some(fields),
        last_modified: None,
        parent_actor_type: Some("Project".into()),
        parent_erp_key: Some("P1".into()),
    };
    let reply = Reply::with(Outcome::ok(), Payload::Actors(Some(vec![actor.clone()])));
    let mut read = actors_from_json(&reply_to_json(&reply)).unwrap();
    // The members of a JSON object have no order.
    let mut expected = actor.field_values.clone().unwrap().entries;
    let mut entries = read[0].field_values.take().unwrap().entries;
    expected.sort();
    entries.sort();
    assert_eq!(entries, expected);
    assert_eq!(read, [Actor { field_values: None, ..actor }]);

    let unknown = serde_json::json!([{"ErpKeys": "1"}]);
    let error = actors_from_json(&unknown).unwrap_err().to_string();
    assert!(error.contains("an actor has no member \"ErpKeys\""), "{error}");
}
