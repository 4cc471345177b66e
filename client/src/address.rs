//! Where a service is.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use contract::Dialect;
use reqwest::Url;

/// Where the service is below a server's root (contract page, section 1).
const SERVICE_PATH: &str = "/Services/ErpConnectorWS.svc";

/// The parameters that name a description of the service instead of the service.
const DESCRIPTIONS: [&str; 2] = ["wsdl", "singlewsdl"];

/// The address of a connector service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAddress {
    url: Url,
}

/// A text that is no address of a service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is no URL.
    #[error("{text:?} is not a URL: {why}; expected one like http://host:8080/Services/ErpConnectorWS.svc")]
    NoUrl {
        /// What was given.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// Its scheme is none that a connector is called by.
    #[error("{0:?} is not an address to call: expected one that begins with http:// or https://")]
    Scheme(String),
}

impl ServiceAddress {
    /// The same for a connector by its registered name: with `?ConnectorName=`.
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

    /// The name of the connector that the address picks.
    pub fn connector_name(&self) -> Option<String> {
        let found = self.url.query_pairs().find(|(key, _)| key.eq_ignore_ascii_case("ConnectorName"));
        found.map(|(_, name)| name.into_owned())
    }

    /// The address to call in a dialect. WSGetConfigData is the same message in `data`, in `plain` and by operation, so a
    /// service that speaks several knows by the address; others do not look.
    pub fn of_dialect(&self, dialect: Dialect) -> Url {
        match dialect {
            Dialect::Message | Dialect::Data => self.url.clone(),
            Dialect::MessageByOperation | Dialect::Plain => self.naming(dialect),
        }
    }

    fn naming(&self, dialect: Dialect) -> Url {
        let mut url = self.url.clone();
        if !url.query_pairs().any(|(key, _)| key == "dialect") {
            url.query_pairs_mut().append_pair("dialect", dialect.as_str());
        }
        url
    }

    /// The address of a description of the service: `wsdl` or `singleWsdl`.
    pub fn description(&self, parameter: &str, dialect: Dialect) -> Url {
        // A service with several descriptions is asked for the right one.
        let mut url = if dialect == Dialect::Message { self.url.clone() } else { self.naming(dialect) };
        let query = url.query().filter(|query| !query.is_empty()).map(|rest| format!("&{rest}"));
        url.set_query(Some(&format!("{parameter}{}", query.unwrap_or_default())));
        url
    }

    /// The address as it is.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Whether it is on this very machine.
    pub fn is_loopback(&self) -> bool {
        let host = self.url.host_str().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

impl FromStr for ServiceAddress {
    type Err = AddressError;

    /// Reads a URL. A bare server gets the contract's path, and `?wsdl` is taken away.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        let is_bare = !text.contains("://");
        // `localhost:8080` would be read as a scheme.
        let whole = if is_bare { format!("http://{text}") } else { text.to_owned() };
        let mut url = Url::parse(&whole)
            .map_err(|error| AddressError::NoUrl { text: text.to_owned(), why: error.to_string() })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(AddressError::Scheme(text.to_owned()));
        }
        if url.path() == "/" {
            url.set_path(SERVICE_PATH);
        }
        url.set_fragment(None);
        let kept: Vec<&str> =
            url.query().unwrap_or_default().split('&').filter(|part| is_kept(part)).collect();
        let query = kept.join("&");
        url.set_query(Some(query.as_str()).filter(|query| !query.is_empty()));
        Ok(ServiceAddress { url })
    }
}

fn is_kept(parameter: &str) -> bool {
    let name = parameter.split('=').next().unwrap_or_default().to_ascii_lowercase();
    !name.is_empty() && !DESCRIPTIONS.contains(&name.as_str())
}

impl fmt::Display for ServiceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(f)
    }
}
