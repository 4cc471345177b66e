//! What the contract page has that a layout does not, and the other way round.

use super::sentences::Sentences;
use crate::class::{self, Class, Member};
use crate::profile::{CarrierLayout, Layout, MemberLayout, MessageLayout};
use crate::{MemberOrder, Operation};

/// The operations and members of the contract page that a layout does not have, one sentence each.
pub fn missing(layout: &Layout) -> Vec<String> {
    let mut all = Vec::new();
    for &operation in Operation::ALL {
        match layout.operations.iter().find(|one| one.operation == operation) {
            None => all.push(format!("the operation {operation}")),
            Some(one) => {
                of_message(&one.request, operation.request(), &super::place("request", operation), &mut all);
                of_message(&one.reply, Some(operation.reply()), &super::place("reply", operation), &mut all);
            }
        }
    }
    let carriers = &layout.carriers;
    of_carrier(&carriers.actor, &class::ACTOR, &mut all);
    of_carrier(&carriers.field, &class::FIELD, &mut all);
    of_carrier(&carriers.restriction, &class::RESTRICTION, &mut all);
    all
}

/// The members that a layout has and the contract page has not, one sentence each.
pub fn unknown(layout: &Layout) -> Vec<String> {
    let mut all = Sentences::about(layout.operations.iter().map(|one| one.operation).collect());
    for one in &layout.operations {
        let operation = one.operation;
        for (direction, message, class) in [
            ("requests", &one.request, operation.request()),
            ("replies", &one.reply, Some(operation.reply())),
        ] {
            for text in unknown_members(message.all_members(), class) {
                all.add(direction, operation, text);
            }
        }
    }
    let mut sentences = all.into_list();
    let carriers = &layout.carriers;
    for (carrier, class) in [
        (&carriers.actor, &class::ACTOR),
        (&carriers.field, &class::FIELD),
        (&carriers.restriction, &class::RESTRICTION),
    ] {
        let members = unknown_members(carrier.members.iter(), Some(class));
        sentences.extend(members.map(|text| format!("{}: {text}", class.name)));
    }
    sentences
}

fn unknown_members<'l>(
    members: impl Iterator<Item = &'l MemberLayout>,
    class: Option<&'static Class>,
) -> impl Iterator<Item = String> {
    members
        .filter(move |member| class.and_then(|class| class.find(&member.element.local)).is_none())
        .map(|member| format!("{}, of the type {}", member.element.local, member.schema_type))
}

fn of_message(message: &MessageLayout, class: Option<&'static Class>, place: &str, into: &mut Vec<String>) {
    let has = |member: Member| message.all_members().any(|layout| layout.member() == Some(member));
    let all = class.map(|class| class.members(MemberOrder::Declared, true)).unwrap_or_default();
    let missing = all.into_iter().filter(|&member| !has(member));
    into.extend(missing.map(|member| format!("{place}: the member {}", member.name())));
}

fn of_carrier(carrier: &CarrierLayout, class: &Class, into: &mut Vec<String>) {
    let has = |member: Member| carrier.members.iter().any(|layout| layout.member() == Some(member));
    let missing = class.own.iter().filter(|&&member| !has(member));
    into.extend(missing.map(|member| format!("{}: the member {}", class.name, member.name())));
}
