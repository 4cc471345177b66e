//! What is read from real plugin files, and from broken ones.

use plugin_api::abi::Refused;
use proptest::prelude::*;
use test_support::plugins_folder::built;
use test_support::{HELLO, ROGUE, VERSIONS};

use super::read;

#[test]
fn handshake_is_read_without_loading_the_file() {
    for (package, connector) in [(ROGUE, "Rogue"), (HELLO, "Hello"), (VERSIONS[0], "Versioned")] {
        let bytes = std::fs::read(built(package)).unwrap();
        let about = read(&bytes).unwrap();
        assert_eq!(about.connector, connector);
        assert!(about.rustc.starts_with("rustc "), "{about:?}");
        assert_eq!(about.check(), Ok(()));
    }
}

#[test]
fn files_without_a_handshake_are_refused() {
    assert!(matches!(read(b""), Err(Refused::Broken(_))));
    let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    assert_eq!(read(&program), Err(Refused::NotAPlugin));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(test_support::scale::cases(200)))]

    /// Whatever the headers of a file say, reading ends with a result.
    #[test]
    fn handshake_of_a_damaged_file_is_read_or_refused(places in prop::collection::vec((0usize..2048, any::<u8>()), 1..8)) {
        let mut bytes = std::fs::read(built(HELLO)).unwrap();
        for (place, byte) in places {
            bytes[place] = byte;
        }
        let _ = read(&bytes);
    }
}
