//! Unit tests of replies with actors.

use contract::{Dialect, ReplyMessage};
use plugin_api::Value;
use plugin_api::abi::{Message, RowWriter};

use super::*;

/// The reply to a call that gave so many actors and ended so.
fn reply(dialect: Dialect, rows: u32, ended: &plugin_api::Outcome, in_memory: usize) -> (Replied, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let spools = SpoolFolder::new(folder.path(), in_memory, usize::MAX).unwrap();
    let envelope = Envelope::new(dialect);
    let mut reply = ActorsReply::new(&envelope, Operation::SearchActors, &spools);
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
    let mut replied = reply.finish(ended);
    let mut bytes = Vec::new();
    let expected = replied.body.len();
    loop {
        let block = replied.body.take_block().unwrap();
        if block.is_empty() {
            break;
        }
        bytes.extend_from_slice(&block);
    }
    assert_eq!(bytes.len() as u64, expected);
    assert!(replied.body.is_empty());
    (replied, bytes)
}

#[test]
fn every_outcome_stands_where_its_dialect_wants_it() {
    let rows = 3000;
    for &dialect in Dialect::ALL {
        // In memory, in a file from the first row on, and in a file of several blocks.
        for in_memory in [usize::MAX, 1, 100_000] {
            for ended in [
                plugin_api::Outcome::ok(),
                plugin_api::Outcome::info("read this").tech("quite"),
                plugin_api::Outcome::warning("mind that").code("CODE"),
            ] {
                let (replied, bytes) = reply(dialect, rows, &ended, in_memory);
                let ReplyMessage { envelope, reply } =
                    contract::read_reply(&bytes, Operation::SearchActors).unwrap();
                assert_eq!(envelope.dialect, dialect);
                let Reply::Result { outcome, payload: Payload::Actors(Some(actors)) } = reply else {
                    panic!("{reply:?}")
                };
                assert_eq!(outcome, convert::outcome(&ended));
                assert_eq!(actors.len(), 3000);
                assert_eq!(actors[2999].erp_key.as_deref(), Some("2999"));
                assert_eq!(actors[2999].parent_erp_key.as_deref(), Some("7"));
                assert_eq!((replied.state, replied.rows), (Some(ended.state), 3000));
                assert!(replied.error.is_none());
            }
        }
    }
}

#[test]
fn an_error_takes_all_rows_back() {
    let mut ended = plugin_api::Outcome::warning("too late").code("LATE");
    ended.state = State::Error;
    let (replied, bytes) = reply(Dialect::Data, 1000, &ended, 1);
    let answer = contract::read_reply(&bytes, Operation::SearchActors).unwrap();
    let Reply::Result { outcome, payload: Payload::Actors(None) } = answer.reply else {
        panic!("{answer:?}")
    };
    assert_eq!((outcome.error_code.as_deref(), replied.rows), (Some("LATE"), 0));
    assert_eq!(replied.error, Some(outcome));
}
