//! Access control: who may call, by network, shared secret, basic authentication or client certificate. It needs only the
//! head of a request.
//!
//! - `config`: the section `[access]`;
//! - `secret`: shared secrets and their hashes;
//! - `certificate`: the names of a client certificate.

mod certificate;
mod config;
mod secret;

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use ipnet::IpNet;
use zeroize::Zeroizing;

pub use self::certificate::CertificateNames;
pub use self::config::AccessConfig;
pub(crate) use self::config::networks;
pub use self::secret::{NewSecretError, SecretHash, new_secret};
use erp_host_router::Caller;

/// `WWW-Authenticate` for a caller without a valid password.
pub const BASIC_CHALLENGE: HeaderValue =
    HeaderValue::from_static("Basic realm=\"erp-host\", charset=\"UTF-8\"");

/// The rules of access.
#[derive(Debug)]
pub struct Access {
    networks: Vec<IpNet>,
    health_networks: Vec<IpNet>,
    details_networks: Vec<IpNet>,
    secret_header: HeaderName,
    secrets: Vec<(String, SecretHash)>,
    users: Vec<(String, SecretHash)>,
    /// Names of which a client certificate must have one; empty: any. `None`: no certificate is required.
    certificates: Option<Vec<String>>,
}

/// Why a caller may not call. For the log: the caller learns less.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessDenied {
    /// Its address is not allowed.
    #[error("the address is in none of the networks of {0}")]
    Network(&'static str),
    /// Its address is unknown.
    #[error("a trusted proxy does not say who calls, or says it in a way that cannot be relied on")]
    UnknownAddress,
    /// No credential, or a wrong one.
    #[error("{why}")]
    Credential {
        /// What is wrong with it.
        why: &'static str,
        /// Whether a name and a password would do.
        has_users: bool,
    },
    /// No client certificate, though every caller must have one.
    #[error("the caller shows no client certificate, see tls.client_ca")]
    NoCertificate,
    /// A certificate without an allowed name.
    #[error("the client certificate of {0} has none of the names of tls.client_names")]
    Certificate(String),
}

impl Access {
    /// The rules of the configuration. `client_names`: the names of which a client certificate must have one; `None`: no
    /// certificate is required.
    ///
    /// # Errors
    /// They would let nobody in, or everybody.
    pub fn new(config: &AccessConfig, client_names: Option<&[String]>) -> Result<Self, String> {
        let AccessConfig { networks, health_networks, details_networks, secret_header, secrets, users } =
            config.clone();
        let secret_header = HeaderName::try_from(&secret_header)
            .map_err(|_| format!("access.secret_header {secret_header:?} is no name of a header"))?;
        if secret_header == AUTHORIZATION && !secrets.is_empty() {
            return Err("access.secret_header must not be Authorization; use access.users".to_owned());
        }
        if let Some(user) = users.keys().find(|user| user.is_empty() || user.contains(':')) {
            return Err(format!(
                "the user {user:?} of access.users is empty or has a colon, which none can have"
            ));
        }
        Ok(Access {
            networks,
            health_networks,
            details_networks,
            secret_header,
            secrets: secrets.into_iter().collect(),
            users: users.into_iter().collect(),
            certificates: client_names.map(<[_]>::to_vec),
        })
    }

    /// Whether everybody who reaches this host may call.
    pub fn is_open(&self) -> bool {
        self.networks.is_empty() && !self.has_credentials() && self.certificates.is_none()
    }

    /// Whether callers must send a secret or a password.
    pub fn has_credentials(&self) -> bool {
        !self.secrets.is_empty() || !self.users.is_empty()
    }

    /// Whether this caller may ask for the host's health; no credential is required.
    ///
    /// # Errors
    /// It may not.
    pub fn admit_to_health(&self, caller: &Caller) -> Result<(), AccessDenied> {
        within(&self.health_networks, caller.client, "access.health_networks")
    }

