//! The version of the GNU C library that a plugin file needs: one that was built on a newer system cannot be loaded on an older one.

use object::elf::FileHeader64;
use object::read::elf::{FileHeader, SectionHeader};

/// The newest version of glibc whose symbols an ELF file needs, such as `2.34`; `None`: it needs none, or is another kind of file.
pub fn required_glibc(bytes: &[u8]) -> Option<String> {
    let header = FileHeader64::<object::Endianness>::parse(bytes).ok()?;
    let endian = header.endian().ok()?;
    let sections = header.sections(endian, bytes).ok()?;
    let (needs, strings) = sections.iter().find_map(|section| {
        let (needs, link) = section.gnu_verneed(endian, bytes).ok()??;
        Some((needs, sections.strings(endian, bytes, link).ok()?))
    })?;
    let mut newest: Option<Vec<u32>> = None;
    for (_, versions) in needs.filter_map(Result::ok) {
        for version in versions.filter_map(Result::ok) {
            let name = version.name(endian, strings).ok().and_then(|name| str::from_utf8(name).ok());
            let numbers = name.and_then(|name| name.strip_prefix("GLIBC_")).and_then(|numbers| {
                numbers.split('.').map(|number| number.parse().ok()).collect::<Option<Vec<u32>>>()
            });
            newest = newest.max(numbers);
        }
    }
    newest.map(|numbers| numbers.iter().map(u32::to_string).collect::<Vec<_>>().join("."))
}

#[cfg(test)]
mod tests {
    use super::required_glibc;

    #[test]
    fn required_glibc_of_other_files_is_none() {
        for bytes in [&b""[..], b"nothing", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0"] {
            assert_eq!(required_glibc(bytes), None);
        }
    }

    #[cfg(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64"))]
    #[test]
    fn required_glibc_of_a_program_is_one_that_runs_here() {
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let version = required_glibc(&program).expect("this program needs glibc");
        assert!(version.starts_with("2."), "{version}");
    }
}
