//! Where a WSDL is.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use reqwest::Url;

use crate::address::{AddressError, ServiceAddress, has_user_info, is_wsdl_parameter};

/// Where a WSDL is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A service: its WSDL is at `?singleWsdl`, or else at `?wsdl`.
    Service(ServiceAddress),
    /// The WSDL itself: an `http:`, `https:` or `file:` URL.
    Document(Url),
}

/// A text that names no WSDL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// It is no address of a service.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// It is no path of a file.
    #[error("{0:?} is neither a URL nor the path of a file")]
    Path(String),
}

impl Source {
    /// The URL, if it is one of HTTP.
    pub(super) fn http_url(&self) -> Option<&Url> {
        match self {
            Source::Service(address) => Some(address.url()),
            Source::Document(url) => Some(url).filter(|url| url.scheme() != "file"),
        }
    }

    /// The WSDL that a URL of HTTP is the address of, or else the service.
    fn http(text: &str) -> Result<Self, AddressError> {
        if has_user_info(text) {
            return Err(AddressError::UserInfo);
        }
        let url = Url::parse(text).ok();
        let document = url.filter(|url| url.query_pairs().any(|(key, _)| is_wsdl_parameter(&key)));
        Ok(match document {
            Some(mut url) => {
                url.set_fragment(None);
                Source::Document(url)
            }
            None => Source::Service(text.parse()?),
        })
    }

    fn file(path: &Path) -> Option<Self> {
        Url::from_file_path(std::path::absolute(path).ok()?).ok().map(Source::Document)
    }
}

impl FromStr for Source {
    type Err = SourceError;

    /// An `http:` or `https:` URL with `?wsdl` or `?singleWsdl` is that document, and without it a service. What has no
    /// scheme is the path of a file if there is one, or if it does not look like `host:port/path`.
    fn from_str(text: &str) -> Result<Self, SourceError> {
        let text = text.trim();
        let lower = text.to_ascii_lowercase();
        if lower.starts_with("http:") || lower.starts_with("https:") {
            return Ok(Source::http(text)?);
        }
        let no_path = || SourceError::Path(text.to_owned());
        if lower.starts_with("file:") {
            let mut url = Url::parse(text).map_err(|_| no_path())?;
            url.set_fragment(None);
            return url.to_file_path().map_err(|()| no_path()).map(|_| Source::Document(url));
        }
        if text.contains("://") {
            let is_secret = has_user_info(text);
            return Err(if is_secret {
                AddressError::UserInfo
            } else {
                AddressError::Scheme(text.to_owned())
            }
            .into());
        }
        let path = Path::new(text);
        if !path.exists() && is_like_address(text) {
            return Ok(Source::http(&format!("http://{text}"))?);
        }
        Source::file(path).ok_or_else(no_path)
    }
}

/// Whether a text without a scheme is rather `host`, `host:port` or `host/path` than the path of a file that is missing.
fn is_like_address(text: &str) -> bool {
    const FILES: [&str; 7] = [".wsdl", ".xml", ".xsd", ".toml", ".txt", ".htm", ".html"];
    let lower = text.to_ascii_lowercase();
    let path = lower.split(['?', '#']).next().unwrap_or_default();
    if path.contains('\\') || FILES.iter().any(|ending| path.ends_with(ending)) {
        return false;
    }
    let (authority, folders) =
        path.split_once('/').map_or((path, None), |(authority, rest)| (authority, Some(rest)));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let begins_well = host.starts_with(|first: char| first.is_alphanumeric() || first == '[');
    if !begins_well || Url::parse(&format!("http://{host}")).is_err() {
        return false;
    }
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    // `folder/service` is rather a path.
    has_port
        || host.contains('.')
        || host.starts_with('[')
        || host == "localhost"
        || folders.is_none_or(|rest| rest.is_empty() || rest.ends_with(".svc"))
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Service(address) => address.fmt(f),
            Source::Document(url) => url.fmt(f),
        }
    }
}
