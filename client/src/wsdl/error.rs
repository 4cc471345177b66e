//! Errors of fetching a WSDL. Each text is one sentence for the user.

use contract::learn::LearnError;

use crate::error::CallErrorKind;
use crate::transport::SetupError;

/// Why there is no WSDL.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the messages name each field")]
pub enum WsdlError {
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error("the WSDL {url} cannot be fetched: {kind}")]
    Request { url: String, kind: CallErrorKind },
    #[error(
        "{url} answers with status {status} and {what}, expected 200 and a WSDL: check the address, let the service's \
         operator turn its WSDL on (serviceMetadata httpGetEnabled), or save the WSDL and give the file"
    )]
    Status { url: String, status: u16, what: String },
    #[error(
        "{url} answers with the HTML page{}, expected a WSDL: exempt the service's path from signing in, let its \
         operator turn its WSDL on (serviceMetadata httpGetEnabled), or save the WSDL and give the file",
        title.as_ref().map(|title| format!(" {title:?}")).unwrap_or_default()
    )]
    Html { url: String, title: Option<String> },
    #[error(transparent)]
    NoWsdl(LearnError),
    #[error("{url} cannot be decoded: {why}; expected XML in UTF-8 or UTF-16")]
    Encoding { url: String, why: String },
    #[error("the WSDL {url}: {why}")]
    File { url: String, why: String },
    #[error(
        "{from} imports {url} from another host, which only erp-host contract learn fetches, with --follow-other-hosts"
    )]
    OtherHost { from: String, url: String },
    #[error(
        "{from} imports {url}, and a file is read only for another file of this machine: save all documents of the \
         WSDL as files, and give the first one"
    )]
    FileImport { from: String, url: String },
    #[error("{url} imports {location:?}, which is no address of a document: {why}")]
    Location { url: String, location: String, why: String },
    #[error(
        "the WSDL has more than {limit} documents, {url} among them: save it as one file (?singleWsdl) and give that"
    )]
    TooMany { url: String, limit: usize },
    #[error(
        "the documents of the WSDL are larger than {limit} bytes together, which no connector's are: check the address"
    )]
    TotalTooLarge { limit: usize },
}

impl WsdlError {
    /// Whether there is an answer, and it is no WSDL: there may be one at another address of the service.
    pub(super) fn is_no_wsdl(&self) -> bool {
        matches!(
            self,
            WsdlError::Status { .. }
                | WsdlError::Html { .. }
                | WsdlError::NoWsdl(_)
                | WsdlError::Encoding { .. }
        )
    }

    /// Why nothing answers at the address, if that is so: then a call would fail in the same way.
    pub(crate) fn into_unreachable(self) -> Result<CallErrorKind, Self> {
        match self {
            WsdlError::Request { kind, .. } if kind.is_unreachable() => Ok(kind),
            other => Err(other),
        }
    }
}
