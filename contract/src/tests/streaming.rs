//! Replies written row by row.

use std::sync::Arc;

use proptest::prelude::*;

use super::strategies;
use crate::*;

proptest! {
    /// Rows are written while they arrive, with a head that assumes the best; the true head then takes its place.
    #[test]
    fn streamed_reply_is_the_same_as_the_whole(
        envelope in strategies::envelope(),
        outcome in strategies::outcome(),
        rows in proptest::collection::vec(
            (strategies::string(), proptest::option::of(strategies::string()), strategies::string(), any::<bool>()),
            0..4,
        ),
    ) {
        let operation = Operation::SearchActors;
        let writer = ReplyWriter::new(&envelope, operation);
        let (mut assumed, mut spool, mut head) = (Vec::new(), Vec::new(), Vec::new());
        writer.head(&mut assumed, &Outcome::ok());
        let mut actors = Vec::new();
        for (key, stamp, value, has_parent) in &rows {
            let row = ActorRow {
                actor_type: "Person",
                erp_key: key,
                last_modified: stamp.as_deref(),
                parent: has_parent.then_some(("Customer", key.as_str())),
            };
            writer.actor(&mut spool, &row, [("NAME", Some(value.as_str())), ("NOTE", None)]);
            actors.push(Actor {
                actor_type: Some("Person".into()),
                erp_key: Some(key.as_str().into()),
                field_values: Some([("NAME", Some(value.as_str())), ("NOTE", None)].into_iter().collect()),
                last_modified: stamp.as_deref().map(Into::into),
                parent_actor_type: has_parent.then_some("Customer".into()),
                parent_erp_key: has_parent.then_some(key.as_str().into()),
            });
        }
        writer.tail(&mut spool, &outcome);
        writer.head(&mut head, &outcome);
        if !writer.head_depends_on_outcome() {
            prop_assert_eq!(&head, &assumed);
        }
        head.extend_from_slice(&spool);

        let mut whole = Vec::new();
        write_reply(&mut whole, &envelope, operation, &Reply::with(outcome, Payload::Actors(Some(actors))));
        prop_assert_eq!(String::from_utf8(head), String::from_utf8(whole));
    }
}

#[test]
fn outcome_stands_before_the_actors_unless_members_are_ordered_by_name() {
    for profile in Profile::all_builtin() {
        let writer = ReplyWriter::new(&Arc::clone(profile).into(), Operation::GetActors);
        let expected = !matches!(profile.name(), "message" | "message-by-operation");
        assert_eq!(writer.head_depends_on_outcome(), expected, "{}", profile.name());
    }
}

#[test]
fn streamed_rows_declare_no_namespaces() {
    let writer = ReplyWriter::new(&Envelope::new(Dialect::Plain), Operation::GetActors);
    let row = ActorRow { actor_type: "Customer", erp_key: "1", last_modified: Some("s"), parent: None };
    let mut out = Vec::new();
    writer.actor(&mut out, &row, [("NAME", Some("Nm"))]);
    let out = String::from_utf8(out).unwrap();
    assert!(!out.contains("xmlns"), "{out}");
    assert_eq!(
        out,
        "<ErpActorWS><ActorType>Customer</ActorType><ErpKey>1</ErpKey><FieldValues><a:KeyValueOfstringstring>\
         <a:Key>NAME</a:Key><a:Value>Nm</a:Value></a:KeyValueOfstringstring></FieldValues>\
         <LastModified>s</LastModified><ParentActorType i:nil=\"true\"/><ParentErpKey i:nil=\"true\"/></ErpActorWS>"
    );
}
