//! Where a WSDL is.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use reqwest::Url;

use crate::address::{AddressError, ServiceAddress, is_wsdl_parameter};

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

    fn file(path: &Path) -> Option<Self> {
        Url::from_file_path(std::path::absolute(path).ok()?).ok().map(Source::Document)
    }
}

impl FromStr for Source {
    type Err = SourceError;

    /// An `http:` or `https:` URL with `?wsdl` or `?singleWsdl` is that document, and without it a service. What has no
    /// scheme is the path of a file.
    fn from_str(text: &str) -> Result<Self, SourceError> {
        let text = text.trim();
        let lower = text.to_ascii_lowercase();
        if lower.starts_with("http:") || lower.starts_with("https:") {
            let url = Url::parse(text).ok();
            let document = url.filter(|url| url.query_pairs().any(|(key, _)| is_wsdl_parameter(&key)));
            return Ok(match document {
                Some(mut url) => {
                    url.set_fragment(None);
                    Source::Document(url)
                }
                None => Source::Service(text.parse()?),
            });
        }
        let no_path = || SourceError::Path(text.to_owned());
        if lower.starts_with("file:") {
            let mut url = Url::parse(text).map_err(|_| no_path())?;
            url.set_fragment(None);
            return url.to_file_path().map_err(|()| no_path()).map(|_| Source::Document(url));
        }
        if text.contains("://") {
            return Err(AddressError::Scheme(text.to_owned()).into());
        }
        Source::file(Path::new(text)).ok_or_else(no_path)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Service(address) => address.fmt(f),
            Source::Document(url) => url.fmt(f),
        }
    }
}
