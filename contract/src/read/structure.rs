//! The structure of a message: the elements around its members, their namespaces, and the order of the members. It is noted
//! while the message is read, and shows afterwards which profile the message follows.

use std::borrow::Cow;
use std::sync::Arc;

use crate::class::Member;
use crate::profile::{
    Accepts, Carriers, Direction, ElementName, EntryLayout, Namespace, Profile, Profiles, Shape,
};
use crate::{Envelope, Operation, SoapVersion};

/// What a message shows of its profile.
#[derive(Debug, Default)]
pub(super) struct Structure<'a, 'p> {
    /// The namespaces of the elements below, each once.
    namespaces: Vec<Cow<'p, str>>,
    /// The element of the body; `None` for an empty body.
    outer: Option<Element<'a>>,
    /// The element between it and the members.
    inner: Option<Element<'a>>,
    /// The members in the order in which they came.
    members: Vec<(Member, usize)>,
    headers: Vec<(Member, usize)>,
    /// The members of the first carrier of each kind.
    actor: CarrierStructure,
    restriction: CarrierStructure,
    /// The first item of each kind.
    items: [Option<Element<'a>>; ItemKind::COUNT],
}

#[derive(Debug, Clone, Copy)]
struct Element<'a> {
    namespace: usize,
    local: &'a str,
}

/// The members of the first carrier of a kind, in the order in which they came.
#[derive(Debug, Default)]
struct CarrierStructure {
    members: Vec<(Member, usize)>,
    is_complete: bool,
}

/// Carriers that requests hold.
#[derive(Debug, Clone, Copy)]
pub(super) enum CarrierKind {
    Actor,
    Restriction,
}

/// Items of arrays and dictionaries, and the parts of the latter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ItemKind {
    Text,
    Entry,
    Key,
    Value,
    Actor,
    Field,
    Restriction,
}

impl ItemKind {
    const COUNT: usize = ItemKind::Restriction as usize + 1;
}

impl<'a, 'p> Structure<'a, 'p> {
    pub(super) fn set_outer(&mut self, profiles: &'p Profiles, namespace: &str, local: &'a str) {
        let namespace = self.place(profiles, namespace);
        self.outer = Some(Element { namespace, local });
    }

    /// The element between that of the body and the members. What was noted of another one is dropped: it was an unknown
    /// member.
    pub(super) fn set_inner(&mut self, profiles: &'p Profiles, namespace: &str, local: &'a str) {
        let namespace = self.place(profiles, namespace);
        self.inner = Some(Element { namespace, local });
        self.drop_members();
    }

    /// The members stand in the element of the body.
    pub(super) fn drop_inner(&mut self) {
        self.inner = None;
        self.drop_members();
    }

    fn drop_members(&mut self) {
        self.members.clear();
        self.items = Default::default();
    }

    pub(super) fn add_member(&mut self, profiles: &'p Profiles, namespace: &str, member: Member) {
        let namespace = self.place(profiles, namespace);
        self.members.push((member, namespace));
    }

    pub(super) fn add_header(&mut self, profiles: &'p Profiles, namespace: &str, member: Member) {
        let namespace = self.place(profiles, namespace);
        self.headers.push((member, namespace));
    }

    pub(super) fn add_carrier_member(
        &mut self,
        profiles: &'p Profiles,
        kind: CarrierKind,
        namespace: &str,
        member: Member,
    ) {
        if !self.carrier(kind).is_complete {
            let namespace = self.place(profiles, namespace);
            self.carrier(kind).members.push((member, namespace));
        }
    }

    pub(super) fn has_item(&self, kind: ItemKind) -> bool {
        self.items[kind as usize].is_some()
    }

    pub(super) fn add_item(
        &mut self,
        profiles: &'p Profiles,
        kind: ItemKind,
        namespace: &str,
        local: &'a str,
    ) {
        let namespace = self.place(profiles, namespace);
        self.items[kind as usize] = Some(Element { namespace, local });
    }

    pub(super) fn end_carrier(&mut self, kind: CarrierKind) {
        self.carrier(kind).is_complete = true;
    }

    fn carrier(&mut self, kind: CarrierKind) -> &mut CarrierStructure {
        match kind {
            CarrierKind::Actor => &mut self.actor,
            CarrierKind::Restriction => &mut self.restriction,
        }
    }

