//! The handshake: its content, and which plugins it refuses.

use std::ptr;

use super::calls::Plain;
use crate::abi::{About, ApiVersion, Handshake, Refused, Root};

static ROOT: Root = Root::of::<Plain>();
static HANDSHAKE: Handshake = Handshake::of::<Plain>("1.2.3", 0, &ROOT);

fn read(handshake: *const Handshake) -> Result<About, Refused> {
    // SAFETY: the tests give null or a handshake whose texts are static.
    unsafe { Handshake::at(handshake) }?.about()
}

#[test]
fn handshake_has_names_and_versions() {
    let about = read(&raw const HANDSHAKE).unwrap();
    assert_eq!(
        (about.connector.as_str(), about.version.as_str(), about.api),
        ("Plain", "1.2.3", ApiVersion::OURS)
    );
    assert_eq!(about.needs, ApiVersion { minor: 0, patch: 0, ..ApiVersion::OURS });
    assert!(about.rustc.starts_with("rustc "), "{}", about.rustc);
    assert!(about.target.contains(std::env::consts::ARCH), "{}", about.target);
    assert_eq!(about.check(), Ok(()));
}

#[test]
fn handshake_at_null_is_refused() {
    assert_eq!(read(ptr::null()), Err(Refused::NotAPlugin));
}

#[test]
fn handshake_of_an_incompatible_plugin_is_refused() {
    let about = read(&raw const HANDSHAKE).unwrap();
    let ours = ApiVersion::OURS;
    let api = |major, minor, patch| ApiVersion { major, minor, patch };
    let cases = [
        (
            About { api: api(ours.major + 1, 0, 0), ..about.clone() },
            "built for plugin API 3.0.0, this host has 2.0.0",
        ),
        (
            About { api: api(1, 1, 0), ..about.clone() },
            "it was built for plugin API 1.1.0, this host has 2.0.0; build the plugin with erp-host-plugin-api 2",
        ),
        (
            About { needs: api(ours.major, ours.minor + 1, 0), ..about.clone() },
            "it needs plugin API 2.1, newer than this host's 2.0.0; update the host, or get a build for 2.0",
        ),
        (
            About { target: "z80-unknown-cpm".to_owned(), ..about.clone() },
            "built for z80-unknown-cpm, this host runs on",
        ),
        (About { panic_aborts: true, ..about.clone() }, "built with panic = \"abort\""),
        (About { connector: " ".to_owned(), ..about.clone() }, "its connector has no name"),
    ];
    for (about, expected) in cases {
        let refused = about.check().unwrap_err().to_string();
        assert!(refused.contains(expected) && !refused.contains('\n'), "{refused}");
    }
    // Only the version that it needs counts, not the one that it was built with.
    assert_eq!(About { api: api(ours.major, ours.minor + 1, ours.patch + 7), ..about }.check(), Ok(()));
}
