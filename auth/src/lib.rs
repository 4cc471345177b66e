//! Online authentication (contract page, section 6): SuperOffice sends a signed token (JWT), and the reply holds its nonce,
//! signed with the partner's key. Nothing is stored.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use erp_host_auth::{Online, OnlineClient, OnlineConfig};
//!
//! # async fn example(token: &str) -> Result<(), Box<dyn std::error::Error>> {
//! let client = OnlineClient {
//!     certificates: vec!["/etc/erp-host/superoffice.crt".into()],
//!     jwks: None,
//!     private_key: "/etc/erp-host/app.xml".into(),
//!     connectors: Some(vec!["Excel".to_owned()]),
//! };
//! let clients = [("1a2b3c4d5e6f".to_owned(), client)].into();
//! let online = Arc::new(Online::new(&OnlineConfig { clients, ..OnlineConfig::default() })?);
//! // Read again when they change.
//! let key_files = online.files();
//! let accepted = online.authenticate(token, "Excel").await?;
//! println!("customer {}, reply {}", accepted.context, accepted.answer.0);
//! # Ok(())
//! # }
//! ```
//!
//! - `config`: what belongs to each client ID, [`OnlineConfig`];
//! - `token`: parses and verifies a token; `denied`: why it is not accepted, for the log, [`Denied`];
//! - `verification_key`: SuperOffice's public keys, from certificates, or from a `key_set` (JWKS) in a file or behind a URL
//!   (`remote`);
//! - `partner_key`: the private key that signs replies, in PEM or as `rsa_key_value`.

mod config;
mod denied;
mod key_set;
mod partner_key;
mod remote;
mod rsa_key_value;
mod token;
mod verification_key;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::task::spawn_blocking;

pub use self::config::{KeySetSource, OnlineClient, OnlineConfig};
pub use self::denied::Denied;
use self::partner_key::PartnerKey;
use self::remote::RemoteKeySet;
use self::token::{Expected, Unverified};
use self::verification_key::{MOST_KEYS, VerificationKey, read_certificates};
use erp_host_files::hot_reload::{Reload, Reloadable};

/// Bounds of `online.token_lifetime`.
const SHORTEST_LIFETIME: Duration = Duration::from_secs(60);
const LONGEST_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// Online authentication of all client IDs. Without a client ID nobody is authenticated.
pub struct Online {
    issuer: String,
    clock_skew: Duration,
    token_lifetime: Duration,
    clients: Vec<Client>,
}

/// A client ID with its keys and connectors.
struct Client {
    id: String,
    certificates: Arc<Reloadable<Vec<VerificationKey>>>,
    key_set: Option<KeySet>,
    partner_key: Arc<Reloadable<PartnerKey>>,
    /// `None`: all of them.
    connectors: Option<Vec<String>>,
}

enum KeySet {
    File(Arc<Reloadable<Vec<VerificationKey>>>),
    Remote(Arc<RemoteKeySet>),
}

/// The result of an authentication.
#[derive(Debug)]
pub struct Authenticated {
    /// The client ID, as it is configured.
    pub client: String,
    /// The customer's context ID.
    pub context: String,
    /// Proves to the caller that this host has the partner's key.
    pub answer: SignedApplicationToken,
}

/// The `SignedApplicationToken` of the reply. `Debug` shows nothing of it.
pub struct SignedApplicationToken(pub String);

impl fmt::Debug for SignedApplicationToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignedApplicationToken({} bytes)", self.0.len())
    }
}

impl Online {
    /// Reads every key file, and starts to fetch key sets from URLs. Must be called on a runtime.
    ///
    /// # Errors
    /// A file cannot be read, or its content is not valid. The text names the file and what is expected.
    pub fn new(config: &OnlineConfig) -> Result<Self, String> {
        let lifetime = config.token_lifetime;
        if !(SHORTEST_LIFETIME..=LONGEST_LIFETIME).contains(&lifetime) {
            let seconds = lifetime.as_secs_f64();
            return Err(format!(
                "online.token_lifetime is {seconds} seconds, expected 1m to 24h; SuperOffice's tokens are valid for about six minutes"
            ));
        }
        let mut clients: Vec<Client> = Vec::new();
        for (id, client) in &config.clients {
            if clients.iter().any(|other| other.id.eq_ignore_ascii_case(id)) {
                return Err(format!("[online.clients] has the client ID {id:?} twice; case does not count"));
            }
            let client =
                Client::new(id, client).map_err(|reason| format!("online.clients.{id}: {reason}"))?;
            clients.push(client);
        }
        Ok(Online {
            issuer: config.issuer.clone(),
            clock_skew: config.clock_skew,
            token_lifetime: lifetime,
            clients,
        })
    }

    /// Keys and certificates, which are reloaded when their files change.
    pub fn files(&self) -> Vec<Arc<dyn Reload>> {
        let mut all: Vec<Arc<dyn Reload>> = Vec::new();
        for client in &self.clients {
            all.push(Arc::clone(&client.certificates) as Arc<dyn Reload>);
            all.push(Arc::clone(&client.partner_key) as Arc<dyn Reload>);
            if let Some(KeySet::File(keys)) = &client.key_set {
                all.push(Arc::clone(keys) as Arc<dyn Reload>);
            }
        }
        all
    }

