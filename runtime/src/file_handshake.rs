//! Reads the handshake of a plugin file without loading it, so that no code of the file runs before it is known where it may.

use object::read::{ExportTarget, NameOrOrdinal};
use object::{Object, ObjectSegment, ObjectSymbol, ObjectSymbolTable, RelocationTarget};
use plugin_api::abi::{About, HANDSHAKE_SYMBOL, Refused};

/// The bits of a pointer in a Mach-O file that are its target; the loader's list of pointers is in the others.
const MACHO_TARGET: u64 = (1 << 36) - 1;

/// Reads the handshake of a plugin file.
///
/// # Errors
/// The file has no handshake, or one that only its code makes.
pub(crate) fn read(bytes: &[u8]) -> Result<About, Refused> {
    let file =
        object::File::parse(bytes).map_err(|_| Refused::Broken("the file's headers cannot be read"))?;
    let handshake = symbol(&file).ok_or(Refused::NotAPlugin)?;
    let at = |offset: usize| handshake.checked_add(offset as u64);
    About::in_file(
        |offset, length| data(&file, at(offset)?, length),
        |offset, length| data(&file, pointee(&file, at(offset)?)?, length),
    )
}

/// The address of the handshake, in the addresses of the file. Symbols of Mach-O files begin with an underscore.
fn symbol(file: &object::File<'_>) -> Option<u64> {
    let prefix = if file.format() == object::BinaryFormat::MachO { "_" } else { "" };
    let is_handshake = |name: NameOrOrdinal<&[u8]>| match name {
        NameOrOrdinal::Name(name) => {
            name.strip_prefix(prefix.as_bytes()) == Some(HANDSHAKE_SYMBOL.as_bytes())
        }
        NameOrOrdinal::Ordinal(_) => false,
    };
    file.exports().ok()?.filter_map(Result::ok).find(|export| is_handshake(export.name())).and_then(
        |export| match export.target() {
            ExportTarget::Address { address } => Some(address),
            _ => None,
        },
    )
}

/// The bytes at an address.
fn data<'f>(file: &object::File<'f>, address: u64, length: usize) -> Option<&'f [u8]> {
    file.segments().find_map(|segment| segment.data_range(address, length as u64).ok().flatten())
}

/// What the pointer at an address points to. ELF files have relocations with the target in them; in the others, and with
/// relative relocations that are packed, the target is where the pointer is.
fn pointee(file: &object::File<'_>, address: u64) -> Option<u64> {
    let relocation = file
        .dynamic_relocations()
        .into_iter()
        .flatten()
        .find(|(at, _)| *at == address)
        .map(|(_, found)| found);
    if let Some(relocation) = relocation.filter(|relocation| !relocation.has_implicit_addend()) {
        let base = match relocation.target() {
            RelocationTarget::Symbol(index) => {
                file.dynamic_symbol_table()?.symbol_by_index(index).ok()?.address()
            }
            _ => 0,
        };
        return Some(base.wrapping_add_signed(relocation.addend()));
    }
    let pointer = data(file, address, size_of::<usize>())?;
    let pointer = usize::from_ne_bytes(pointer.try_into().ok()?) as u64;
    Some(if file.format() == object::BinaryFormat::MachO { pointer & MACHO_TARGET } else { pointer })
}

#[cfg(test)]
mod tests;
