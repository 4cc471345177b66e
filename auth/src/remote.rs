//! A key set behind a URL: fetched in the background, and used until a newer one is fetched.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use reqwest::header::CACHE_CONTROL;
use reqwest::{Client, Url, redirect};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::key_set;
use super::verification_key::VerificationKey;

/// The refresh interval when the server gives no `max-age`.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(3600);
/// Limits of the `max-age` that the server gives.
const MIN_INTERVAL: Duration = Duration::from_secs(300);
const MAX_INTERVAL: Duration = Duration::from_secs(24 * 3600);
/// The interval after a failure; doubled up to [`DEFAULT_INTERVAL`].
const RETRY_INTERVAL: Duration = Duration::from_secs(30);
/// A token with an unknown key causes a refresh, but no more often than this.
const MIN_INTERVAL_ON_DEMAND: Duration = Duration::from_secs(60);
/// How long a call waits for a fetch.
const FETCH_WAIT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(15);

/// The keys of the last successful fetch from a URL.
pub(super) struct RemoteKeySet {
    url: Url,
    http: Client,
    current: ArcSwap<Vec<VerificationKey>>,
    /// When the last fetch began.
    last_attempt: Mutex<Option<Instant>>,
    refresh_requested: Notify,
    /// The number of fetches that have ended.
    attempts: watch::Sender<u64>,
    min_interval_on_demand: Duration,
}

impl RemoteKeySet {
    /// Starts to fetch. Must be called on a runtime.
    ///
    /// # Errors
    /// The URL is not valid, or not a safe one.
    pub(super) fn start(url: &str) -> Result<Arc<Self>, String> {
        RemoteKeySet::start_with(url, MIN_INTERVAL_ON_DEMAND)
    }