    fn place(&mut self, profiles: &'p Profiles, uri: &str) -> usize {
        if let Some(place) = self.namespaces.iter().position(|known| known == uri) {
            return place;
        }
        let known = profiles.known_namespace(uri).map_or_else(|| Cow::Owned(uri.to_owned()), Cow::Borrowed);
        self.namespaces.push(known);
        self.namespaces.len() - 1
    }

    /// The envelope of the profile that fits best. Where several fit equally, `preferred` counts, or else the first one.
    pub(super) fn envelope(
        &self,
        profiles: &Profiles,
        operation: Operation,
        direction: Direction,
        preferred: Option<&Profile>,
        soap: SoapVersion,
        action_namespace: Option<&str>,
    ) -> Envelope {
        // Without members an element that is named after the operation fits many profiles, and clients send it also where the
        // profile has an empty body.
        let shows_nothing =
            self.members.is_empty() && self.outer.is_some_and(|outer| outer.local == operation.name());
        let is_preferred = |profile: &Profile| preferred.is_some_and(|preferred| preferred == profile);
        let mut best: Option<(Fit, &Arc<Profile>)> = None;
        for profile in profiles.all() {
            if shows_nothing && is_preferred(profile) {
                best = Some((BEST, profile));
                break;
            }
            let Some(fit) = profile.shape(operation, direction).and_then(|shape| self.fit(profile, shape))
            else {
                continue;
            };
            if best.is_none_or(|(other, _)| fit > other || fit == other && is_preferred(profile)) {
                best = Some((fit, profile));
            }
            if fit == BEST && (preferred.is_none() || is_preferred(profile)) {
                break;
            }
        }
        // There are always the built-in ones.
        let profile = Arc::clone(best.map_or(&profiles.all()[0], |(_, profile)| profile));
        let found = self.found_namespaces(&profile, operation, direction, action_namespace);
        let mut envelope = Envelope::from(profile).with_soap(soap);
        for (place, uri) in found {
            envelope = envelope.with_namespace(place, uri);
        }
        envelope
    }

    fn found_namespaces(
        &self,
        profile: &Profile,
        operation: Operation,
        direction: Direction,
        action_namespace: Option<&str>,
    ) -> Vec<(usize, String)> {
        let outer = self.outer.map(|outer| self.namespaces[outer.namespace].as_ref());
        let member_namespace = |place: usize| {
            let shape = profile.shape(operation, direction)?;
            let of_profile = |member: Member| shape.members.contains(&(member, place));
            let (_, namespace) = self.members.iter().find(|(member, _)| of_profile(*member))?;
            Some(self.namespaces[*namespace].as_ref())
        };
        let found = |(place, namespace): (usize, &Namespace)| {
            let uri = match namespace.accepts {
                Accepts::Exact => None,
                Accepts::Any => outer.or(action_namespace),
                Accepts::DotNet => member_namespace(place),
            }?;
            (uri != namespace.uri && !uri.is_empty()).then(|| (place, uri.to_owned()))
        };
        profile.layout().namespaces.iter().enumerate().filter_map(found).collect()
    }

    /// How well the message fits a shape; `None` when its outermost element has another name.
    fn fit(&self, profile: &Profile, shape: &Shape) -> Option<Fit> {
        let namespaces = &profile.layout().namespaces;
        let namespace = |place: usize, found: usize| self.namespace_fit(&namespaces[place], found);
        let has_members = !self.members.is_empty();
        let (depth, outer) = match (self.outer, &shape.wrappers[..]) {
            (None, []) => (3, 2),
            (None, _) => (0, 0),
            (Some(outer), []) => {
                let &(member, place) = shape.members.first()?;
                (member.name() == outer.local).then_some((3, namespace(place, outer.namespace)))?
            }
            (Some(outer), [element, rest @ ..]) => {
                if element.local != outer.local {
                    return None;
                }
                let depth = match (self.inner, rest) {
                    (None, []) if has_members => 3,
                    (None, [_]) if has_members => 0,
                    // Nothing can be missing but the element itself.
                    (None, [_]) if shape.members.is_empty() && shape.unknown.is_empty() => 1,
                    (None, _) => 2,
                    (Some(inner), [name, ..]) if inner.local == name.local => 3,
                    (Some(_), [_, ..]) => 2,
                    // A member that the contract page does not have.
                    (Some(inner), []) if shape.unknown.iter().any(|name| name == inner.local) => 3,
                    (Some(_), []) => u8::from(!has_members),
                };
                (depth, namespace(element.namespace, outer.namespace))
            }
        };
        Some(Fit {
            depth,
            outer,
            members: members_fit(&self.members, &shape.members, &namespace),
            headers: self.headers.iter().all(|(header, _)| has(&shape.headers, *header))
                && self.members.iter().all(|(member, _)| has(&shape.members, *member)),
            header_namespaces: members_fit(&self.headers, &shape.headers, &namespace)[1],
            order: is_in_order(&self.members, &shape.members),
            carriers: self.carriers_fit(profile, &namespace),
            items: self.items_fit(&profile.layout().carriers, &namespace),
        })
    }

