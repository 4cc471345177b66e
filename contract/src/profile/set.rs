//! The profiles that a reader recognises, in the order that counts where a message fits several.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use super::{Carriers, Direction, ElementName, EntryLayout, MessageLayout, Profile};
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
    /// The SOAP headers of requests, each with its namespace.
    headers: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    /// The names of items in arrays and dictionaries.
    pub(crate) items: ItemNames,
}

/// The names that items of arrays and dictionaries have in some profile.
#[derive(Debug, Default)]
pub(crate) struct ItemNames {
    pub(crate) texts: Vec<Cow<'static, str>>,
    pub(crate) entries: Vec<EntryNames>,
    pub(crate) actors: Vec<Cow<'static, str>>,
    pub(crate) fields: Vec<Cow<'static, str>>,
    pub(crate) restrictions: Vec<Cow<'static, str>>,
}

/// The names of an entry of a dictionary.
#[derive(Debug, PartialEq)]
pub(crate) struct EntryNames {
    pub(crate) entry: Cow<'static, str>,
    pub(crate) key: Cow<'static, str>,
    pub(crate) value: Cow<'static, str>,
}

impl ItemNames {
    fn new(profiles: &[Arc<Profile>]) -> Self {
        let mut names = ItemNames::default();
        for Carriers { text, entry, actor, field, restriction } in
            profiles.iter().map(|profile| &profile.layout().carriers)
        {
            let EntryLayout { entry, key, value } = entry;
            let [entry, key, value] = [entry, key, value].map(|element| element.local.clone());
            add(&mut names.entries, EntryNames { entry, key, value });
            add(&mut names.texts, text.local.clone());
            add(&mut names.actors, actor.item.local.clone());
            add(&mut names.fields, field.item.local.clone());
            add(&mut names.restrictions, restriction.item.local.clone());
        }
        names
    }
}

fn add<T: PartialEq>(all: &mut Vec<T>, one: T) {
    if !all.contains(&one) {
        all.push(one);
    }
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
        let mut namespaces = Vec::new();
        for namespace in all.iter().flat_map(|profile| &profile.layout().namespaces) {
            add(&mut namespaces, namespace.uri.clone());
        }
        let mut headers = Vec::new();
        for layout in all.iter().map(|profile| profile.layout()) {
            let of_requests = layout.operations.iter().flat_map(|operation| &operation.request.headers);
            for ElementName { namespace, local } in of_requests.map(|header| &header.element) {
                add(&mut headers, (layout.namespaces[*namespace].uri.clone(), local.clone()));
            }
        }
        let mut outer = Vec::with_capacity(2 * Operation::ALL.len());
        for direction in [Direction::Request, Direction::Reply] {
            for &operation in Operation::ALL {
                let messages = all.iter().filter_map(|profile| profile.message(operation, direction));
                outer.push(outer_elements(messages));
            }
        }
        let items = ItemNames::new(&all);
        Profiles { all, order, actions, namespaces, outer, headers, items }
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

    /// Whether some profile has this SOAP header in requests.
    pub(crate) fn has_header(&self, uri: &str, local: &str) -> bool {
        self.headers.iter().any(|(namespace, name)| name == local && namespace == uri)
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
