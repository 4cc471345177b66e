//! Which files are taken for libraries.

use proptest::prelude::*;

use super::{ImageError, check};

/// A library of this system, as far as `check` looks: this very program is position-independent, and so counts as one.
#[cfg(target_os = "linux")]
fn library() -> Vec<u8> {
    std::fs::read(std::env::current_exe().unwrap()).unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn a_library_is_whole_or_truncated() {
    let library = library();
    assert_eq!(check(&library), Ok(()));
    let length = library.len();
    for cut in [4, 5, 6, 16, 20, 63, 64, 100, length / 4, length / 2, length - 1] {
        assert!(matches!(check(&library[..cut]), Err(ImageError::Truncated { .. })), "cut at {cut}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn other_kinds_of_elf_are_refused() {
    let library = library();
    let with = |at: usize, byte: u8| {
        let mut changed = library.clone();
        changed[at] = byte;
        check(&changed)
    };
    let (width, order, kind, machine) = (4, 5, 16, 18);
    assert_eq!(with(width, 3 - library[width]), Err(ImageError::OtherProcessor));
    assert_eq!(with(order, 3 - library[order]), Err(ImageError::OtherProcessor));
    assert_eq!(with(kind, 1), Err(ImageError::NotShared), "an object file");
    assert_eq!(with(machine, library[machine].wrapping_add(1)), Err(ImageError::OtherProcessor));
}

#[test]
fn what_is_no_library_is_refused() {
    assert_eq!(check(b""), Err(ImageError::Empty));
    assert_eq!(check(b"#!/bin/sh\n"), Err(ImageError::NotALibrary));
    assert_eq!(check(b"PK\x03\x04"), Err(ImageError::NotALibrary));
    #[cfg(target_os = "linux")]
    {
        assert_eq!(check(b"MZ\x90\0"), Err(ImageError::OtherSystem("windows")));
        assert_eq!(check(b"\xcf\xfa\xed\xfe"), Err(ImageError::OtherSystem("macos")));
    }
}

proptest! {
    /// No header, however odd, makes the check itself fail; and none that points behind the end is taken.
    #[test]
    fn odd_headers_are_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..200), kind in any::<bool>()) {
        let head = [0x7f, b'E', b'L', b'F', 2, 1];
        for (byte, known) in bytes.iter_mut().zip(head) {
            *byte = known;
        }
        if kind && bytes.len() > 20 {
            bytes[16..20].copy_from_slice(&[3, 0, 62, 0]);
        }
        let _ = check(&bytes);
    }
}
