//! How two layouts differ, in sentences for people.

use std::fmt::Write;

use super::sentences::Sentences;
use crate::Operation;
use crate::profile::{CarrierLayout, ElementName, Layout, MemberLayout, MessageLayout, Profile};

/// A layout beside the built-in one that is most like it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The name of the built-in profile.
    pub builtin: String,
    /// How the layout differs from it; empty when they are equal.
    pub differences: Vec<String>,
}

/// Compares a layout with the built-in ones.
pub fn compare(layout: &Layout) -> Comparison {
    let all = Profile::all_builtin().iter().map(|profile| Comparison {
        builtin: profile.name().to_owned(),
        differences: differences(layout, profile.layout()),
    });
    let nearest = all.min_by_key(|comparison| comparison.differences.len());
    nearest.unwrap_or_else(|| unreachable!("there are built-in profiles"))
}

/// How a layout differs from another one on the wire. Names of profiles and prefixes do not count, nor do operations that
/// only one of them has.
pub fn differences(layout: &Layout, from: &Layout) -> Vec<String> {
    let is_shared = |operation: &&Operation| {
        [layout, from].iter().all(|layout| layout.operations.iter().any(|one| one.operation == **operation))
    };
    let mut all = Sentences::about(Operation::ALL.iter().filter(is_shared).copied().collect());
    for one in &layout.operations {
        let Some(other) = from.operations.iter().find(|other| other.operation == one.operation) else {
            continue;
        };
        let operation = one.operation;
        if one.action != other.action {
            let text = format!("the SOAPAction is {:?}, not {:?}", one.action, other.action);
            all.add("requests", operation, text);
        }
        for (direction, one, other) in
            [("requests", &one.request, &other.request), ("replies", &one.reply, &other.reply)]
        {
            for text in of_messages(layout, one, from, other, operation) {
                all.add(direction, operation, text);
            }
        }
    }
    let mut sentences = all.into_list();
    sentences.extend(of_carriers(layout, from));
    sentences
}

fn of_messages(
    layout: &Layout,
    one: &MessageLayout,
    from: &Layout,
    other: &MessageLayout,
    operation: Operation,
) -> Vec<String> {
    let mut all = Vec::new();
    let wrappers = |layout: &Layout, message: &MessageLayout| {
        let mut text = String::new();
        for wrapper in &message.wrappers {
            // The same for every operation whose elements bear its name.
            let local = wrapper.local.replace(operation.name(), "{operation}");
            let _ = write!(text, "<{local}> of {:?}, ", layout.namespaces[wrapper.namespace].uri);
        }
        text.trim_end_matches(", ").to_owned()
    };
    let (wrapped, expected) = (wrappers(layout, one), wrappers(from, other));
    if wrapped != expected {
        let shown = |text: String| if text.is_empty() { "nothing".to_owned() } else { text };
        all.push(format!("wrapped in {}, not in {}", shown(wrapped), shown(expected)));
    }
    let has = |members: &[MemberLayout], member: &MemberLayout| {
        members.iter().any(|other| other.element.local == member.element.local)
    };
    for header in one.headers.iter().filter(|header| !has(&other.headers, header)) {
        all.push(format!("{} is a SOAP header", header.element.local));
    }
    for header in
        other.headers.iter().filter(|header| !has(&one.headers, header) && has(&one.members, header))
    {
        all.push(format!("{} is in the body, not a SOAP header", header.element.local));
    }
    all.extend(of_members(layout, &one.members, from, &other.members, &one.headers));
    all
}

