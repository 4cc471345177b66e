//! The order of members of each connector address: requests whose members came in an order that only one of the two explains
//! show it. Replies to requests that show none are written in it.
//!
//! A connector address is that of the service with its `ConnectorName`, or without one. A connection that has shown another
//! order than its address has replies in its own: clients of others cannot change them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use arc_swap::ArcSwap;
use contract::{MemberOrder, Profile};
use values::Guid;

use super::Router;
use super::route::CallContext;

/// An address whose order changes more often than this, until the host restarts, has clients of both orders. An even number,
/// so that the order which counted at the start stays.
const MOST_CHANGES: u32 = 4;

/// The order that requests to a connector address have shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticedOrder {
    /// The connector that the address names; empty for the address that names none.
    pub connector: String,
    /// The order.
    pub order: MemberOrder,
    /// Whether requests to the address come in both orders, so that changes do not count any more.
    pub is_mixed: bool,
}

/// How often the order of each address has changed since the start.
#[derive(Debug, Default)]
pub(super) struct OrderChanges(Mutex<HashMap<String, u32>>);

/// The order that connections have shown where their address has another one, until the host restarts.
#[derive(Debug, Default)]
pub(super) struct ConnectionOrders(ArcSwap<HashMap<Guid, MemberOrder>>);

/// The most connections of which the order is remembered: a safeguard of memory.
const MOST_CONNECTIONS: usize = 10_000;

impl ConnectionOrders {
    /// Whether any is remembered: almost always none is.
    pub(super) fn is_empty(&self) -> bool {
        self.0.load().is_empty()
    }

    pub(super) fn get(&self, connection: Guid) -> Option<MemberOrder> {
        self.0.load().get(&connection).copied()
    }

    fn set(&self, connection: Guid, order: MemberOrder) {
        if self.get(connection) == Some(order) {
            return;
        }
        self.0.rcu(|orders| {
            let mut orders = HashMap::clone(orders);
            if orders.len() < MOST_CONNECTIONS || orders.contains_key(&connection) {
                orders.insert(connection, order);
            }
            orders
        });
    }
}

/// What a change of the order of an address means.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Counts,
    /// The first one that does not count.
    BecomesMixed,
    IsMixed,
}

impl OrderChanges {
    fn add(&self, connector: &str) -> Verdict {
        let mut changes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let changes = changes.entry(connector.to_ascii_lowercase()).or_default();
        *changes = changes.saturating_add(1);
        match *changes {
            0..=MOST_CHANGES => Verdict::Counts,
            changes if changes == MOST_CHANGES + 1 => Verdict::BecomesMixed,
            _ => Verdict::IsMixed,
        }
    }

    fn is_mixed(&self, connector: &str) -> bool {
        let changes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        changes.get(connector).is_some_and(|&changes| changes > MOST_CHANGES)
    }
}

impl Router {
    /// The order in which members of replies to this connector address are written where a request does not show it.
    pub fn member_order(&self, connector: Option<&str>) -> MemberOrder {
        self.noticed_order(connector).unwrap_or(self.reply_order)
    }

    /// The order where no request has shown one.
    pub fn reply_order(&self) -> MemberOrder {
        self.reply_order
    }

    fn noticed_order(&self, connector: Option<&str>) -> Option<MemberOrder> {
        // One that a newer host has written may have a name that is not known here.
        self.connections.address_order(connector.unwrap_or_default(), |noticed| noticed.order.parse().ok())
    }

    /// The orders that requests have shown, for each address that has one.
    pub fn noticed_orders(&self) -> Vec<NoticedOrder> {
        let stored = self.connections.address_orders();
        let noticed = stored.iter().filter_map(|noticed| {
            Some(NoticedOrder {
                connector: noticed.connector.clone(),
                order: noticed.order.parse().ok()?,
                is_mixed: self.order_changes.is_mixed(&noticed.connector),
            })
        });
        noticed.collect()
    }

    /// Notices that a request of a stored connection shows this order. `profile` is that of the request.
    pub(super) fn notice_order(&self, order: MemberOrder, profile: &Profile, context: &CallContext<'_>) {
        let Some(connection) = context.log_context.connection else { return };
        self.connection_orders.set(connection, order);
        if self.member_order(context.addressed_connector) == order {
            return;
        }
        let connector = context.addressed_connector.unwrap_or_default();
        let address = match context.addressed_connector {
            Some(name) => format!("the address with ConnectorName={name}"),
            None => "the address without a ConnectorName".to_owned(),
        };
        let (operation, profile) = (context.log_context.operation, profile.name());
        let caller = context.caller;
        match self.order_changes.add(connector) {
            Verdict::Counts => {
                self.connections.set_address_order(connector, order.as_str(), connection);
                tracing::warn!(
                    %connection, operation, %caller, dialect = profile,
                    "a request has its members {}: replies to {address} have that order from now on, also where a \
                     request does not show it",
                    in_words(order)
                );
            }
            Verdict::BecomesMixed => tracing::warn!(
                %connection, operation, %caller, dialect = profile,
                "requests to {address} come with their members in both orders, so replies to requests that show none \
                 stay as they are; give each client a connector address of its own, such as one with dialect={profile} \
                 for the client of this request"
            ),
            Verdict::IsMixed => {}
        }
    }
}

const fn in_words(order: MemberOrder) -> &'static str {
    match order {
        MemberOrder::Name => "in the order of their names",
        MemberOrder::Declared => "in the order of declaration",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_an_address_count_until_it_is_mixed() {
        let changes = OrderChanges::default();
        let verdicts: Vec<_> = (0..MOST_CHANGES + 3).map(|_| changes.add("Excel")).collect();
        let (counts, others) = verdicts.split_at(MOST_CHANGES as usize);
        assert!(counts.iter().all(|verdict| *verdict == Verdict::Counts), "{verdicts:?}");
        assert_eq!(others, [Verdict::BecomesMixed, Verdict::IsMixed, Verdict::IsMixed]);
        // Case does not count, and another address has changes of its own.
        assert_eq!((changes.add("EXCEL"), changes.add("")), (Verdict::IsMixed, Verdict::Counts));
        assert_eq!(["excel", "", "other"].map(|address| changes.is_mixed(address)), [true, false, false]);
    }
}
