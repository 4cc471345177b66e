//! Unit tests of replies with actors.

use contract::{Dialect, ReplyMessage};
use plugin_api::Value;
use plugin_api::abi::{Message, RowWriter};

use super::*;
use crate::config::RouterConfig;
use crate::spool::SpoolFolder;

/// Writes a reply with so many actors and this outcome; returns its bytes, too.
fn reply(
    dialect: Dialect,
    rows: u32,
    outcome: &plugin_api::Outcome,
    max_in_memory: usize,
) -> (WrittenReply, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let config = RouterConfig { reply_in_memory: max_in_memory, ..RouterConfig::default() };
    let spools = SpoolFolder::new(folder.path(), &config).unwrap().of_peer([192, 0, 2, 1].into());
    let envelope = Envelope::new(dialect);
    let mut reply = ActorsReplyWriter::new(&envelope, Operation::SearchActors, &spools);
    for key in 0..rows {
        let mut message = Message::new();
        let mut writer = RowWriter::new(&mut message);
        writer.begin("Customer", key);
        writer.parent("Partner", "7");
        writer.field("NAME", &Value::from("<Ærlig>"));
        writer.end();
        let row = RowRef::read(&mut message.as_ref().reader()).unwrap();
        assert_eq!(reply.push(&row), ControlFlow::Continue(()));
    }
    let mut written = reply.finish(outcome);
    let mut bytes = Vec::new();
    let expected = written.body.len();
    loop {
        let block = written.body.next_block().unwrap();
        if block.is_empty() {
            break;
        }
        bytes.extend_from_slice(&block);
    }
    assert_eq!(bytes.len() as u64, expected);
    assert!(written.body.is_empty());
    (written, bytes)
}

#[test]
fn actors_reply_has_the_outcome_where_its_dialect_wants_it() {
    let rows = 3000;
    for &dialect in Dialect::ALL {
        // In memory, in a file from the first row on, and in a file that is written in several steps.
        for max_in_memory in [usize::MAX, 1, 100_000] {
            for expected in [
                plugin_api::Outcome::ok(),
                plugin_api::Outcome::info("read this").tech("quite"),
                plugin_api::Outcome::warning("mind that").code("CODE"),
            ] {
                let (written, bytes) = reply(dialect, rows, &expected, max_in_memory);
                let ReplyMessage { envelope, reply } =
                    contract::read_reply(&bytes, Operation::SearchActors).unwrap();
                assert_eq!(envelope.profile().dialect(), Some(dialect));
                let Reply::Result { outcome, payload: Payload::Actors(Some(actors)) } = reply else {
                    panic!("{reply:?}")
                };
                assert_eq!(outcome, convert::outcome(&expected));
                assert_eq!(actors.len(), 3000);
                assert_eq!(actors[2999].erp_key.as_deref(), Some("2999"));
                assert_eq!(actors[2999].parent_erp_key.as_deref(), Some("7"));
                assert_eq!((written.state, written.rows), (Some(expected.state), 3000));
                assert!(written.error.is_none());
            }
        }
    }
}

#[test]
fn actors_reply_with_an_error_has_no_rows() {
    let mut error = plugin_api::Outcome::warning("too late").code("LATE");
    error.state = State::Error;
    let (written, bytes) = reply(Dialect::Data, 1000, &error, 1);
    let answer = contract::read_reply(&bytes, Operation::SearchActors).unwrap();
    let Reply::Result { outcome, payload: Payload::Actors(None) } = answer.reply else {
        panic!("{answer:?}")
    };
    assert_eq!((outcome.error_code.as_deref(), written.rows), (Some("LATE"), 0));
    assert_eq!(written.error, Some(outcome));
}

/// The bytes of a reply, which a strict reader can read.
fn well_formed(reply: &mut SpooledReply) -> Vec<u8> {
    let mut bytes = Vec::new();
    while !reply.is_empty() {
        bytes.extend_from_slice(&reply.next_block().unwrap());
    }
    roxmltree::Document::parse(std::str::from_utf8(&bytes).unwrap()).unwrap();
    bytes
}

#[test]
fn replies_have_no_nul_character_whatever_a_connector_has() {
    const EVIL: &str = "a\0\0\r\n\tb&#x1;";
    const CLEAN: &str = "a\u{fffd}\u{fffd}\r\n\tb&#x1;";
    let folder = tempfile::tempdir().unwrap();
    let spools = SpoolFolder::new(folder.path(), &RouterConfig::default()).unwrap();
    let spools = spools.of_peer([192, 0, 2, 1].into());
    for &dialect in Dialect::ALL {
        let envelope = Envelope::new(dialect);
        let mut reply = ActorsReplyWriter::new(&envelope, Operation::SearchActors, &spools);
        for key in ["1", EVIL] {
            let mut message = Message::new();
            let mut writer = RowWriter::new(&mut message);
            writer.begin(EVIL, key);
            writer.parent(EVIL, EVIL);
            writer.last_modified(EVIL);
            writer.field("GOOD", &Value::from("x"));
            writer.field(EVIL, &Value::from(EVIL));
            writer.end();
            let row = RowRef::read(&mut message.as_ref().reader()).unwrap();
            assert_eq!(reply.push(&row), ControlFlow::Continue(()));
        }
        let outcome = plugin_api::Outcome::warning(EVIL).tech(EVIL).code(EVIL);
        let mut written = reply.finish(&outcome);
        assert!(written.replaced.as_deref().is_some_and(|place| place.contains("field")), "{written:?}");
        let bytes = well_formed(&mut written.body);
        let read = contract::read_reply(&bytes, Operation::SearchActors).unwrap().reply;
        let Reply::Result { outcome, payload: Payload::Actors(Some(actors)) } = read else {
            panic!("{read:?}")
        };
        assert_eq!((outcome.state, outcome.user_explanation.as_deref()), (State::Warning, Some(CLEAN)));
        assert_eq!((actors.len(), actors[1].erp_key.as_deref()), (2, Some(CLEAN)));
        assert_eq!(actors[0].field_values.as_ref().unwrap().get("GOOD"), Some(Some("x")));
        assert_eq!(actors[0].field_values.as_ref().unwrap().get(CLEAN), Some(Some(CLEAN)));

        // Everything that is written at once.
        let text = || Some(std::borrow::Cow::Borrowed(EVIL));
        let field = contract::Field {
            field_key: text(),
            display_name: text(),
            display_description: text(),
            default_value: text(),
            list_name: text(),
            ..contract::Field::default()
        };
        let items = [(EVIL, Some(EVIL))].into_iter().collect();
        for (operation, payload) in [
            (Operation::GetConfigData, Payload::Fields(Some(vec![field]))),
            (Operation::GetSupportedActorTypes, Payload::Items(Some(vec![text()]))),
            (Operation::GetList, Payload::ListItems(Some(items))),
        ] {
            let mut written = self::payload(
                &envelope,
                operation,
                &convert::outcome(&plugin_api::Outcome::info(EVIL)),
                payload,
                1,
                &spools,
            );
            well_formed(&mut written.body);
            assert!(written.replaced.is_some());
        }
    }
    well_formed(&mut fault(SoapVersion::V12, &Fault::client(EVIL)));
}
