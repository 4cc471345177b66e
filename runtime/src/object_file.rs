//! Checks a shared library's headers before the system's loader opens it. The loader maps what the headers name without
//! comparing it with the file's size: on Linux a truncated library would end the process with SIGBUS instead of an error, and
//! the error of Windows is the same for a truncated library and one for another processor.

use thiserror::Error;

/// Why a file is not a library that this system can load.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ObjectFileError {
    /// It has no content.
    #[error("the file is empty; copy it again")]
    Empty,
    /// It has the magic number of no known format.
    #[error("it is not a shared library; build the plugin as a cdylib")]
    NotALibrary,
    /// It has the format of another operating system, which is named.
    #[error("it is a library for {0}, this host runs on {here}; build the plugin for this system", here = std::env::consts::OS)]
    OtherSystem(&'static str),
    /// It has another word size, byte order or instruction set.
    #[error("it is a library for another processor, this host runs on {here}; build the plugin for this processor", here = std::env::consts::ARCH)]
    OtherProcessor,
    /// It is a program or an object file.
    #[error("it is a program or an object file, not a shared library; build the plugin as a cdylib")]
    NotShared,
    /// It is shorter than its headers say.
    #[error("the file is truncated: it has {length} bytes and says that it has {expected}; copy it again")]
    Truncated {
        /// The file's size in bytes.
        length: u64,
        /// The size in bytes that its headers need.
        expected: u64,
    },
}

/// Checks that the bytes are a complete shared library for this system and processor.
///
/// # Errors
/// They are not.
pub(crate) fn check(bytes: &[u8]) -> Result<(), ObjectFileError> {
    let system = match bytes {
        [] => return Err(ObjectFileError::Empty),
        [0x7f, b'E', b'L', b'F', ..] => "linux",
        [b'M', b'Z', ..] => "windows",
        [0xcf | 0xce, 0xfa, 0xed, 0xfe, ..] | [0xca, 0xfe, 0xba, 0xbe, ..] => "macos",
        _ => return Err(ObjectFileError::NotALibrary),
    };
    match system {
        _ if system != std::env::consts::OS => Err(ObjectFileError::OtherSystem(system)),
        "linux" => check_elf(bytes),
        "windows" => check_pe(bytes),
        // The loader of macOS checks the file's size itself.
        _ => Ok(()),
    }
}

/// Checks the parts of an ELF file that determine its size: section table, program headers and segments. The offsets are those of
/// the 64-bit or 32-bit format in the ELF specification.
fn check_elf(bytes: &[u8]) -> Result<(), ObjectFileError> {
    let wide = cfg!(target_pointer_width = "64");
    let little = cfg!(target_endian = "little");
    let header = if wide { 64 } else { 52 };
    let file = Headers { bytes, little, least: header as u64 };
    if bytes.get(4) != Some(if wide { &2 } else { &1 }) || bytes.get(5) != Some(if little { &1 } else { &2 })
    {
        return Err(if bytes.len() < 6 { file.truncated(64) } else { ObjectFileError::OtherProcessor });
    }
    if bytes.len() < header {
        return Err(file.truncated(header as u64));
    }
    const SHARED: u64 = 3;
    if file.number(16, 2)? != SHARED {
        return Err(ObjectFileError::NotShared);
    }
    if machine().is_some_and(|machine| file.number(18, 2) != Ok(machine)) {
        return Err(ObjectFileError::OtherProcessor);
    }
    let (programs, sections) = if wide { (32, 40) } else { (28, 32) };
    let (sizes, word) = if wide { (54, 8) } else { (42, 4) };
    let table = |at: usize, size_at: usize| -> Result<(u64, u64, u64), ObjectFileError> {
        Ok((file.number(at, word)?, file.number(size_at, 2)?, file.number(size_at + 2, 2)?))
    };
    // Linkers write the section table to the end of the file.
    let (start, size, count) = table(sections, sizes + 4)?;
    file.holds(start, size.saturating_mul(count))?;
    let (start, size, count) = table(programs, sizes)?;
    file.holds(start, size.saturating_mul(count))?;
    for index in 0..count {
        // `holds` has checked that the table is within the file, whose length is a usize.
        let entry = usize::try_from(start + index * size).unwrap_or(usize::MAX);
        let (offset, length) = if wide { (8, 32) } else { (4, 16) };
        let offset = file.number(entry.saturating_add(offset), word)?;
        let length = file.number(entry.saturating_add(length), word)?;
        file.holds(offset, length)?;
    }
    Ok(())
}

/// Checks the parts of a PE file that determine its size: the section table and the sections. The offsets are those of Microsoft's
/// "PE Format".
fn check_pe(bytes: &[u8]) -> Result<(), ObjectFileError> {
    const IS_LIBRARY: u64 = 0x2000;
    const SECTION: u64 = 40;
    let file = Headers { bytes, little: true, least: 64 };
    let start = file.number(60, 4)?;
    file.holds(start, 24)?;
    // `holds` has checked that it is within the file, whose length is a usize.
    let start = usize::try_from(start).unwrap_or(usize::MAX);
    if bytes.get(start..start.saturating_add(4)) != Some(b"PE\0\0") {
        return Err(ObjectFileError::NotALibrary);
    }
    let field = |at: usize| file.number(start.saturating_add(at), 2);
    let machine = match std::env::consts::ARCH {
        "x86_64" => Some(0x8664),
        "aarch64" => Some(0xaa64),
        "x86" => Some(0x14c),
        _ => None,
    };
    if machine.is_some_and(|machine| field(4) != Ok(machine)) {
        return Err(ObjectFileError::OtherProcessor);
    }
    if field(22)? & IS_LIBRARY == 0 {
        return Err(ObjectFileError::NotShared);
    }
    let table = start as u64 + 24 + field(20)?;
    let sections = field(6)?;
    file.holds(table, sections * SECTION)?;
    for index in 0..sections {
        let entry = usize::try_from(table + index * SECTION).unwrap_or(usize::MAX);
        file.holds(file.number(entry.saturating_add(20), 4)?, file.number(entry.saturating_add(16), 4)?)?;
    }
    Ok(())
}

struct Headers<'a> {
    bytes: &'a [u8],
    little: bool,
    /// Bytes of the first header.
    least: u64,
}

impl Headers<'_> {
    fn number(&self, at: usize, size: usize) -> Result<u64, ObjectFileError> {
        let digits = at
            .checked_add(size)
            .and_then(|end| self.bytes.get(at..end))
            .ok_or_else(|| self.truncated(at as u64 + size as u64))?;
        let append = |number: u64, digit: &u8| (number << 8) | u64::from(*digit);
        Ok(if self.little { digits.iter().rev().fold(0, append) } else { digits.iter().fold(0, append) })
    }

    fn holds(&self, start: u64, length: u64) -> Result<(), ObjectFileError> {
        let end = start.saturating_add(length);
        if end > self.bytes.len() as u64 { Err(self.truncated(end)) } else { Ok(()) }
    }

    fn truncated(&self, expected: u64) -> ObjectFileError {
        ObjectFileError::Truncated { length: self.bytes.len() as u64, expected: expected.max(self.least) }
    }
}

/// This processor's `e_machine` number; `None` when it is not in this list.
fn machine() -> Option<u64> {
    Some(match std::env::consts::ARCH {
        "x86_64" => 62,
        "aarch64" => 183,
        "x86" => 3,
        "arm" => 40,
        "riscv64" => 243,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
