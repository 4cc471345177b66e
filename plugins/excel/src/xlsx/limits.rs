//! How much a workbook may cost: the unpacked size and the compression ratio of a part, and one budget of memory for all
//! workbooks that are being read.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use plugin_api::{Error, Host};

use super::error::LimitError;

const MIB: u64 = 1 << 20;

/// How long a workbook waits until others that are being read leave it memory enough.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a part of a workbook may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PartLimits {
    /// The most bytes that a part may unpack to.
    pub(crate) unpacked: u64,
    /// The most times that a part may be larger unpacked than packed; smaller parts than [`PartLimits::RATIO_COUNTS_FROM`]
    /// may be packed as tightly as they like.
    pub(crate) ratio: u64,
}

impl PartLimits {
    /// Unpacked bytes from which on the ratio counts.
    pub(crate) const RATIO_COUNTS_FROM: u64 = MIB;

    /// # Errors
    /// A part of these sizes, which the archive claims or that have been read, is beyond a limit.
    pub(crate) fn check(&self, part: &str, packed: u64, unpacked: u64) -> Result<(), LimitError> {
        if unpacked > self.unpacked {
            return Err(LimitError::Unpacked { part: part.to_owned(), limit: self.unpacked });
        }
        if unpacked >= Self::RATIO_COUNTS_FROM && unpacked / packed.max(1) >= self.ratio {
            return Err(LimitError::Ratio { part: part.to_owned(), limit: self.ratio });
        }
        Ok(())
    }
}

/// The limits of a connector, and the memory that its workbooks share.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) part: PartLimits,
    pub(crate) memory: Arc<MemoryBudget>,
}

impl Limits {
    /// Reads the operator's options `max_part_mb`, `max_ratio` and `memory_mb`.
    ///
    /// # Errors
    /// An option is no whole number above 0.
    pub(crate) fn new(host: &Host) -> Result<Self, Error> {
        let number = |name: &str, default: u64| match host.option(name).last() {
            None => Ok(default),
            Some(text) => {
                text.trim().parse().ok().filter(|number| (1..=1 << 24).contains(number)).ok_or_else(|| {
                    Error::user(format!(
                        "the option {name} of the connector Excel: {text:?} is no whole number from 1 to {}",
                        1 << 24
                    ))
                })
            }
        };
        let part =
            PartLimits { unpacked: number("max_part_mb", 256)? * MIB, ratio: number("max_ratio", 100)? };
        Ok(Limits { part, memory: Arc::new(MemoryBudget::new(number("memory_mb", 1024)? * MIB)) })
    }
}

/// Memory that all workbooks share which are being read.
#[derive(Debug)]
pub(crate) struct MemoryBudget {
    total: u64,
    used: Mutex<u64>,
    freed: Condvar,
}

impl MemoryBudget {
    pub(crate) fn new(total: u64) -> Self {
        MemoryBudget { total, used: Mutex::new(0), freed: Condvar::new() }
    }

    /// Reserves memory for a workbook that is about to be read, as soon as others leave it enough. More than there is
    /// in all is reserved as all: what the workbook really takes decides.
    ///
    /// # Errors
    /// Others have used it all for too long.
    pub(crate) fn reserve(self: &Arc<Self>, estimate: u64) -> Result<Reservation, LimitError> {
        let wanted = estimate.min(self.total);
        let deadline = Instant::now() + PATIENCE;
        let mut used = self.used();
        while *used + wanted > self.total {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(LimitError::Busy { limit: self.total });
            }
            used = self.freed.wait_timeout(used, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        *used += wanted;
        drop(used);
        Ok(Reservation { budget: Arc::clone(self), reserved: wanted, used: 0 })
    }

    fn used(&self) -> MutexGuard<'_, u64> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A workbook's share of the memory, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    budget: Arc<MemoryBudget>,
    reserved: u64,
    used: u64,
}

impl Reservation {
    /// The least that a reservation grows by.
    const STEP: u64 = MIB;

    /// Counts memory that is about to be used.
    ///
    /// # Errors
    /// There is no more: the workbook alone is too large, or others use the rest. Nobody is waited for here, since
    /// others may wait for us.
    pub(crate) fn take(&mut self, bytes: usize) -> Result<(), LimitError> {
        self.used += u64::try_from(bytes).unwrap_or(u64::MAX / 2);
        if self.used <= self.reserved {
            return Ok(());
        }
        let total = self.budget.total;
        if self.used > total {
            return Err(LimitError::Memory { limit: total });
        }
        let mut used = self.budget.used();
        let more = (self.used - self.reserved).max(Self::STEP).min(total.saturating_sub(*used));
        if self.reserved + more < self.used {
            return Err(LimitError::Busy { limit: total });
        }
        *used += more;
        self.reserved += more;
        Ok(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        *self.budget.used() -= self.reserved;
        self.budget.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reservation_grows_to_the_budget_and_gives_it_back() {
        let budget = Arc::new(MemoryBudget::new(10 * MIB));
        let mut one = budget.reserve(4 * MIB).unwrap();
        let mut other = budget.reserve(100).unwrap();
        one.take(8 << 20).unwrap();
        other.take(1 << 20).unwrap();
        let error = other.take(2 << 20).unwrap_err().to_string();
        assert!(error.contains("at once"), "{error}");
        drop(one);
        let error = other.take(20 << 20).unwrap_err().to_string();
        assert!(error.contains("more than the 10 MB of memory"), "{error}");
        drop(other);
        assert_eq!(*budget.used(), 0);
    }

    #[test]
    fn large_workbook_waits_for_others() {
        let budget = Arc::new(MemoryBudget::new(10 * MIB));
        let first = budget.reserve(6 * MIB).unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| budget.reserve(60 * MIB).map(|reservation| reservation.reserved));
            drop(first);
            assert_eq!(waiting.join().unwrap().unwrap(), 10 * MIB);
        });
    }

    #[test]
    fn options_are_read_and_checked() {
        let host = Host::for_test("/").with_option("max_part_mb", "2").with_option("memory_mb", "7");
        let limits = Limits::new(&host).unwrap();
        assert_eq!(limits.part, PartLimits { unpacked: 2 * MIB, ratio: 100 });
        assert_eq!(limits.memory.total, 7 * MIB);
        for wrong in ["0", "-1", "many", "", "1.5", "99999999999"] {
            let error = Limits::new(&Host::for_test("/").with_option("max_ratio", wrong)).unwrap_err();
            assert!(error.user_text().contains("the option max_ratio"), "{error:?}");
        }
    }
}