    /// Whether this caller may call; returns the name that it has proved.
    ///
    /// # Errors
    /// It may not.
    pub fn admit(
        &self,
        caller: &Caller,
        headers: &HeaderMap,
        certificate: Option<&CertificateNames>,
    ) -> Result<Option<Arc<str>>, AccessDenied> {
        within(&self.networks, caller.client, "access.networks")?;
        let certificate = match &self.certificates {
            None => None,
            Some(allowed) => {
                let names = certificate.ok_or(AccessDenied::NoCertificate)?;
                let name = names.find(allowed).ok_or_else(|| AccessDenied::Certificate(names.to_string()))?;
                Some(format!("certificate:{name}"))
            }
        };
        let shown = if self.has_credentials() { Some(self.credential(headers)?) } else { None };
        Ok(shown.or(certificate).map(Into::into))
    }

    /// Whether a caller that was admitted may see which connectors are here, and their versions: it has proved a name, or its
    /// address is one that the configuration allows, or it is on this machine. Everybody else is a stranger. `is_forwarded`:
    /// the request has headers of a proxy, so that the address of a peer that is no trusted proxy is not the client's.
    pub fn shows_details(&self, caller: &Caller, is_forwarded: bool) -> bool {
        let Some(client) = caller.client else { return caller.name.is_some() };
        let is_proxy = is_forwarded && client == caller.peer.ip().to_canonical();
        let is_within = |networks: &[IpNet]| {
            // A network of all addresses says nothing about a caller.
            networks.iter().any(|network| network.prefix_len() > 0 && network.contains(&client))
        };
        caller.name.is_some()
            || (!is_proxy
                && (client.is_loopback() || is_within(&self.networks) || is_within(&self.details_networks)))
    }

    /// The name of the credential in these headers.
    fn credential(&self, headers: &HeaderMap) -> Result<String, AccessDenied> {
        let refused = |why| AccessDenied::Credential { why, has_users: !self.users.is_empty() };
        let mut shown = headers.get_all(&self.secret_header).iter();
        if let Some(secret) = shown.next().filter(|_| !self.secrets.is_empty()) {
            if shown.next().is_some() {
                return Err(refused("the secret header stands in the request twice"));
            }
            return match find(&self.secrets, secret.as_bytes(), |_| true) {
                Some(name) => Ok(format!("secret:{name}")),
                None => Err(refused("the secret header holds a secret that is not known")),
            };
        }
        if self.users.is_empty() {
            return Err(refused("the request has no secret header"));
        }
        let mut shown = headers.get_all(AUTHORIZATION).iter();
        let Some(basic) = shown.next() else { return Err(refused("the request has no credential")) };
        if shown.next().is_some() {
            return Err(refused("the request has two Authorization headers"));
        }
        let decoded =
            basic_credential(basic).ok_or_else(|| refused("the Authorization header is no Basic one"))?;
        let colon = decoded.iter().position(|&byte| byte == b':');
        let (user, password) = colon
            .map(|colon| (&decoded[..colon], &decoded[colon + 1..]))
            .ok_or_else(|| refused("no colon"))?;
        match find(&self.users, password, |name| name.as_bytes() == user) {
            Some(name) => Ok(format!("basic:{name}")),
            None => Err(refused("the name or the password is wrong")),
        }
    }
}

fn within(networks: &[IpNet], client: Option<IpAddr>, setting: &'static str) -> Result<(), AccessDenied> {
    if networks.is_empty() {
        return Ok(());
    }
    let client = client.ok_or(AccessDenied::UnknownAddress)?;
    let is_within = networks.iter().any(|network| network.contains(&client));
    if is_within { Ok(()) } else { Err(AccessDenied::Network(setting)) }
}

/// The name of a credential. Every hash is compared, so that the time gives nothing away.
fn find<'n>(
    known: &'n [(String, SecretHash)],
    shown: &[u8],
    is_its_name: impl Fn(&str) -> bool,
) -> Option<&'n str> {
    let shown = SecretHash::of(shown);
    let mut found = None;
    for (name, hash) in known {
        if hash.is(&shown) & is_its_name(name) {
            found = Some(name.as_str());
        }
    }
    found
}

/// `Basic dXNlcjpwYXNzd29yZA==` -> `user:password`.
fn basic_credential(header: &HeaderValue) -> Option<Zeroizing<Vec<u8>>> {
    let (scheme, encoded) = header.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    STANDARD.decode(encoded.trim()).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests;