    /// How the first item of each kind fits: 2 without items.
    fn items_fit(&self, carriers: &Carriers, namespace: &impl Fn(usize, usize) -> u8) -> u8 {
        let Carriers { text, entry: EntryLayout { entry, key, value }, actor, field, restriction } = carriers;
        // In the order of `ItemKind`.
        let of_profile = [text, entry, key, value, &actor.item, &field.item, &restriction.item];
        let fit = |(came, name): (&Option<Element<'_>>, &ElementName)| {
            let came = (*came)?;
            Some(if came.local == name.local { namespace(name.namespace, came.namespace) } else { 0 })
        };
        self.items.iter().zip(of_profile).filter_map(fit).min().unwrap_or(2)
    }

    /// How the members of the first carrier of each kind fit.
    fn carriers_fit(&self, profile: &Profile, namespace: &impl Fn(usize, usize) -> u8) -> u8 {
        let fit = |came: &CarrierStructure, members: &[(Member, usize)]| {
            u8::from(is_in_order(&came.members, members)) + members_fit(&came.members, members, namespace)[1]
        };
        fit(&self.actor, &profile.actor_members).min(fit(&self.restriction, &profile.restriction_members))
    }

    /// 2: it is the profile's namespace; 1: one that is taken for it; 0: another one.
    fn namespace_fit(&self, namespace: &Namespace, found: usize) -> u8 {
        let found = self.namespaces[found].as_ref();
        match namespace.accepts {
            Accepts::Exact => 2 * u8::from(found == namespace.uri),
            Accepts::Any => {
                let of_message = self.outer.map(|outer| self.namespaces[outer.namespace].as_ref());
                if Some(found) == of_message {
                    2
                } else {
                    u8::from(found == namespace.uri || found.is_empty())
                }
            }
            Accepts::DotNet => 2 * u8::from(found.starts_with(crate::namespace::PLAIN_PREFIX)),
        }
    }
}

/// How well a message fits a profile: the first that differs decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Fit {
    /// The wrapping elements: 3 for those of the profile, 0 for members on another level.
    depth: u8,
    /// The namespace of the outermost element, as [`Structure::namespace_fit`] has it.
    outer: u8,
    /// The namespaces of the members.
    members: [u8; 2],
    /// The same members are headers.
    headers: bool,
    header_namespaces: u8,
    /// The members came in the profile's order.
    order: bool,
    carriers: u8,
    /// The names and namespaces of items in arrays and dictionaries.
    items: u8,
}

/// A carrier in the profile's order and namespaces.
const BEST_CARRIER: u8 = 3;

/// A message that is as the profile has it.
const BEST: Fit = Fit {
    depth: 3,
    outer: 2,
    members: [2, 2],
    headers: true,
    header_namespaces: 2,
    order: true,
    carriers: BEST_CARRIER,
    items: 2,
};

fn has(members: &[(Member, usize)], wanted: Member) -> bool {
    members.iter().any(|(member, _)| *member == wanted)
}

/// How the namespaces of the members fit: that of the first one, then the one that fits worst. 2 without members.
fn members_fit(
    came: &[(Member, usize)],
    members: &[(Member, usize)],
    namespace: &impl Fn(usize, usize) -> u8,
) -> [u8; 2] {
    let fit = |&(member, found): &(Member, usize)| {
        let &(_, place) = members.iter().find(|(known, _)| *known == member)?;
        Some(namespace(place, found))
    };
    let fits = || came.iter().filter_map(fit);
    [fits().next().unwrap_or(2), fits().min().unwrap_or(2)]
}

fn is_in_order(came: &[(Member, usize)], members: &[(Member, usize)]) -> bool {
    let place = |&(member, _): &(Member, usize)| members.iter().position(|(known, _)| *known == member);
    came.iter().filter_map(place).is_sorted_by(|one, next| one < next)
}
