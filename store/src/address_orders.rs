//! The orders of members that requests to connector addresses have shown: read on every call from memory, and kept in the
//! store off the path of calls.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;
use values::Guid;

use crate::store::{AddressOrder, ConnectionStore, StoreError};

/// The orders of all addresses that have one. There are few: an address is that of a connector with connections, or has none.
#[derive(Debug, Default)]
pub(crate) struct AddressOrders {
    current: ArcSwap<Vec<AddressOrder>>,
    /// Locked during [`sync`](Self::sync).
    stored: Mutex<Stored>,
}

/// What the store has, as far as it was read or written last.
#[derive(Debug, Default)]
struct Stored {
    orders: Vec<AddressOrder>,
    has_write_failed: bool,
}

impl AddressOrders {
    /// The orders at the moment. Takes no lock.
    pub(crate) fn current(&self) -> Arc<Vec<AddressOrder>> {
        self.current.load_full()
    }

    /// What `read` makes of the order of this address. Takes no lock and allocates nothing.
    pub(crate) fn find<R>(
        &self,
        connector: &str,
        read: impl FnOnce(&AddressOrder) -> Option<R>,
    ) -> Option<R> {
        self.current
            .load()
            .iter()
            .find(|order| order.connector.eq_ignore_ascii_case(connector))
            .and_then(read)
    }

    /// Replaces the order of an address, in memory. The next [`sync`](Self::sync) stores it.
    pub(crate) fn set(&self, connector: &str, order: &str, connection: Guid) {
        self.replace(&AddressOrder {
            connector: connector.to_ascii_lowercase(),
            order: order.to_owned(),
            connection,
        });
    }

    fn replace(&self, order: &AddressOrder) {
        self.current.rcu(|current| {
            let mut orders = Vec::clone(current);
            replace(&mut orders, order);
            orders
        });
    }

    /// Stores what was set here, and takes over what other processes have stored since the last time. An order that cannot be
    /// stored at the moment is stored later.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) async fn sync(&self, store: &dyn ConnectionStore) -> Result<(), StoreError> {
        let mut stored = self.stored.lock().await;
        if !store.is_disk_full() {
            self.write(store, &mut stored).await;
        }
        let now = store.address_orders().await?;
        for order in now.iter().filter(|order| !stored.orders.contains(order)) {
            tracing::info!(
                connection = %order.connection,
                addressed_connector = order.connector,
                order = order.order,
                "a request has shown the order of members of this connector address before"
            );
            self.replace(order);
        }
        stored.orders = now;
        Ok(())
    }

    async fn write(&self, store: &dyn ConnectionStore, stored: &mut Stored) {
        for order in self.current().iter() {
            if stored.orders.contains(order) {
                continue;
            }
            match store.save_address_order(order).await {
                Ok(()) => {
                    replace(&mut stored.orders, order);
                    stored.has_write_failed = false;
                }
                Err(error) => {
                    // Logged once, not at every attempt.
                    if !std::mem::replace(&mut stored.has_write_failed, true) {
                        tracing::warn!(
                            "the order of members of a connector address is not stored yet: {error}"
                        );
                    }
                    return;
                }
            }
        }
    }
}

fn replace(orders: &mut Vec<AddressOrder>, order: &AddressOrder) {
    match orders.iter_mut().find(|other| other.connector == order.connector) {
        Some(other) => *other = order.clone(),
        None => orders.push(order.clone()),
    }
}
