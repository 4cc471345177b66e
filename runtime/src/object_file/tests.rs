//! Which files the check of object files accepts.

use proptest::prelude::*;

use super::{ObjectFileError, check, check_pe};

/// The headers of a PE library with one section, and the section.
fn pe_library() -> Vec<u8> {
    let mut bytes = vec![0; 0x400];
    let mut put = |at: usize, content: &[u8]| bytes[at..at + content.len()].copy_from_slice(content);
    put(0, b"MZ");
    put(60, &0x80_u32.to_le_bytes());
    put(0x80, b"PE\0\0");
    let machine: u16 = if cfg!(target_arch = "aarch64") { 0xaa64 } else { 0x8664 };
    put(0x84, &machine.to_le_bytes());
    put(0x86, &1_u16.to_le_bytes());
    put(0x94, &0xf0_u16.to_le_bytes());
    put(0x96, &0x2022_u16.to_le_bytes());
    let section = 0x80 + 24 + 0xf0;
    put(section + 16, &0x200_u32.to_le_bytes());
    put(section + 20, &0x200_u32.to_le_bytes());
    bytes
}

#[test]
fn pe_library_is_accepted_and_others_are_refused() {
    let library = pe_library();
    assert_eq!(check_pe(&library), Ok(()));
    for cut in [2, 63, 64, 0x90, 0x180, 0x200, 0x3ff] {
        let refused = check_pe(&library[..cut]);
        assert!(matches!(refused, Err(ObjectFileError::Truncated { .. })), "cut at {cut}: {refused:?}");
    }
    let with = |at: usize, byte: u8| {
        let mut changed = library.clone();
        changed[at] = byte;
        check_pe(&changed)
    };
    assert_eq!(with(0x84, 0x4c), Err(ObjectFileError::OtherProcessor));
    assert_eq!(with(0x97, 0), Err(ObjectFileError::NotShared), "a program");
    assert_eq!(with(0x80, b'L'), Err(ObjectFileError::NotALibrary), "a program of DOS");
}

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
    #[cfg(windows)]
    assert_eq!(check(b"\x7fELF\x02\x01"), Err(ObjectFileError::OtherSystem("linux")));
    #[cfg(target_os = "linux")]
    {
        assert_eq!(check(b"MZ\x90\0"), Err(ObjectFileError::OtherSystem("windows")));
        assert_eq!(check(b"\xcf\xfa\xed\xfe"), Err(ObjectFileError::OtherSystem("macos")));
    }
}

proptest! {
    /// No header makes the check panic.
    #[test]
    fn headers_of_any_content_do_not_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200), kind in any::<bool>()) {
        let head = [0x7f, b'E', b'L', b'F', 2, 1];
        for (byte, known) in bytes.iter_mut().zip(head) {
            *byte = known;
        }
        if kind && bytes.len() > 20 {
            bytes[16..20].copy_from_slice(&[3, 0, 62, 0]);
        }
        let _ = check(&bytes);
        bytes.splice(0..2.min(bytes.len()), *b"MZ");
        let _ = check_pe(&bytes);
    }
}
