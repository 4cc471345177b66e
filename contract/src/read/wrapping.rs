//! The elements around the members of a message: where the members are is decided here, while they are read. Which profile
//! the message follows is decided afterwards, from its [`super::structure::Structure`].
//!
//! - The element of the body is the only one in every profile: the members stand directly in it.
//! - In some profiles there is one more: the members stand directly in the body's element, or one level below. The name of
//!   that level (`request` and `..Result` with WCF) does not matter.

use super::error::Refusal;
use super::members::Members;
use super::reader::Reader;
use crate::class::Class;

/// Reads a member that is the element of the body itself.
pub(super) fn read_bare<'a>(
    reader: &mut Reader<'a, '_>,
    class: &'static Class,
    element: &str,
    into: &mut Members<'a>,
) -> Result<(), Refusal> {
    match class.find(element) {
        Some(member) => {
            reader.note_member(member);
            into.read(member, reader)
        }
        None => reader.skip(),
    }
}

/// Reads the members of an element: they stand directly in it.
pub(super) fn read_flat<'a>(
    reader: &mut Reader<'a, '_>,
    class: &'static Class,
    element: &str,
    into: &mut Members<'a>,
) -> Result<(), Refusal> {
    while let Some(local) = reader.child(element)? {
        match class.find(local) {
            Some(member) if !reader.is_foreign() => {
                reader.note_member(member);
                into.read(member, reader)?;
            }
            _ => reader.skip()?,
        }
    }
    Ok(())
}

/// Where the members of an element are, as far as they have shown it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Unknown,
    /// Directly in the element.
    Outer,
    /// In an element of it.
    Inner,
}

/// Reads the members of an element: they stand directly in it, or one level below.
pub(super) fn read_nested<'a>(
    reader: &mut Reader<'a, '_>,
    class: &'static Class,
    element: &str,
    into: &mut Members<'a>,
) -> Result<(), Refusal> {
    let mut level = Level::Unknown;
    while let Some(local) = reader.child(element)? {
        match class.find(local) {
            Some(member) if !reader.is_foreign() => {
                if level != Level::Outer {
                    // What was read as the inner element was an unknown member.
                    *into = Members::default();
                    reader.structure.drop_inner();
                    level = Level::Outer;
                }
                reader.note_member(member);
                into.read(member, reader)?;
            }
            _ if reader.is_foreign() || level != Level::Unknown => reader.skip()?,
            _ => {
                reader.note_inner(local);
                if read_inner(reader, class, into)? {
                    level = Level::Inner;
                }
            }
        }
    }
    Ok(())
}

/// Reads an element that may hold the members, or may be an unknown member. Returns whether it holds some.
fn read_inner<'a>(
    reader: &mut Reader<'a, '_>,
    class: &'static Class,
    into: &mut Members<'a>,
) -> Result<bool, Refusal> {
    let mut has_members = false;
    if reader.nil()? {
        return Ok(false);
    }
    while let Some(local) = reader.element()? {
        match class.find(local) {
            Some(member) if !reader.is_foreign() => {
                has_members = true;
                reader.note_member(member);
                into.read(member, reader)?;
            }
            _ => reader.skip()?,
        }
    }
    Ok(has_members)
}
