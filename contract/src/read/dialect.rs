//! Dialect detection: the dialect of a message is decided here, from the name of its body element and from where the
//! members stand in it, while they are read.
//!
//! - A body element named after a class, with the members directly in it: `message`.
//! - Named after an operation, with the members directly in it: `message-by-operation`.
//! - Named after an operation, with the members one level below: `data`, or `plain` if they stand in a namespace of .NET's.
//!   The name of that level (`request` and `..Result` with WCF) does not matter.
//! - Named after an operation, without members: undecided; the caller chooses.

use std::borrow::Cow;

use super::error::Refusal;
use super::members::Members;
use super::reader::{NamespaceKind, Reader};
use crate::class::Class;
use crate::{Dialect, namespace};

/// The dialect, as far as the members show it.
#[derive(Debug, Default)]
pub(super) struct DetectedDialect {
    /// `None` when there was no member.
    pub(super) dialect: Option<Dialect>,
    /// The members' namespace in the `plain` dialect.
    pub(super) plain_namespace: Option<Cow<'static, str>>,
}

/// Reads the members of an element that is named after a class: they stand directly in it.
pub(super) fn read_class_element<'a>(
    reader: &mut Reader<'a>,
    class: &'static Class,
    into: &mut Members<'a>,
) -> Result<(), Refusal> {
    while let Some(local) = reader.child(class.name)? {
        match class.find(local) {
            Some(member) if reader.namespace_kind() != NamespaceKind::Foreign => into.read(member, reader)?,
            _ => reader.skip()?,
        }
    }
    Ok(())
}

/// Reads the members of an element that is named after an operation: they stand directly in it, or one level below.
pub(super) fn read_operation_element<'a>(
    reader: &mut Reader<'a>,
    class: &'static Class,
    element: &str,
    into: &mut Members<'a>,
) -> Result<DetectedDialect, Refusal> {
    let mut form = DetectedDialect::default();
    while let Some(local) = reader.child(element)? {
        let is_foreign = reader.namespace_kind() == NamespaceKind::Foreign;
        match class.find(local) {
            Some(member) if !is_foreign => {
                if form.dialect != Some(Dialect::MessageByOperation) {
                    // What was read as the inner element was an unknown member.
                    *into = Members::default();
                    form =
                        DetectedDialect { dialect: Some(Dialect::MessageByOperation), plain_namespace: None };
                }
                into.read(member, reader)?;
            }
            _ if is_foreign || form.dialect.is_some() => reader.skip()?,
            _ => form = inner_element(reader, class, into)?,
        }
    }
    Ok(form)
}

/// Reads an element that may hold the members, or may be an unknown member.
fn inner_element<'a>(
    reader: &mut Reader<'a>,
    class: &'static Class,
    into: &mut Members<'a>,
) -> Result<DetectedDialect, Refusal> {
    let mut form = DetectedDialect::default();
    if reader.nil()? {
        return Ok(form);
    }
    while let Some(local) = reader.element()? {
        let kind = reader.namespace_kind();
        match class.find(local) {
            Some(member) if kind != NamespaceKind::Foreign => {
                if form.dialect.is_none() {
                    form.dialect =
                        Some(if kind == NamespaceKind::Plain { Dialect::Plain } else { Dialect::Data });
                    let other = Some(reader.namespace()).filter(|_| kind == NamespaceKind::Plain);
                    form.plain_namespace = other.map(known_or_owned);
                }
                into.read(member, reader)?;
            }
            _ => reader.skip()?,
        }
    }
    Ok(form)
}

/// A namespace to keep; those that nearly every message has need no memory.
pub(super) fn known_or_owned(found: &str) -> Cow<'static, str> {
    let known = [namespace::CONTRACT, namespace::PLAIN, namespace::PLAIN_AUTHENTICATION];
    match known.into_iter().find(|&known| known == found) {
        Some(known) => Cow::Borrowed(known),
        None => Cow::Owned(found.to_owned()),
    }
}
