//! Settings whose test has failed. A person who corrects them tests at once; who repeats the same ones again and again is held
//! back, because an ERP system locks a user out whose password is wrong a few times.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contract::Outcome;
use erp_host_store::{Backoff, RetryPolicy};
use plugin_api::{ErrorKind, Settings};

/// So often the same settings may fail without a pause.
const FREE_FAILURES: u32 = 3;
/// Settings that are kept at most.
const MAX_FAILED: usize = 256;

/// Settings whose last test has failed, by a hash with a key of this process: they have secrets.
#[derive(Debug, Default)]
pub(super) struct FailedTests {
    hasher: RandomState,
    failed: Mutex<HashMap<u64, FailedTest>>,
}

#[derive(Debug)]
struct FailedTest {
    /// `None` while the failures are free.
    backoff: Option<Backoff>,
    failures: u32,
    outcome: Outcome<'static>,
    at: u64,
}

/// The hash of some settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SettingsHash(u64);

impl FailedTests {
    pub(super) fn hash(&self, settings: &Settings) -> SettingsHash {
        let pairs: Vec<(&str, Option<&str>)> = settings.iter().collect();
        SettingsHash(self.hasher.hash_one(pairs))
    }

    /// The outcome of the last test and how long these settings are not tested yet, if they are held back.
    pub(super) fn held_back(&self, settings: SettingsHash) -> Option<(Outcome<'static>, Duration)> {
        let failed = self.failed();
        let test = failed.get(&settings.0)?;
        let left = test.backoff.as_ref()?.time_left()?;
        Some((test.outcome.clone(), left))
    }

    /// Adds the result of a test, with the kind of an error of the connector; `None`: it went well.
    pub(super) fn add(
        &self,
        settings: SettingsHash,
        error: Option<&Outcome<'static>>,
        kind: Option<ErrorKind>,
    ) {
        let mut failed = self.failed();
        let Some(outcome) = error else {
            failed.remove(&settings.0);
            return;
        };
        let before = failed.get(&settings.0).filter(|test| test.backoff.is_none_or(|it| !it.is_forgotten()));
        let (before, failures) = before.map_or((None, 0), |test| (test.backoff, test.failures));
        let failures = failures.saturating_add(1);
        // The connector reports that they are wrong, so trying them again can only lock somebody out.
        let is_held_back = failures >= FREE_FAILURES || kind == Some(ErrorKind::Settings);
        let backoff = is_held_back.then(|| Backoff::after(before, RetryPolicy::Later));
        let at = failed.values().map(|test| test.at).max().map_or(0, |last| last + 1);
        failed.insert(settings.0, FailedTest { backoff, failures, outcome: outcome.clone(), at });
        if failed.len() > MAX_FAILED
            && let Some(oldest) = failed.iter().min_by_key(|(_, test)| test.at).map(|(hash, _)| *hash)
        {
            failed.remove(&oldest);
        }
    }

    fn failed(&self) -> MutexGuard<'_, HashMap<u64, FailedTest>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(password: &str) -> Settings {
        [("User", Some("u")), ("Password", Some(password))].into_iter().collect()
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn failed_tests_hold_back_only_the_same_settings_and_only_after_some_failures() {
        let tests = FailedTests::default();
        let (wrong, right) = (tests.hash(&settings("wrong")), tests.hash(&settings("right")));
        let error = Outcome::error("wrong password");
        for _ in 0..3 {
            assert!(tests.held_back(wrong).is_none());
            tests.add(wrong, Some(&error), Some(ErrorKind::Failed));
        }
        let (outcome, left) = tests.held_back(wrong).unwrap();
        assert_eq!((outcome, left.as_secs()), (error.clone(), 5));
        assert!(tests.held_back(right).is_none(), "a person who has corrected them tests at once");
        tokio::time::advance(Duration::from_secs(5)).await;
        assert!(tests.held_back(wrong).is_none());
        tests.add(wrong, Some(&error), Some(ErrorKind::Failed));
        assert_eq!(tests.held_back(wrong).unwrap().1.as_secs(), 10);
        tests.add(wrong, None, None);
        assert!(tests.held_back(wrong).is_none(), "they are right now");
        assert!(tests.failed().is_empty());
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn failed_tests_hold_settings_back_at_once_after_an_error_of_that_kind() {
        let tests = FailedTests::default();
        let wrong = tests.hash(&settings("wrong"));
        for seconds in [5, 10] {
            tests.add(wrong, Some(&Outcome::error("wrong password")), Some(ErrorKind::Settings));
            assert_eq!(tests.held_back(wrong).unwrap().1.as_secs(), seconds);
        }
    }

    #[test]
    fn failed_tests_keep_a_limited_number_of_settings() {
        let tests = FailedTests::default();
        let last = (0..MAX_FAILED + 50).map(|number| {
            let hash = tests.hash(&settings(&number.to_string()));
            tests.add(hash, Some(&Outcome::error("wrong")), None);
            hash
        });
        let last = last.last().unwrap();
        assert_eq!(tests.failed().len(), MAX_FAILED);
        assert!(tests.failed().contains_key(&last.0), "the newest ones");
    }
}