    pub(super) fn start_with(url: &str, min_interval_on_demand: Duration) -> Result<Arc<Self>, String> {
        let error = |reason: String| format!("the key set URL {url:?}: {reason}");
        let url = Url::parse(url).map_err(|cause| error(cause.to_string()))?;
        let is_own = is_loopback(&url);
        if url.scheme() != "https" && !(url.scheme() == "http" && is_own) {
            return Err(error("expected https:// (http:// only to this machine)".to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(error("it must not hold a user or a password".to_owned()));
        }
        let mut http = Client::builder()
            .https_only(!is_own)
            // The operator configures the final URL.
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .user_agent(concat!("erp-host/", env!("CARGO_PKG_VERSION")));
        if is_own {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|cause| error(cause.to_string()))?;
        let set = Arc::new(RemoteKeySet {
            url,
            http,
            current: ArcSwap::default(),
            last_attempt: Mutex::default(),
            refresh_requested: Notify::new(),
            attempts: watch::Sender::new(0),
            min_interval_on_demand,
        });
        tokio::spawn(fetch_periodically(Arc::downgrade(&set)));
        Ok(set)
    }

    /// The keys; waits a short time for the first fetch.
    pub(super) async fn keys(&self) -> Arc<Vec<VerificationKey>> {
        self.wait_for_attempts(0).await;
        self.current.load_full()
    }

    /// Fetches again, unless the last fetch was very recent; returns whether it did.
    pub(super) async fn refresh(&self) -> bool {
        {
            let mut last = self.last_attempt.lock().unwrap_or_else(PoisonError::into_inner);
            if last.is_none_or(|last| last.elapsed() < self.min_interval_on_demand) {
                return false;
            }
            // Set here and not when the fetch begins, so that the next caller does not request another one.
            *last = Some(Instant::now());
        }
        let before = *self.attempts.borrow();
        self.refresh_requested.notify_one();
        self.wait_for_attempts(before).await;
        true
    }

    /// Waits a short time until more than this number of fetches have ended.
    async fn wait_for_attempts(&self, before: u64) {
        let mut attempts = self.attempts.subscribe();
        // Fails only without a sender, and `self` has it.
        let _ = timeout(FETCH_WAIT, attempts.wait_for(|&attempts| attempts > before)).await;
    }

    /// Fetches the key set; returns how long it may be used.
    async fn fetch(&self) -> Result<Duration, String> {
        let mut response =
            self.http.get(self.url.clone()).send().await.map_err(|error| with_causes(&error))?;
        let status = response.status();
        if !status.is_success() {
            return Err(format!("the server answers {status}"));
        }
        let cache = response.headers().get(CACHE_CONTROL).and_then(|cache| cache.to_str().ok());
        let interval = cache.and_then(max_age).unwrap_or(DEFAULT_INTERVAL).clamp(MIN_INTERVAL, MAX_INTERVAL);
        let mut json = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| with_causes(&error))? {
            json.extend_from_slice(&piece);
            if json.len() > key_set::MOST_BYTES {
                return Err(format!("it is larger than {} bytes", key_set::MOST_BYTES));
            }
        }
        let keys = key_set::parse(&json, self.url.as_str())?;
        self.current.store(Arc::new(keys));
        Ok(interval)
    }
}

/// Fetches until the key set is dropped.
async fn fetch_periodically(set: Weak<RemoteKeySet>) {
    let mut retry = RETRY_INTERVAL;
    loop {
        let Some(keys) = set.upgrade() else { return };
        *keys.last_attempt.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        let had = keys.current.load().len();
        let wait = match keys.fetch().await {
            Ok(interval) => {
                let has = keys.current.load().len();
                tracing::debug!(url = %keys.url, keys = has, seconds = interval.as_secs(), "fetched a key set");
                if had == 0 {
                    tracing::info!(url = %keys.url, keys = has, "the key set is there");
                }
                retry = RETRY_INTERVAL;
                interval
            }
            Err(reason) => {
                let wait = retry;
                retry = (retry * 2).min(DEFAULT_INTERVAL);
                let (url, seconds) = (&keys.url, wait.as_secs());
                if had == 0 {
                    tracing::error!(%url, "no key set, callers cannot be authenticated: {reason}; next try in {seconds} s");
                } else {
                    tracing::warn!(%url, "the key set is the one from before: {reason}; next try in {seconds} s");
                }
                wait
            }
        };
        keys.attempts.send_modify(|attempts| *attempts += 1);
        let until = Instant::now() + wait;
        // Not kept alive here while this waits: the task ends within a minute after the key set is dropped.
        drop(keys);
        loop {
            let Some(set) = set.upgrade() else { return };
            let soon = until.min(Instant::now() + Duration::from_secs(60));
            let is_requested = tokio::select! {
                () = set.refresh_requested.notified() => true,
                () = sleep_until(soon) => false,
            };
            if is_requested || Instant::now() >= until {
                break;
            }
        }
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// `max-age` of a `Cache-Control` header.
fn max_age(cache_control: &str) -> Option<Duration> {
    let mut parts = cache_control.split(',').map(str::trim);
    let seconds = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("max-age").then(|| value.trim().trim_matches('"').parse().ok())?
    });
    seconds.map(Duration::from_secs)
}

/// An error with its causes: the text of a reqwest error alone is not specific.
fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn max_age_is_parsed() {
        for (header, expected) in [
            ("max-age=600", Some(600)),
            ("public, Max-Age = \"60\"", Some(60)),
            ("no-store", None),
            ("max-age=x", None),
            ("", None),
        ] {
            assert_eq!(max_age(header), expected.map(Duration::from_secs), "{header}");
        }
    }

    #[tokio::test]
    async fn remote_key_set_takes_only_safe_urls() {
        for (url, expected) in [
            ("http://keys.example.com/jwks", "expected https://"),
            ("http://127.0.0.1.example.com/jwks", "expected https://"),
            ("ftp://localhost/jwks", "expected https://"),
            ("https://user:secret@example.com/", "user or a password"),
            ("keys.json", "relative URL"),
        ] {
            let error = RemoteKeySet::start(url).err().unwrap();
            assert!(error.contains(expected), "{url}: {error}");
        }
        for url in ["http://localhost:1/", "http://[::1]:1/", "http://127.1.2.3:1/"] {
            assert!(RemoteKeySet::start(url).is_ok(), "{url}");
        }
    }
}
