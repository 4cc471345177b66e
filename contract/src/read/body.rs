//! The body element: which dialect it is in, and its members.

use std::borrow::Cow;

use super::error::Refusal;
use super::members::Members;
use super::reader::{Meaning, Reader};
use crate::class::Class;
use crate::{Dialect, namespace};

/// What the members told about the dialect.
#[derive(Debug, Default)]
pub(super) struct Form {
    /// `None` when no member came that would tell.
    pub(super) dialect: Option<Dialect>,
    /// The members' namespace in the `plain` dialect.
    pub(super) plain_namespace: Option<Cow<'static, str>>,
}

/// Reads the members of an element that is named after a class: they stand directly in it.
pub(super) fn of_class<'a>(
    reader: &mut Reader<'a>,
    class: &'static Class,
    into: &mut Members<'a>,
) -> Result<(), Refusal> {
    while let Some(local) = reader.child(class.name)? {
        match class.find(local) {
            Some(member) if reader.meaning() != Meaning::Foreign => into.read(member, reader)?,
            _ => reader.skip()?,
        }
    }
    Ok(())
}

/// Reads the members of an element that is named after an operation: they stand directly in it, or one level below.
/// Which it is shows in the structure, so the name of that level (`request` and `..Result` with WCF) does not matter.
pub(super) fn of_operation<'a>(
    reader: &mut Reader<'a>,
    class: &'static Class,
    element: &str,
    into: &mut Members<'a>,
) -> Result<Form, Refusal> {
    let mut form = Form::default();
    while let Some(local) = reader.child(element)? {
        let is_foreign = reader.meaning() == Meaning::Foreign;
        match class.find(local) {
            Some(member) if !is_foreign => {
                if form.dialect != Some(Dialect::MessageByOperation) {
                    // What was taken for the inner level was an unknown member.
                    *into = Members::default();
                    form = Form { dialect: Some(Dialect::MessageByOperation), plain_namespace: None };
                }
                into.read(member, reader)?;
            }
            _ if is_foreign || form.dialect.is_some() => reader.skip()?,
            _ => form = inner_level(reader, class, into)?,
        }
    }
    Ok(form)
}

/// Reads what may be the level that holds the members, or may be an unknown member.
fn inner_level<'a>(
    reader: &mut Reader<'a>,
    class: &'static Class,
    into: &mut Members<'a>,
) -> Result<Form, Refusal> {
    let mut form = Form::default();
    if reader.nil()? {
        return Ok(form);
    }
    while let Some(local) = reader.element()? {
        let meaning = reader.meaning();
        match class.find(local) {
            Some(member) if meaning != Meaning::Foreign => {
                if form.dialect.is_none() {
                    form.dialect =
                        Some(if meaning == Meaning::Plain { Dialect::Plain } else { Dialect::Data });
                    let other = Some(reader.namespace()).filter(|_| meaning == Meaning::Plain);
                    form.plain_namespace = other.map(known_or_owned);
                }
                into.read(member, reader)?;
            }
            _ => reader.skip()?,
        }
    }
    Ok(form)
}

/// The namespaces that nearly every message has cost nothing to keep.
pub(super) fn known_or_owned(found: &str) -> Cow<'static, str> {
    let known = [namespace::CONTRACT, namespace::PLAIN, namespace::PLAIN_AUTHENTICATION];
    match known.into_iter().find(|&known| known == found) {
        Some(known) => Cow::Borrowed(known),
        None => Cow::Owned(found.to_owned()),
    }
}