    /// Verifies a token of a call for this connector, and signs the reply.
    ///
    /// # Errors
    /// The caller is not authenticated. The reason must not be sent to the caller.
    pub async fn authenticate(
        self: &Arc<Self>,
        token: &str,
        connector: &str,
    ) -> Result<Authenticated, Denied> {
        if self.clients.is_empty() {
            return Err(Denied::NotConfigured);
        }
        let token = Arc::new(Unverified::parse(token)?);
        let index = self.clients.iter().position(|client| token.is_for(&client.id));
        let index = index.ok_or_else(|| Denied::Audience(token.printable_audience()))?;
        let client = &self.clients[index];
        let keys = client.key_set().await;
        let is_known = token.key.is_some() && keys.iter().any(|known| known.id == token.key);
        let examined = self.examine_off_thread(index, &token, connector, keys).await;
        // The key may be newer than the key set.
        let fits_no_key = matches!(examined, Err(Denied::Signature { .. }));
        match &client.key_set {
            Some(KeySet::Remote(set)) if fits_no_key && !is_known && set.refresh().await => {
                let keys = set.keys().await;
                self.examine_off_thread(index, &token, connector, keys).await
            }
            _ => examined,
        }
    }

    /// Runs [`Online::examine`] off the I/O threads: signing takes a millisecond.
    async fn examine_off_thread(
        self: &Arc<Self>,
        index: usize,
        token: &Arc<Unverified>,
        connector: &str,
        key_set: Arc<Vec<VerificationKey>>,
    ) -> Result<Authenticated, Denied> {
        let (online, token, connector) = (Arc::clone(self), Arc::clone(token), connector.to_owned());
        let examine = move || online.examine(&online.clients[index], &token, &connector, &key_set);
        spawn_blocking(examine).await.unwrap_or_else(|error| {
            tracing::error!(%error, "verifying a token panicked");
            Err(Denied::Malformed("verifying it panicked"))
        })
    }

    fn examine(
        &self,
        client: &Client,
        token: &Unverified,
        connector: &str,
        key_set: &[VerificationKey],
    ) -> Result<Authenticated, Denied> {
        let now = SystemTime::now();
        let expected = Expected {
            client: &client.id,
            issuer: &self.issuer,
            clock_skew: self.clock_skew,
            lifetime: self.token_lifetime,
            now,
        };
        let certificates = client.certificates.get();
        let verified = token.verify(certificates.iter().chain(key_set), &expected)?;
        // After the signature: nobody but SuperOffice may find out which connectors are here.
        if !client.serves(connector) {
            return Err(Denied::Connector { client: client.id.clone(), connector: connector.to_owned() });
        }
        let answer = client.partner_key.get().answer(&verified.nonce, now);
        let answer = answer.ok_or_else(|| Denied::NotSigned { client: client.id.clone() })?;
        Ok(Authenticated {
            client: client.id.clone(),
            context: verified.context,
            answer: SignedApplicationToken(answer),
        })
    }
}

impl Client {
    fn new(id: &str, config: &OnlineClient) -> Result<Self, String> {
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
            return Err("a client ID has letters, digits, and -_. only".to_owned());
        }
        if config.certificates.is_empty() && config.jwks.is_none() {
            return Err("certificates or jwks must say with which keys SuperOffice signs".to_owned());
        }
        let key_file = config.private_key.clone();
        let partner_key =
            Reloadable::new(format!("the private key of {id}"), [&config.private_key], move || {
                PartnerKey::read(&key_file)
            })?;
        let files = config.certificates.clone();
        let certificates =
            Reloadable::new(format!("the certificates of {id}"), &config.certificates, move || {
                certificates(&files)
            })?;
        for key in certificates.get().iter() {
            tracing::info!(client = id, "tokens are verified with {}", key.label);
            if !key.is_valid(SystemTime::now(), Duration::ZERO) {
                tracing::error!(
                    client = id,
                    "{} is not valid now: tokens that it fits are refused",
                    key.label
                );
            }
        }
        let key_set = match &config.jwks {
            Some(KeySetSource::Url(url)) => Some(KeySet::Remote(RemoteKeySet::start(url)?)),
            Some(KeySetSource::File(file)) => {
                let path = file.clone();
                let keys =
                    Reloadable::new(format!("the key set of {id}"), [file], move || key_set::read(&path))?;
                Some(KeySet::File(Arc::new(keys)))
            }
            None => None,
        };
        tracing::info!(client = id, bits = partner_key.get().bits(), "online authentication is ready");
        Ok(Client {
            id: id.to_owned(),
            certificates: Arc::new(certificates),
            key_set,
            partner_key: Arc::new(partner_key),
            connectors: config.connectors.clone(),
        })
    }

    async fn key_set(&self) -> Arc<Vec<VerificationKey>> {
        match &self.key_set {
            None => Arc::default(),
            Some(KeySet::File(keys)) => keys.get(),
            Some(KeySet::Remote(keys)) => keys.keys().await,
        }
    }

    fn serves(&self, connector: &str) -> bool {
        let Some(connectors) = &self.connectors else { return true };
        connectors.iter().any(|own| own.eq_ignore_ascii_case(connector))
    }
}

fn certificates(files: &[PathBuf]) -> Result<Vec<VerificationKey>, String> {
    let all: Result<Vec<_>, _> = files.iter().map(|file| read_certificates(file)).collect();
    let all: Vec<_> = all?.into_iter().flatten().collect();
    if all.len() > MOST_KEYS {
        return Err(format!("there are {} certificates, at most {MOST_KEYS} are used", all.len()));
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
