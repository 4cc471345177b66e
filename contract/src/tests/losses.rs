//! The strict check of replies: what a WCF client would lose.

use super::recordings::recordings;
use crate::*;

#[test]
fn recorded_reply_loses_nothing() {
    for recording in recordings() {
        let found =
            losses(recording.response.as_bytes(), recording.operation, &Envelope::new(recording.dialect));
        assert_eq!(found, [], "{}", recording.name);
    }
}

#[test]
fn each_kind_of_loss_is_found() {
    use LossKind as Kind;
    let actor = "<ErpKey>1</ErpKey>";
    let cases: &[(&str, &str, Kind, &str)] = &[
        (
            "<IsOk>true</IsOk><State>Ok</State>",
            "<State>Ok</State><IsOk>true</IsOk>",
            Kind::Order,
            "ActorArrayPluginResponseWS: IsOk comes after State, expected before it",
        ),
        (actor, "", Kind::Order, ""),
        (
            actor,
            "<ErpKey xmlns=\"urn:other\">1</ErpKey>",
            Kind::Namespace,
            "ErpActorWS: ErpKey is in the namespace \"urn:other\"",
        ),
        ("<ErpActorWS>", "<x/><ErpActorWS>", Kind::Namespace, "Actors: <x> of"),
        (actor, "<ErpKey>1</ErpKey><ErpKey>1</ErpKey>", Kind::Twice, "ErpActorWS: ErpKey comes twice"),
        ("<IsOk>true</IsOk>", "", Kind::Missing, "ActorArrayPluginResponseWS has no IsOk"),
        (
            "<State>Ok</State>",
            "<State>Fine</State>",
            Kind::Value,
            "State holds Some(\"Fine\"), which is no State",
        ),
        ("<IsOk>true</IsOk>", "<IsOk>True</IsOk>", Kind::Value, "IsOk holds Some(\"True\")"),
        ("<s:Envelope", "\u{feff}<s:Envelope", Kind::Envelope, "byte order mark"),
        (
            "<s:Body>",
            "<s:Header><Action s:mustUnderstand=\"1\"/></s:Header><s:Body>",
            Kind::Envelope,
            "mustUnderstand",
        ),
        (
            "EIS/Connector/1.0\"",
            "EIS/Connector/2.0\"",
            Kind::Wrapping,
            "expected <ActorArrayPluginResponseWS> of",
        ),
        (
            "<a:Key>NAME</a:Key><a:Value>A</a:Value>",
            "<a:Value>A</a:Value><a:Key>NAME</a:Key>",
            Kind::Order,
            "expected a Key and then a Value",
        ),
    ];
    let row = Actor {
        erp_key: Some("1".into()),
        field_values: Some([("NAME", Some("A"))].into_iter().collect()),
        ..Actor::default()
    };
    let reply = Reply::with(Outcome::ok(), Payload::Actors(Some(vec![row])));
    let envelope = Envelope::new(Dialect::Message);
    let mut out = Vec::new();
    write_reply(&mut out, &envelope, Operation::GetActors, &reply);
    let sound = String::from_utf8(out).unwrap();
    for (from, to, kind, expected) in cases {
        assert!(sound.contains(from), "no {from} in {sound}");
        let found = losses(sound.replacen(from, to, 1).as_bytes(), Operation::GetActors, &envelope);
        match found.first() {
            // A member that is absent is null, which is no loss.
            None => assert!(expected.is_empty(), "{to}: nothing is lost"),
            Some(first) => {
                assert_eq!(first.kind, *kind, "{to}: {first:?}");
                assert!(!expected.is_empty() && first.text.contains(expected), "{to}: {first:?}");
            }
        }
    }
}

#[test]
fn client_of_another_dialect_loses_everything() {
    for recording in recordings().iter().filter(|recording| recording.json.get("fault").is_none()) {
        let same_for_both = recording.operation == Operation::Authenticate;
        for &dialect in
            [Dialect::Message, Dialect::Data, Dialect::Plain].iter().filter(|one| **one != recording.dialect)
        {
            let found = losses(recording.response.as_bytes(), recording.operation, &Envelope::new(dialect));
            assert!(!found.is_empty() || same_for_both, "{} as {dialect}", recording.name);
        }
    }
}
