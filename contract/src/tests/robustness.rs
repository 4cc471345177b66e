//! Robustness: no input makes the reader panic.

use proptest::prelude::*;
use proptest::sample::Index;

use super::recordings::{Recording, recordings};
use crate::*;

/// Reads a message in every way there is.
fn read_everything(bytes: &[u8], recording: &Recording) {
    let _ = read_call(bytes, Some(&recording.action)).map(|call| format!("{call:?}"));
    let _ = read_call(bytes, None).map(|call| call.soap_action());
    match read_reply(bytes, recording.operation) {
        Err(error) => assert!(!error.to_string().is_empty()),
        Ok(answer) => drop(format!("{answer:?}")),
    }
    for charset in [None, Some("utf-16"), Some("utf-16be"), Some("latin1")] {
        if let Ok(decoded) = decode(bytes, charset) {
            let _ = read_call(&decoded, Some(&recording.action));
        }
    }
}

proptest! {
    #[test]
    fn reader_does_not_panic_on_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        read_everything(&bytes, &recordings()[0]);
    }

    #[test]
    fn reader_does_not_panic_on_a_damaged_message(
        which in any::<Index>(),
        is_request: bool,
        damages in proptest::collection::vec((any::<Index>(), any::<u8>(), 0u8..5), 1..6),
    ) {
        let recording = which.get(recordings());
        let text = if is_request { &recording.request } else { &recording.response };
        let mut bytes = text.as_bytes().to_vec();
        for (at, byte, kind) in damages {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, b"<>&'\"/ !?-[]"[usize::from(byte) % 12]),
                2 => drop(bytes.remove(at)),
                3 => bytes.truncate(at),
                _ => bytes.extend_from_within(at..),
            }
        }
        read_everything(&bytes, recording);
    }
}

#[test]
fn every_prefix_of_a_message_is_refused() {
    for recording in recordings().iter().filter(|recording| recording.name.ends_with("/test-config")) {
        for length in 0..recording.request.len() {
            let bytes = &recording.request.as_bytes()[..length];
            assert!(read_call(bytes, Some(&recording.action)).is_err(), "{length} bytes");
        }
    }
}
