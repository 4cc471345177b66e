//! What the contract page has that a layout does not.

use crate::class::{self, Class, Member};
use crate::profile::{CarrierLayout, Layout, MessageLayout};
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