/// How members differ; `elsewhere` are members that are not missed.
fn of_members(
    layout: &Layout,
    one: &[MemberLayout],
    from: &Layout,
    other: &[MemberLayout],
    elsewhere: &[MemberLayout],
) -> Vec<String> {
    let mut all = Vec::new();
    let find = |members: &[MemberLayout], member: &MemberLayout| {
        members.iter().position(|other| other.element.local == member.element.local)
    };
    for member in one.iter().filter(|member| find(other, member).is_none()) {
        all.push(format!("{} is there too, of the type {}", member.element.local, member.schema_type));
    }
    let missing =
        other.iter().filter(|member| find(one, member).is_none() && find(elsewhere, member).is_none());
    all.extend(missing.map(|member| format!("{} is not there", member.element.local)));
    let shared: Vec<(&MemberLayout, usize)> =
        one.iter().filter_map(|member| Some((member, find(other, member)?))).collect();
    if !shared.is_sorted_by_key(|(_, place)| *place)
        && let (Some((first, _)), Some((last, _))) = (shared.first(), shared.last())
    {
        let names: Vec<&str> = one.iter().map(|member| member.element.local.as_ref()).collect();
        let (first, last) = (&first.element.local, &last.element.local);
        all.push(format!("{first} comes first, {last} last: {}", names.join(", ")));
    }
    let mut namespaces: Vec<(&str, Vec<&str>)> = Vec::new();
    for (member, place) in &shared {
        let member_of = &other[*place];
        let uri = |layout: &'_ Layout, name: &ElementName| layout.namespaces[name.namespace].uri.to_string();
        if uri(layout, &member.element) != uri(from, &member_of.element) {
            let uri = layout.namespaces[member.element.namespace].uri.as_ref();
            match namespaces.iter_mut().find(|(known, _)| *known == uri) {
                Some((_, members)) => members.push(&member.element.local),
                None => namespaces.push((uri, vec![&member.element.local])),
            }
        }
        let form = |member: &MemberLayout| (member.nillable, member.optional);
        if form(member) != form(member_of) {
            let may = |is: bool| if is { "may" } else { "may not" };
            all.push(format!(
                "{} {} be null and {} be absent",
                member.element.local,
                may(member.nillable),
                may(member.optional)
            ));
        }
        if member.schema_type != member_of.schema_type {
            all.push(format!(
                "{} has the type {}, not {}",
                member.element.local, member.schema_type, member_of.schema_type
            ));
        }
    }
    for (uri, members) in namespaces {
        let members =
            if members.len() == shared.len() { "all members".to_owned() } else { members.join(", ") };
        all.push(format!("the namespace of {members} is {uri:?}"));
    }
    all
}

fn of_carriers(layout: &Layout, from: &Layout) -> Vec<String> {
    let mut all = Vec::new();
    let (one, other) = (&layout.carriers, &from.carriers);
    let shown = |layout: &Layout, name: &ElementName| {
        format!("<{}> of {:?}", name.local, layout.namespaces[name.namespace].uri)
    };
    for (what, one, other) in [
        ("the item of an array of texts", &one.text, &other.text),
        ("the entry of a dictionary", &one.entry.entry, &other.entry.entry),
        ("the key of a dictionary", &one.entry.key, &other.entry.key),
        ("the value of a dictionary", &one.entry.value, &other.entry.value),
        ("the item of an array of actors", &one.actor.item, &other.actor.item),
        ("the item of an array of fields", &one.field.item, &other.field.item),
        ("the item of an array of restrictions", &one.restriction.item, &other.restriction.item),
    ] {
        let (one, other) = (shown(layout, one), shown(from, other));
        if one != other {
            all.push(format!("{what} is {one}, not {other}"));
        }
    }
    let carriers: [(&str, &CarrierLayout, &CarrierLayout); 3] = [
        ("ErpActorWS", &one.actor, &other.actor),
        ("FieldMetadataInfoWS", &one.field, &other.field),
        ("SearchRestrictionInfoWS", &one.restriction, &other.restriction),
    ];
    for (what, one, other) in carriers {
        let differences = of_members(layout, &one.members, from, &other.members, &[]);
        all.extend(differences.into_iter().map(|text| format!("{what}: {text}")));
    }
    all
}
