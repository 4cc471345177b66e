//! The contract of a service, for the report: which profile it has, and how it differs from the built-in ones.

use contract::learn::{Comparison, compare, unknown};
use contract::profile::{Layout, MessageLayout};
use contract::{Dialect, MemberOrder, Profile};
use erp_host_client::ProfileSource;

/// The contract that a service was called by.
#[derive(Debug)]
pub(crate) struct Contract {
    /// The name of the profile.
    pub(crate) profile: String,
    /// Where it comes from.
    pub(crate) source: &'static str,
    /// Why it is not from the WSDL of the service, though that was read.
    pub(crate) reason: Option<String>,
    /// The order of the members of replies: `name`, `declared` or `own`.
    pub(crate) order: &'static str,
    /// The built-in profile that is most like it, and how it differs from that.
    pub(crate) comparison: Comparison,
    /// What the contract page does not have.
    pub(crate) unknown: Vec<String>,
}

impl Contract {
    pub(crate) fn new(profile: &Profile, source: &ProfileSource) -> Self {
        let layout = profile.layout();
        let (from, reason, unknown) = match source {
            ProfileSource::Given => ("given", None, unknown(layout)),
            ProfileSource::Wsdl(contract) => ("wsdl", None, contract.learned.unknown.clone()),
            ProfileSource::Detected(why) => ("detected", Some(why.to_string()), unknown(layout)),
        };
        Contract {
            profile: profile.name().to_owned(),
            source: from,
            reason,
            order: order(layout),
            comparison: compare(layout),
            unknown,
        }
    }

    /// The order of members in words.
    pub(crate) fn order_in_words(&self) -> &'static str {
        match self.order {
            "name" => "ordered by name",
            "declared" => "ordered as declared",
            _ => "in an order of their own",
        }
    }

    /// Where it comes from, in words.
    pub(crate) fn source_in_words(&self) -> &'static str {
        match self.source {
            "wsdl" => "from the service's WSDL",
            "given" => "as it was given",
            _ => "in which the service answers",
        }
    }
}

/// The order of the members of replies. Members that the built-in profiles do not have there do not count.
fn order(layout: &Layout) -> &'static str {
    let is_of = |order: MemberOrder| {
        // One has the inherited members first, one among the others.
        [Dialect::Message, Dialect::Data]
            .into_iter()
            .any(|dialect| is_ordered_as(layout, Profile::builtin(dialect, order).layout()))
    };
    match (is_of(MemberOrder::Name), is_of(MemberOrder::Declared)) {
        (true, _) => "name",
        (_, true) => "declared",
        _ => "own",
    }
}

fn is_ordered_as(layout: &Layout, other: &Layout) -> bool {
    let place = |message: &MessageLayout, name: &str| {
        message.members.iter().position(|member| member.element.local == name)
    };
    layout.operations.iter().all(|one| {
        let same = other.operations.iter().find(|other| other.operation == one.operation);
        same.is_none_or(|same| {
            let members = one.reply.members.iter();
            members.filter_map(|member| place(&same.reply, &member.element.local)).is_sorted()
        })
    })
}
