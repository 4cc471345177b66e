//! Checks of a profile's content: what contradicts itself, or is no XML name, is refused.

use std::collections::HashSet;

use thiserror::Error;

use super::{CarrierLayout, ElementName, Layout, MemberLayout, MessageLayout, Profile};
use crate::Operation;

/// Why a profile is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the messages name each field")]
pub enum ProfileError {
    #[error("{place} is no name of an XML element: {name:?}")]
    Name { place: String, name: String },
    #[error("the name of the profile is {0:?}, expected 1 to 64 letters, digits, '.', '-' or '_'")]
    ProfileName(String),
    #[error("the profile is named {0:?} like a built-in one; give it a name of its own")]
    BuiltInName(String),
    #[error("the profile has no namespaces")]
    NoNamespaces,
    #[error("the prefix {0:?} stands for two namespaces")]
    PrefixTwice(String),
    #[error("the prefix {0:?} is reserved; name another one than s, i, xml and xmlns")]
    ReservedPrefix(String),
    #[error("{place} is in a namespace that the profile does not have")]
    UnknownNamespace { place: String },
    #[error("{operation} stands there twice")]
    OperationTwice { operation: Operation },
    #[error("{first} and {second} have the same action {action:?}")]
    ActionTwice { first: Operation, second: Operation, action: String },
    #[error("{operation} has no action")]
    NoAction { operation: Operation },
    #[error("{place} has {count} wrapping elements, expected two at most")]
    Wrappers { place: String, count: usize },
    #[error("{place} has several members and no wrapping element; one is needed")]
    Bare { place: String },
    #[error("{place} has the member {member} twice")]
    MemberTwice { place: String, member: String },
    #[error("the key and the value of a dictionary are both named {0:?}, expected two names")]
    KeyIsValue(String),
    #[error("the profile has no operations")]
    NoOperations,
}

pub(super) fn validate(layout: &Layout) -> Result<(), ProfileError> {
    name(&layout.name)?;
    namespaces(layout)?;
    if layout.operations.is_empty() {
        return Err(ProfileError::NoOperations);
    }
    let mut seen: Vec<(Operation, &str)> = Vec::new();
    for one in &layout.operations {
        let operation = one.operation;
        if one.action.trim().is_empty() {
            return Err(ProfileError::NoAction { operation });
        }
        for &(first, action) in &seen {
            if first == operation {
                return Err(ProfileError::OperationTwice { operation });
            }
            if action == one.action {
                return Err(ProfileError::ActionTwice {
                    first,
                    second: operation,
                    action: action.to_owned(),
                });
            }
        }
        seen.push((operation, &one.action));
        message(layout, &one.request, &format!("the request of {operation}"))?;
        message(layout, &one.reply, &format!("the reply of {operation}"))?;
    }
    let carriers = &layout.carriers;
    for (name, place) in [
        (&carriers.text, "the item of an array of texts"),
        (&carriers.entry.entry, "the entry of a dictionary"),
        (&carriers.entry.key, "the key of a dictionary"),
        (&carriers.entry.value, "the value of a dictionary"),
    ] {
        element(layout, name, place)?;
    }
    let (key, value) = (&carriers.entry.key.local, &carriers.entry.value.local);
    if key == value {
        return Err(ProfileError::KeyIsValue(key.to_string()));
    }
    for (one, place) in
        [(&carriers.actor, "actor"), (&carriers.field, "field"), (&carriers.restriction, "restriction")]
    {
        carrier(layout, one, place)?;
    }
    Ok(())
}

/// Names stand in addresses and logs.
fn name(name: &str) -> Result<(), ProfileError> {
    let is_allowed = |char: char| char.is_ascii_alphanumeric() || ".-_".contains(char);
    if !(1..=64).contains(&name.len()) || !name.chars().all(is_allowed) {
        return Err(ProfileError::ProfileName(name.to_owned()));
    }
    if Profile::all_builtin().iter().any(|profile| profile.name().eq_ignore_ascii_case(name)) {
        return Err(ProfileError::BuiltInName(name.to_owned()));
    }
    Ok(())
}

fn namespaces(layout: &Layout) -> Result<(), ProfileError> {
    if layout.namespaces.is_empty() {
        return Err(ProfileError::NoNamespaces);
    }
    let mut prefixes = HashSet::new();
    for namespace in &layout.namespaces {
        let prefix = namespace.prefix.as_ref();
        if matches!(prefix, "s" | "i") || prefix.to_ascii_lowercase().starts_with("xml") {
            return Err(ProfileError::ReservedPrefix(prefix.to_owned()));
        }
        if !is_name(prefix) {
            return Err(ProfileError::Name { place: "a prefix".to_owned(), name: prefix.to_owned() });
        }
        if !prefixes.insert(prefix) {
            return Err(ProfileError::PrefixTwice(prefix.to_owned()));
        }
    }
    Ok(())
}

fn message(layout: &Layout, message: &MessageLayout, place: &str) -> Result<(), ProfileError> {
    if message.wrappers.len() > 2 {
        return Err(ProfileError::Wrappers { place: place.to_owned(), count: message.wrappers.len() });
    }
    if message.wrappers.is_empty() && message.members.len() > 1 {
        return Err(ProfileError::Bare { place: place.to_owned() });
    }
    for wrapper in &message.wrappers {
        element(layout, wrapper, place)?;
    }
    members(layout, message.all_members(), place)
}

fn carrier(layout: &Layout, carrier: &CarrierLayout, place: &str) -> Result<(), ProfileError> {
    element(layout, &carrier.item, place)?;
    members(layout, carrier.members.iter(), place)
}

fn members<'l>(
    layout: &Layout,
    members: impl Iterator<Item = &'l MemberLayout>,
    place: &str,
) -> Result<(), ProfileError> {
    let mut seen = HashSet::new();
    for member in members {
        element(layout, &member.element, place)?;
        if !seen.insert(&member.element.local) {
            return Err(ProfileError::MemberTwice {
                place: place.to_owned(),
                member: member.element.local.to_string(),
            });
        }
    }
    Ok(())
}

fn element(layout: &Layout, element: &ElementName, place: &str) -> Result<(), ProfileError> {
    if element.namespace >= layout.namespaces.len() {
        return Err(ProfileError::UnknownNamespace { place: place.to_owned() });
    }
    if !is_name(&element.local) {
        return Err(ProfileError::Name { place: place.to_owned(), name: element.local.to_string() });
    }
    Ok(())
}

/// Whether it is an XML name without a colon.
fn is_name(name: &str) -> bool {
    crate::xml::is_local_name(name)
}
