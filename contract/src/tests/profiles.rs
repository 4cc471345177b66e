//! Profiles of all kinds: what one writes it reads, a strict client loses nothing of it, and requests are recognised.

use std::borrow::Cow;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::canonical::canonical;
use super::strategies;
use crate::profile::{Accepts, Carriers, ElementName, Layout, MemberLayout, MessageLayout, Namespace};
use crate::*;

/// How a random profile differs from a built-in one.
#[derive(Debug, Clone)]
struct Change {
    operation: Index,
    is_reply: bool,
    what: What,
    at: Index,
    to: Index,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    /// A member goes to another place.
    Move,
    /// A member becomes a SOAP header.
    Header,
    /// The outer element gets the operation's name and another level in it, or loses that.
    Wrapping,
    /// The outer element is in another namespace.
    OuterNamespace,
    /// A member is in another namespace.
    MemberNamespace,
    /// A member of a carrier goes to another place.
    CarrierMove,
    /// The items of an array or dictionary, or a part of those, have another name and perhaps another namespace.
    Item,
    /// A member that the contract page does not have.
    Extra,
}

fn change(kinds: &'static [What]) -> impl Strategy<Value = Change> {
    (any::<Index>(), any::<bool>(), select(kinds), any::<Index>(), any::<Index>())
        .prop_map(|(operation, is_reply, what, at, to)| Change { operation, is_reply, what, at, to })
}

pub(super) const ALL: &[What] = &[
    What::Move,
    What::Move,
    What::Header,
    What::Wrapping,
    What::OuterNamespace,
    What::MemberNamespace,
    What::CarrierMove,
    What::Item,
    What::Extra,
];
/// Without members that the contract page does not have.
const KNOWN: &[What] = ALL.split_at(ALL.len() - 1).0;

/// Profiles that began as a built-in one.
pub(super) fn profile(name: &'static str, kinds: &'static [What]) -> impl Strategy<Value = Arc<Profile>> {
    let changes = proptest::collection::vec(change(kinds), 0..40);
    (select(Profile::all_builtin()), changes).prop_map(move |(from, changes)| {
        let mut layout = Layout { name: name.to_owned(), ..from.layout().clone() };
        layout.namespaces.iter_mut().for_each(|namespace| namespace.accepts = Accepts::Exact);
        layout.namespaces.push(Namespace {
            prefix: Cow::Borrowed("second"),
            uri: Cow::Borrowed("http://www.superoffice.net/EIS/Connector/2.0"),
            accepts: Accepts::Exact,
        });
        changes.iter().for_each(|change| apply(&mut layout, change));
        Profile::new(layout).unwrap()
    })
}

fn apply(layout: &mut Layout, change: &Change) {
    let second = layout.namespaces.len() - 1;
    let carriers = &mut layout.carriers;
    let operation = change.operation.index(layout.operations.len());
    let operation = &mut layout.operations[operation];
    let (name, suffix) = (operation.operation.name(), if change.is_reply { "Response" } else { "" });
    let message = if change.is_reply { &mut operation.reply } else { &mut operation.request };
    match change.what {
        What::Move => move_member(&mut message.members, change),
        What::CarrierMove => {
            let all = [&mut carriers.actor, &mut carriers.field, &mut carriers.restriction];
            let at = change.operation.index(all.len());
            move_member(&mut all.into_iter().nth(at).unwrap().members, change);
        }
        // Rows are written as they come, so they cannot be a header; a body without wrapping and members has no place.
        What::Item => {
            let Carriers { text, entry, actor, field, restriction } = carriers;
            let all = [
                text,
                &mut entry.entry,
                &mut entry.key,
                &mut entry.value,
                &mut actor.item,
                &mut field.item,
                &mut restriction.item,
            ];
            let at = change.at.index(all.len());
            let namespace = if change.is_reply { second } else { 0 };
            let local = Cow::Borrowed(["Item", "DictionaryEntry", "Name", "Text"][change.to.index(4)]);
            // Their names distinguish key and value.
            if !(at == 2 || at == 3) || all[5 - at].local != local {
                *all.into_iter().nth(at).unwrap() = ElementName { namespace, local };
            }
        }
        What::Header if !message.members.is_empty() && !message.wrappers.is_empty() => {
            let at = change.at.index(message.members.len());
            if message.members[at].schema_type == "string"
                && !message.members[at].element.local.starts_with("Extra")
            {
                let member = message.members.remove(at);
                message.headers.push(member);
            }
        }
        What::Wrapping if !message.wrappers.is_empty() => {
            let local = if change.is_reply { "Result" } else { "parameters" };
            let element = |local: String| ElementName { namespace: 0, local: Cow::Owned(local) };
            match message.wrappers.len() {
                1 => {
                    message.wrappers = vec![element(format!("{name}{suffix}")), element(local.to_owned())];
                }
                _ => message.wrappers.truncate(1),
            }
        }
        What::OuterNamespace => {
            if let Some(wrapper) = message.wrappers.first_mut() {
                wrapper.namespace = second;
            }
        }
        What::MemberNamespace if !message.members.is_empty() => {
            let at = change.at.index(message.members.len());
            message.members[at].element.namespace = second;
        }
        What::Extra if !message.wrappers.is_empty() => add_extra(message, change),
        _ => {}
    }
}

