//! Which files the check of object files accepts.

use proptest::prelude::*;

use super::{ObjectFileError, check};

/// A library of this system: this test program is position-independent, which has the same headers.
#[cfg(target_os = "linux")]
fn library() -> Vec<u8> {
    std::fs::read(std::env::current_exe().unwrap()).unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn complete_library_is_accepted_and_truncated_one_refused() {
    let library = library();
    assert_eq!(check(&library), Ok(()));
    let length = library.len();
    for cut in [4, 5, 6, 16, 20, 63, 64, 100, length / 4, length / 2, length - 1] {
        assert!(matches!(check(&library[..cut]), Err(ObjectFileError::Truncated { .. })), "cut at {cut}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn elf_files_of_other_kinds_are_refused() {
    let library = library();
    let with = |at: usize, byte: u8| {
        let mut changed = library.clone();
        changed[at] = byte;
        check(&changed)
    };
    let (width, order, kind, machine) = (4, 5, 16, 18);
    assert_eq!(with(width, 3 - library[width]), Err(ObjectFileError::OtherProcessor));
    assert_eq!(with(order, 3 - library[order]), Err(ObjectFileError::OtherProcessor));
    assert_eq!(with(kind, 1), Err(ObjectFileError::NotShared), "an object file");
    assert_eq!(with(machine, library[machine].wrapping_add(1)), Err(ObjectFileError::OtherProcessor));
}

#[test]
fn files_of_other_formats_are_refused() {
    assert_eq!(check(b""), Err(ObjectFileError::Empty));
    assert_eq!(check(b"#!/bin/sh\n"), Err(ObjectFileError::NotALibrary));
    assert_eq!(check(b"PK\x03\x04"), Err(ObjectFileError::NotALibrary));
    #[cfg(target_os = "linux")]
    {
        assert_eq!(check(b"MZ\x90\0"), Err(ObjectFileError::OtherSystem("windows")));
        assert_eq!(check(b"\xcf\xfa\xed\xfe"), Err(ObjectFileError::OtherSystem("macos")));
    }
}

proptest! {
    /// No header makes the check panic.
    #[test]
    fn elf_headers_of_any_content_do_not_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200), kind in any::<bool>()) {
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
