//! Which connections are in use, from the beginning of their opening until they are closed: what a connector keeps for a deleted
//! connection is removed while it is not in use, and it is not opened meanwhile.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};
use values::Guid;

/// A lock for each connection that is in use or excluded from it.
#[derive(Debug, Default)]
pub(super) struct ConnectionsInUse(Mutex<HashMap<Guid, Arc<RwLock<()>>>>);

/// A connection is in use until this is dropped.
pub(super) type InUse = OwnedRwLockReadGuard<()>;

/// A connection is not in use until this is dropped.
pub(super) type Excluded = OwnedRwLockWriteGuard<()>;

impl ConnectionsInUse {
    /// Uses a connection. Waits while it is excluded.
    pub(super) async fn enter(&self, guid: Guid) -> InUse {
        let lock = Arc::clone(self.locks().entry(guid).or_default());
        lock.read_owned().await
    }

    /// Excludes a connection from use; `None` while it is in use.
    pub(super) fn try_exclude(&self, guid: Guid) -> Option<Excluded> {
        let lock = Arc::clone(self.locks().entry(guid).or_default());
        lock.try_write_owned().ok()
    }

    /// Forgets the locks that nobody holds.
    pub(super) fn forget_unused(&self) {
        self.locks().retain(|_, lock| Arc::strong_count(lock) > 1);
    }

    fn locks(&self) -> MutexGuard<'_, HashMap<Guid, Arc<RwLock<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connection_is_excluded_only_while_it_is_not_in_use() {
        let all = ConnectionsInUse::default();
        let guid = Guid::ZERO;
        let (first, second) = (all.enter(guid).await, all.enter(guid).await);
        drop(first);
        all.forget_unused();
        assert!(all.try_exclude(guid).is_none());
        drop(second);
        let excluded = all.try_exclude(guid).unwrap();
        all.forget_unused();
        let mut opening = std::pin::pin!(all.enter(guid));
        assert!(tokio::time::timeout(std::time::Duration::ZERO, &mut opening).await.is_err());
        drop(excluded);
        drop(opening.await);
        all.forget_unused();
        assert!(all.locks().is_empty());
    }
}