fn move_member(members: &mut Vec<MemberLayout>, change: &Change) {
    if !members.is_empty() {
        let member = members.remove(change.at.index(members.len()));
        members.insert(change.to.index(members.len() + 1), member);
    }
}

fn add_extra(message: &mut MessageLayout, change: &Change) {
    let extras = message.members.iter().filter(|member| member.element.local.starts_with("Extra")).count();
    let local = Cow::Owned(format!("Extra{extras}"));
    let extra = MemberLayout {
        element: ElementName { namespace: 0, local },
        schema_type: select_type(change),
        nillable: change.to.index(2) == 0,
        optional: change.at.index(2) == 0,
    };
    message.members.insert(change.at.index(message.members.len() + 1), extra);
}

fn select_type(change: &Change) -> Cow<'static, str> {
    Cow::Borrowed(["string", "int", "boolean", "dateTime"][change.to.index(4)])
}

#[test]
fn profiles_are_found_by_name_and_need_one_where_a_request_fits_another() {
    for &order in MemberOrder::ALL {
        let profiles = Profiles::new(Vec::new(), order);
        let of = |dialect| Profile::builtin(dialect, order);
        assert_eq!(&profiles.all()[0], of(Dialect::Message));
        assert_eq!(profiles.find("PLAIN"), Some(of(Dialect::Plain)));
        assert_eq!(
            profiles.find("plain-declared"),
            Some(Profile::builtin(Dialect::Plain, MemberOrder::Declared))
        );
        assert_eq!(profiles.find("other"), None);
        let needs_name = |dialect| profiles.needs_name(of(dialect));
        assert_eq!(
            Dialect::ALL.iter().copied().map(needs_name).collect::<Vec<_>>(),
            [false, true, false, true]
        );
        let others = profiles.all().iter().filter(|profile| profile.order() != Some(order));
        assert!(others.into_iter().all(|profile| profiles.needs_name(profile)));
    }
}

#[test]
fn dictionary_of_one_name_for_key_and_value_is_refused() {
    let mut layout = Profile::builtin(Dialect::Data, MemberOrder::Name).layout().clone();
    layout.name = "edited".to_owned();
    layout.carriers.entry.value = layout.carriers.entry.key.clone();
    assert_eq!(
        Profile::new(layout).unwrap_err().to_string(),
        "the key and the value of a dictionary are both named \"Key\", expected two names"
    );
}

proptest! {
    #[test]
    fn round_trip_of_any_request_in_any_profile(profile in profile("learned", ALL), call in strategies::call()) {
        let profiles = Profiles::new(vec![Arc::clone(&profile)], MemberOrder::Name);
        let soap = call.envelope.soap;
        let call = Call { envelope: Envelope::from(profile).with_soap(soap), ..call };
        let mut out = Vec::new();
        write_request(&mut out, &call);
        let action = call.soap_action();
        let options = ReadOptions { action: Some(&action), ..ReadOptions::default() };
        let read = profiles.read_call(&out, &options);
        prop_assert_eq!(read.as_ref(), Ok(&call), "{}", String::from_utf8_lossy(&out));
    }

    #[test]
    fn round_trip_of_any_reply_in_any_profile(
        profile in profile("learned", ALL),
        (operation, reply) in strategies::operation().prop_flat_map(|one| (Just(one), strategies::reply(one))),
    ) {
        let profiles = Profiles::new(vec![Arc::clone(&profile)], MemberOrder::Name);
        let envelope = Envelope::from(profile);
        let mut out = Vec::new();
        write_reply(&mut out, &envelope, operation, &reply);
        let read = profiles.read_reply(&out, operation, None);
        prop_assert_eq!(read, Ok(ReplyMessage { envelope: envelope.clone(), reply }), "{}", String::from_utf8_lossy(&out));
        prop_assert_eq!(losses(&out, operation, &envelope), vec![], "{}", String::from_utf8_lossy(&out));
    }

    /// A request of one of two profiles is answered in that one, or in one that writes the same request.
    #[test]
    fn recognition_tells_profiles_apart(
        first in profile("first", KNOWN),
        second in profile("second", KNOWN),
        call in strategies::call(),
        is_second: bool,
    ) {
        let sender = Arc::clone(if is_second { &second } else { &first });
        let profiles = Profiles::new(vec![first, second], MemberOrder::Name);
        let call = Call { envelope: Envelope::from(Arc::clone(&sender)), ..call };
        let mut sent = Vec::new();
        write_request(&mut sent, &call);
        let action = call.soap_action();
        let options = ReadOptions { action: Some(&action), ..ReadOptions::default() };
        let read = profiles.read_call(&sent, &options).unwrap();
        if read.envelope.profile() == &sender {
            prop_assert_eq!(&read.request, &call.request, "{}", String::from_utf8_lossy(&sent));
        } else {
            let mut again = Vec::new();
            write_request(&mut again, &read);
            let text = |bytes: Vec<u8>| canonical(&printable(&String::from_utf8(bytes).unwrap()));
            prop_assert_eq!(text(again), text(sent));
        }
    }
}

/// Without the control characters that roxmltree refuses.
fn printable(xml: &str) -> String {
    xml.replace("&#x", "#")
}
