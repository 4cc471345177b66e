//! The address of a connector service.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use contract::{Dialect, Profile};
use reqwest::Url;

/// The path of the service on a server (contract page, section 1).
const DEFAULT_PATH: &str = "/Services/ErpConnectorWS.svc";

/// The query parameters that ask for a WSDL.
const WSDL_PARAMETERS: [&str; 2] = ["wsdl", "singlewsdl"];

/// The address of a connector service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAddress {
    url: Url,
}

/// A text that is not the address of a service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is not a URL.
    #[error("{text:?} is not a URL: {why}; expected one like http://host:8080/Services/ErpConnectorWS.svc")]
    NotUrl {
        /// What was given.
        text: String,
        /// The parser's message.
        why: String,
    },
    /// Its scheme is neither `http` nor `https`.
    #[error("{0:?} is not an address to call: expected one that begins with http:// or https://")]
    Scheme(String),
    /// It has a user or a password, which the text does not show.
    #[error("user and password do not belong into the address: give them with --credentials FILE")]
    UserInfo,
}

impl ServiceAddress {
    /// Picks a connector by its registered name: sets `?ConnectorName=`.
    #[must_use]
    pub fn connector(mut self, name: &str) -> Self {
        let others: Vec<(String, String)> = self
            .url
            .query_pairs()
            .filter(|(key, _)| !key.eq_ignore_ascii_case("ConnectorName"))
            .map(|(key, value)| (key.into_owned(), value.into_owned()))
            .collect();
        self.url.query_pairs_mut().clear().extend_pairs(others).append_pair("ConnectorName", name);
        self
    }

    /// The value of `?ConnectorName=`.
    pub fn connector_name(&self) -> Option<String> {
        let found = self.url.query_pairs().find(|(key, _)| key.eq_ignore_ascii_case("ConnectorName"));
        found.map(|(_, name)| name.into_owned())
    }

    /// The address for calls in a profile. WSGetConfigData is the same message in `data`, `plain` and
    /// `message-by-operation`, so a service of this program reads the dialect from the address; others ignore the parameter.
    pub fn for_profile(&self, profile: &Profile) -> Url {
        match profile.dialect() {
            Some(dialect @ (Dialect::MessageByOperation | Dialect::Plain)) => self.with_dialect(dialect),
            _ => self.url.clone(),
        }
    }

    fn with_dialect(&self, dialect: Dialect) -> Url {
        let mut url = self.url.clone();
        if !url.query_pairs().any(|(key, _)| key == "dialect") {
            url.query_pairs_mut().append_pair("dialect", dialect.as_str());
        }
        url
    }

    /// The address of the WSDL. `parameter` is `wsdl` or `singleWsdl`.
    pub fn wsdl_url(&self, parameter: &str) -> Url {
        wsdl_url(self.url.clone(), parameter)
    }

    /// The address of the WSDL of a profile: a service of this program has one for each dialect.
    pub fn wsdl_url_of_profile(&self, parameter: &str, profile: &Profile) -> Url {
        let url = match profile.dialect() {
            None | Some(Dialect::Message) => self.url.clone(),
            Some(dialect) => self.with_dialect(dialect),
        };
        wsdl_url(url, parameter)
    }

    /// The URL.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Whether it is on this machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.url)
    }
}

impl FromStr for ServiceAddress {
    type Err = AddressError;

    /// Parses a URL. A server without a path gets the path of the contract, and `?wsdl` is removed.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        if has_user_info(text) {
            return Err(AddressError::UserInfo);
        }
        let has_scheme = text.contains("://");
        // Without one, `localhost` in `localhost:8080` would be parsed as the scheme.
        let whole = if !has_scheme { format!("http://{text}") } else { text.to_owned() };
        let mut url = Url::parse(&whole)
            .map_err(|error| AddressError::NotUrl { text: text.to_owned(), why: error.to_string() })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(AddressError::Scheme(text.to_owned()));
        }
        if url.path() == "/" {
            url.set_path(DEFAULT_PATH);
        }
        url.set_fragment(None);
        let kept: Vec<&str> =
            url.query().unwrap_or_default().split('&').filter(|part| is_kept(part)).collect();
        let query = kept.join("&");
        url.set_query(Some(query.as_str()).filter(|query| !query.is_empty()));
        Ok(ServiceAddress { url })
    }
}

fn wsdl_url(mut url: Url, parameter: &str) -> Url {
    let query = url.query().filter(|query| !query.is_empty()).map(|rest| format!("&{rest}"));
    url.set_query(Some(&format!("{parameter}{}", query.unwrap_or_default())));
    url
}

/// Whether a URL, with or without a scheme, has a user or a password before the host.
pub(crate) fn has_user_info(text: &str) -> bool {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    rest.split(['/', '\\', '?', '#']).next().is_some_and(|authority| authority.contains('@'))
}

/// Whether the host of a URL is this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether a query parameter of this name asks for a WSDL.
pub(crate) fn is_wsdl_parameter(name: &str) -> bool {
    WSDL_PARAMETERS.iter().any(|known| known.eq_ignore_ascii_case(name))
}

fn is_kept(parameter: &str) -> bool {
    let name = parameter.split('=').next().unwrap_or_default();
    !name.is_empty() && !is_wsdl_parameter(name)
}

impl fmt::Display for ServiceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(f)
    }
}
