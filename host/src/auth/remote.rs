//! A set of keys behind a URL: fetched in the background, kept until a newer one comes.

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

/// When the server does not say how long its keys may be kept.
const KEPT: Duration = Duration::from_secs(3600);
/// Whatever the server says, keys are asked for again no sooner and no later than this.
const KEPT_LEAST: Duration = Duration::from_secs(300);
const KEPT_MOST: Duration = Duration::from_secs(24 * 3600);
/// After a failure; doubled up to [`KEPT`].
const RETRY: Duration = Duration::from_secs(30);
/// A token with an unknown key makes the host ask again, but no more often than this.
const ASKED_LEAST: Duration = Duration::from_secs(60);
/// How long a call waits for keys that are being fetched.
const PATIENCE: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(15);

/// The keys that a URL gives, as they were when it last gave some.
pub(super) struct RemoteKeySet {
    url: Url,
    http: Client,
    current: ArcSwap<Vec<VerificationKey>>,
    /// Begun attempts to fetch.
    last_attempt: Mutex<Option<Instant>>,
    ask: Notify,
    /// Ended attempts to fetch.
    attempts: watch::Sender<u64>,
    asked_least: Duration,
}

impl RemoteKeySet {
    /// Begins to fetch. Must be called on a runtime.
    ///
    /// # Errors
    /// The URL is none, or not a safe one.
    pub(super) fn start(url: &str) -> Result<Arc<Self>, String> {
        RemoteKeySet::start_with(url, ASKED_LEAST)
    }

    pub(super) fn start_with(url: &str, asked_least: Duration) -> Result<Arc<Self>, String> {
        let told = |why: String| format!("the key set URL {url:?}: {why}");
        let url = Url::parse(url).map_err(|error| told(error.to_string()))?;
        let is_own = is_loopback(&url);
        if url.scheme() != "https" && !(url.scheme() == "http" && is_own) {
            return Err(told("expected https:// (http:// only to this machine)".to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(told("it must not hold a user or a password".to_owned()));
        }
        let mut http = Client::builder()
            .https_only(!is_own)
            // A key set that is somewhere else is configured there.
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .user_agent(concat!("erp-host/", env!("CARGO_PKG_VERSION")));
        if is_own {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| told(error.to_string()))?;
        let set = Arc::new(RemoteKeySet {
            url,
            http,
            current: ArcSwap::default(),
            last_attempt: Mutex::default(),
            ask: Notify::new(),
            attempts: watch::Sender::new(0),
            asked_least,
        });
        tokio::spawn(fetch_now_and_then(Arc::downgrade(&set)));
        Ok(set)
    }

    /// The keys; waits for the first attempt to fetch them, but not long.
    pub(super) async fn keys(&self) -> Arc<Vec<VerificationKey>> {
        self.attempted(0).await;
        self.current.load_full()
    }

    /// Asks for newer keys, unless that was done just now; whether it was.
    pub(super) async fn refresh(&self) -> bool {
        {
            let mut last = self.last_attempt.lock().unwrap_or_else(PoisonError::into_inner);
            if last.is_none_or(|last| last.elapsed() < self.asked_least) {
                return false;
            }
            // Here and not when it begins, so that the next one who asks does not ask again.
            *last = Some(Instant::now());
        }
        let before = *self.attempts.borrow();
        self.ask.notify_one();
        self.attempted(before).await;
        true
    }

    /// Waits until more than so many attempts have ended, but not long.
    async fn attempted(&self, before: u64) {
        let mut attempts = self.attempts.subscribe();
        // The sender lives as long as this.
        let _ = timeout(PATIENCE, attempts.wait_for(|&attempts| attempts > before)).await;
    }

    /// Asks the server; how long what it gave may be kept.
    async fn fetch(&self) -> Result<Duration, String> {
        let mut response = self.http.get(self.url.clone()).send().await.map_err(|error| all_of(&error))?;
        let status = response.status();
        if !status.is_success() {
            return Err(format!("the server answers {status}"));
        }
        let cache = response.headers().get(CACHE_CONTROL).and_then(|cache| cache.to_str().ok());
        let kept = cache.and_then(max_age).unwrap_or(KEPT).clamp(KEPT_LEAST, KEPT_MOST);
        let mut json = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| all_of(&error))? {
            json.extend_from_slice(&piece);
            if json.len() > key_set::MOST_BYTES {
                return Err(format!("it is larger than {} bytes", key_set::MOST_BYTES));
            }
        }
        let keys = key_set::parse(&json, self.url.as_str())?;
        self.current.store(Arc::new(keys));
        Ok(kept)
    }
}

/// Fetches until nobody needs the keys any more.
async fn fetch_now_and_then(set: Weak<RemoteKeySet>) {
    let mut retry = RETRY;
    loop {
        let Some(keys) = set.upgrade() else { return };
        *keys.last_attempt.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        let had = keys.current.load().len();
        let wait = match keys.fetch().await {
            Ok(kept) => {
                let has = keys.current.load().len();
                tracing::debug!(url = %keys.url, keys = has, seconds = kept.as_secs(), "fetched a key set");
                if had == 0 {
                    tracing::info!(url = %keys.url, keys = has, "the key set is there");
                }
                retry = RETRY;
                kept
            }
            Err(why) => {
                let wait = retry;
                retry = (retry * 2).min(KEPT);
                let (url, seconds) = (&keys.url, wait.as_secs());
                if had == 0 {
                    tracing::error!(%url, "no key set, callers cannot be authenticated: {why}; next try in {seconds} s");
                } else {
                    tracing::warn!(%url, "the key set is the one from before: {why}; next try in {seconds} s");
                }
                wait
            }
        };
        keys.attempts.send_modify(|attempts| *attempts += 1);
        let until = Instant::now() + wait;
        // Not kept alive while it waits; looked at now and then, so that it ends some time after it is let go of.
        drop(keys);
        loop {
            let Some(keys) = set.upgrade() else { return };
            let soon = until.min(Instant::now() + Duration::from_secs(60));
            let asked = tokio::select! {
                () = keys.ask.notified() => true,
                () = sleep_until(soon) => false,
            };
            if asked || Instant::now() >= until {
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

/// How long an answer may be kept, as its server says.
fn max_age(cache_control: &str) -> Option<Duration> {
    let mut parts = cache_control.split(',').map(str::trim);
    let seconds = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("max-age").then(|| value.trim().trim_matches('"').parse().ok())?
    });
    seconds.map(Duration::from_secs)
}

/// An error with its causes: reqwest's own text says only that sending failed.
fn all_of(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn max_age_is_found() {
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
    async fn only_safe_urls_will_do() {
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
