//! The profiles that a reader recognises, in the order that counts where a message fits several.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use super::{Direction, MessageLayout, Profile};
use crate::{Dialect, MemberOrder, Operation, namespace};

/// Profiles in order: those of a configuration, and then the built-in ones.
#[derive(Debug)]
pub struct Profiles {
    all: Vec<Arc<Profile>>,
    /// The order of members that counts where a message fits both.
    order: MemberOrder,
    /// Operations by the action of a configured profile.
    actions: HashMap<String, Operation>,
    /// The namespaces of all profiles.
    namespaces: Vec<Cow<'static, str>>,
    /// For each operation and direction: the outermost elements of its messages.
    outer: Vec<Vec<OuterElement>>,
}

/// The outermost element of a message, by its local name.
#[derive(Debug)]
struct OuterElement {
    local: Cow<'static, str>,
    /// The most wrapping elements that a profile has for it. 0: it is a member itself.
    depth: usize,
}

static BUILTIN: LazyLock<Profiles> = LazyLock::new(|| Profiles::new(Vec::new(), MemberOrder::default()));

impl Profiles {
    /// These profiles, and then the built-in ones, of which those with the members in this order come first.
    pub fn new(configured: Vec<Arc<Profile>>, order: MemberOrder) -> Self {
        let actions = configured
            .iter()
            .flat_map(|profile| &profile.layout().operations)
            .map(|layout| (layout.action.to_string(), layout.operation))
            .collect();
        let mut all = configured;
        let (preferred, others): (Vec<_>, Vec<_>) =
            Profile::all_builtin().iter().cloned().partition(|profile| profile.order() == Some(order));
        all.extend(preferred.into_iter().chain(others));
        let mut namespaces: Vec<Cow<'static, str>> = Vec::new();
        for namespace in all.iter().flat_map(|profile| &profile.layout().namespaces) {
            if !namespaces.contains(&namespace.uri) {
                namespaces.push(namespace.uri.clone());
            }
        }
        let mut outer = Vec::with_capacity(2 * Operation::ALL.len());
        for direction in [Direction::Request, Direction::Reply] {
            for &operation in Operation::ALL {
                let messages = all.iter().filter_map(|profile| profile.message(operation, direction));
                outer.push(outer_elements(messages));
            }
        }
        Profiles { all, order, actions, namespaces, outer }
    }

    /// The built-in profiles alone.
    pub fn builtin() -> &'static Self {
        &BUILTIN
    }

    /// All profiles, in order.
    pub fn all(&self) -> &[Arc<Profile>] {
        &self.all
    }

    /// The order of members that counts where a message fits both built-in ones.
    pub fn order(&self) -> MemberOrder {
        self.order
    }

    /// The profile of this name, in any case. The name of a dialect means it in the order of these profiles.
    pub fn find(&self, name: &str) -> Option<&Arc<Profile>> {
        let dialect = Dialect::ALL.iter().find(|dialect| dialect.as_str().eq_ignore_ascii_case(name));
        let builtin = dialect.map(|&dialect| Profile::builtin(dialect, self.order));
        builtin.or_else(|| self.all.iter().find(|profile| profile.name().eq_ignore_ascii_case(name)))
    }

    /// Whether a client of this profile has to name it in the address: another profile comes before it that has the same
    /// request for some operation, so that the message alone does not show which one is meant.
    pub fn needs_name(&self, profile: &Profile) -> bool {
        let before = self.all.iter().take_while(|other| ***other != *profile);
        before.into_iter().any(|other| other.shares_a_request(profile))
    }

    /// The operation of a SOAPAction, with the contract's namespace in it if the action has the built-in form.
    pub(crate) fn operation_of_action<'s>(&self, action: &'s str) -> Option<(Option<&'s str>, Operation)> {
        if let Some(&operation) = self.actions.get(action) {
            return Some((Operation::from_action(action).map(|(namespace, _)| namespace), operation));
        }
        Operation::from_action(action).map(|(namespace, operation)| (Some(namespace), operation))
    }

    /// How many wrapping elements a message may have whose outermost element is this one; `None` when no profile has it.
    pub(crate) fn depth(&self, operation: Operation, direction: Direction, local: &str) -> Option<usize> {
        let outer = &self.outer[direction as usize * Operation::ALL.len() + operation as usize];
        outer.iter().find(|element| element.local == local).map(|element| element.depth)
    }

    /// A namespace of a profile.
    pub(crate) fn known_namespace(&self, uri: &str) -> Option<&str> {
        self.namespaces.iter().map(AsRef::as_ref).find(|known| *known == uri)
    }

    /// Whether a .NET service would skip an element of this namespace. Some clients send members in no namespace.
    pub(crate) fn is_foreign(&self, uri: &str) -> bool {
        !uri.is_empty() && self.known_namespace(uri).is_none() && !uri.starts_with(namespace::PLAIN_PREFIX)
    }
}

fn outer_elements<'p>(messages: impl Iterator<Item = &'p MessageLayout>) -> Vec<OuterElement> {
    let mut all: Vec<OuterElement> = Vec::new();
    for message in messages {
        let (element, depth) = match (&message.wrappers[..], &message.members[..]) {
            ([outer, ..], _) => (outer, message.wrappers.len()),
            ([], [member]) => (&member.element, 0),
            ([], _) => continue,
        };
        match all.iter_mut().find(|known| known.local == element.local) {
            Some(known) => known.depth = known.depth.max(depth),
            None => all.push(OuterElement { local: element.local.clone(), depth }),
        }
    }
    all
}
