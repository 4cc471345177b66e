//! Fetches the WSDL of a service, or reads it from a file, with all documents that it imports.
//!
//! - [`Source`]: where the WSDL is;
//! - [`fetch`]: its documents, for [`contract::learn::learn`];
//! - `error`: [`WsdlError`], one sentence for the user.

mod error;
mod source;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use contract::learn::{LearnError, WsdlDocument, imports};
use reqwest::Url;

pub use self::error::WsdlError;
pub use self::source::{Source, SourceError};
use crate::address::{ServiceAddress, has_user_info};
use crate::error::{CallErrorKind, excerpt, html_title};
use crate::http_message::{HttpRequest, HttpResponse};
use crate::options::{Credentials, Options};
use crate::transport::{Transport, authority};

/// The most documents of a WSDL: WCF splits one into about six.
const MAX_DOCUMENTS: usize = 40;

/// The largest document, in bytes. The whole contract has a tenth of a megabyte.
const MAX_DOCUMENT: usize = 8 << 20;

/// The most bytes of all documents together.
const MAX_TOTAL: usize = 32 << 20;

/// Fetches a WSDL with all that it imports; the first document is the WSDL itself. Its URLs are absolute.
///
/// The time limit of the options is that of all requests together. Imports on another host (scheme, name and port) are
/// fetched only with `follow_other_hosts`, and without the credentials of the options. A server cannot import files.
///
/// # Errors
/// A document cannot be fetched, is no WSDL or schema, or is on another host; or there are too many.
pub async fn fetch(
    source: &Source,
    options: &Options,
    follow_other_hosts: bool,
) -> Result<Vec<WsdlDocument>, WsdlError> {
    let mut fetch = Fetch { transports: Vec::new(), others: follow_other_hosts.then_some(options) };
    match source.http_url() {
        Some(url) => {
            let transport = Arc::new(Transport::new(url, options)?);
            fetch.transports.push((url.clone(), transport));
            within(options.timeout, url, fetch.all(source)).await
        }
        None => fetch.all(source).await,
    }
}

/// Fetches a WSDL of the service at this address, through the transport of its calls. Imports on other hosts are not
/// followed.
pub(crate) async fn fetch_of_service(
    source: &Source,
    address: &ServiceAddress,
    transport: &Arc<Transport>,
) -> Result<Vec<WsdlDocument>, WsdlError> {
    let transports = vec![(address.url().clone(), Arc::clone(transport))];
    let fetch = Fetch { transports, others: None };
    within(transport.timeout(), address.url(), fetch.all(source)).await
}

async fn within(
    limit: Duration,
    url: &Url,
    documents: impl Future<Output = Result<Vec<WsdlDocument>, WsdlError>>,
) -> Result<Vec<WsdlDocument>, WsdlError> {
    match tokio::time::timeout(limit, documents).await {
        Ok(documents) => documents,
        Err(_) => {
            let kind = CallErrorKind::Timeout { authority: authority(url), after: limit };
            Err(WsdlError::Request { url: url.to_string(), kind })
        }
    }
}

/// A WSDL that is being fetched.
struct Fetch<'o> {
    /// The hosts so far, each with a URL of it.
    transports: Vec<(Url, Arc<Transport>)>,
    /// The options for other hosts, if they are followed.
    others: Option<&'o Options>,
}

impl Fetch<'_> {
    async fn all(mut self, source: &Source) -> Result<Vec<WsdlDocument>, WsdlError> {
        let (first, url, found) = self.first(source).await?;
        let mut open: Vec<(Url, Url)> = locations(&url, &found)?;
        let mut total = first.text.len();
        let (mut documents, mut done) = (vec![first], vec![url]);
        while let Some((from, url)) = open.pop() {
            if done.contains(&url) {
                continue;
            }
            if documents.len() == MAX_DOCUMENTS {
                return Err(WsdlError::TooMany { url: url.to_string(), limit: MAX_DOCUMENTS });
            }
            self.check_host(&from, &url)?;
            let (document, found) = self.document(&url, true).await?;
            total += document.text.len();
            if total > MAX_TOTAL {
                return Err(WsdlError::TotalTooLarge { limit: MAX_TOTAL });
            }
            open.extend(locations(&url, &found)?);
            documents.push(document);
            done.push(url);
        }
        Ok(documents)
    }

    /// The WSDL itself, its URL and its imports.
    async fn first(&mut self, source: &Source) -> Result<(WsdlDocument, Url, Vec<String>), WsdlError> {
        let (url, other) = match source {
            Source::Document(url) => (url.clone(), None),
            // .NET serves the whole WSDL as one document since version 4.5; its imports may have another name of the host.
            Source::Service(address) => (address.wsdl_url("singleWsdl"), Some(address.wsdl_url("wsdl"))),
        };
        match (self.document(&url, false).await, other) {
            (Err(error), Some(other)) if error.is_no_wsdl() => {
                let (document, found) = self.document(&other, false).await?;
                Ok((document, other, found))
            }
            (result, _) => result.map(|(document, found)| (document, url, found)),
        }
    }

    /// Refuses a document on another host than the one that imports it.
    fn check_host(&self, from: &Url, url: &Url) -> Result<(), WsdlError> {
        let is_file = url.scheme() == "file";
        if is_same_host(from, url) || self.others.is_some() && !is_file {
            return Ok(());
        }
        let (from, url) = (from.to_string(), url.to_string());
        Err(if is_file { WsdlError::FileImport { from, url } } else { WsdlError::OtherHost { from, url } })
    }

    /// A document and its imports.
    async fn document(
        &mut self,
        url: &Url,
        is_import: bool,
    ) -> Result<(WsdlDocument, Vec<String>), WsdlError> {
        let (text, response) = if url.scheme() == "file" {
            (read_file(url, is_import)?, None)
        } else {
            let transport = self.transport(url)?;
            let failed = |kind| WsdlError::Request { url: url.to_string(), kind };
            let sent = transport.send_limited(HttpRequest::get(url.clone()), MAX_DOCUMENT).await;
            let response = sent.map_err(failed)?.response;
            (read_response(url, &response)?, Some(response))
        };
        let document = WsdlDocument { url: url.to_string(), text };
        match imports(&document) {
            Ok(found) => Ok((document, found)),
            Err(LearnError::Html { .. }) if response.is_some() => {
                let title = html_title(&document.text);
                Err(WsdlError::Html { url: document.url, title })
            }
            Err(error) => Err(WsdlError::NoWsdl(error)),
        }
    }

    /// The transport for the host of a URL.
    fn transport(&mut self, url: &Url) -> Result<Arc<Transport>, WsdlError> {
        let known = self.transports.iter().find(|(known, _)| is_same_host(known, url));
        if let Some((_, transport)) = known {
            return Ok(Arc::clone(transport));
        }
        // Credentials are for the host that they were given for.
        let options =
            Options { credentials: Credentials::default(), ..self.others.cloned().unwrap_or_default() };
        let transport = Arc::new(Transport::new(url, &options)?);
        self.transports.push((url.clone(), Arc::clone(&transport)));
        Ok(transport)
    }
}

/// The absolute URLs of imports, each with that of the document that imports it.
fn locations(from: &Url, found: &[String]) -> Result<Vec<(Url, Url)>, WsdlError> {
    let url = |location: &String| {
        let refused =
            |why: String| WsdlError::Location { url: from.to_string(), location: location.clone(), why };
        let mut url = from.join(location.trim()).map_err(|error| refused(error.to_string()))?;
        url.set_fragment(None);
        if has_user_info(url.as_str()) {
            let why = "it has a user or a password".to_owned();
            return Err(WsdlError::Location { url: from.to_string(), location: "***".to_owned(), why });
        }
        match url.scheme() {
            "http" | "https" | "file" => Ok((from.clone(), url)),
            scheme => Err(refused(format!("its scheme is {scheme}, expected http, https or file"))),
        }
    };
    // The last one is taken first.
    found.iter().rev().map(url).collect()
}

/// Whether two URLs have the same scheme, host and port.
fn is_same_host(one: &Url, other: &Url) -> bool {
    let host =
        |url: &Url| (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port_or_known_default());
    host(one) == host(other)
}

fn read_file(url: &Url, is_import: bool) -> Result<String, WsdlError> {
    let failed = |why: String| WsdlError::File { url: url.to_string(), why };
    let path = url.to_file_path().map_err(|()| failed("it is no file of this machine".to_owned()))?;
    let failed = |why: String| WsdlError::File { url: path.display().to_string(), why };
    // Opening a pipe would wait for its writer, and reading a device may never end.
    if is_import && !std::fs::metadata(&path).map_err(|error| failed(error.to_string()))?.is_file() {
        return Err(failed("it is no regular file".to_owned()));
    }
    let bytes = erp_host_files::read(&path, MAX_DOCUMENT as u64).map_err(|error| match error {
        // It may have been meant as the name of a host.
        error if error.is_not_found() && !is_import => {
            failed(format!("{error}; an address begins with http:// or https://"))
        }
        error => failed(error.to_string()),
    })?;
    decode(url, &bytes, None)
}

fn read_response(url: &Url, response: &HttpResponse) -> Result<String, WsdlError> {
    let status = response.status;
    let failed = |kind| WsdlError::Request { url: url.to_string(), kind };
    match status {
        200 => decode(url, &response.body, response.charset().as_deref()),
        300..400 => {
            let to = response.header("Location").unwrap_or("nowhere").to_owned();
            Err(failed(CallErrorKind::Redirect { status, to }))
        }
        _ => match CallErrorKind::not_soap(response) {
            kind @ CallErrorKind::Status { .. } => Err(failed(kind)),
            _ => {
                let text = response.text();
                let what = match html_title(&text) {
                    Some(title) => format!("the HTML page {title:?}"),
                    None if text.trim().is_empty() => "no text".to_owned(),
                    None => format!("the text {:?}", excerpt(&text)),
                };
                Err(WsdlError::Status { url: url.to_string(), status, what })
            }
        },
    }
}

fn decode(url: &Url, bytes: &[u8], charset: Option<&str>) -> Result<String, WsdlError> {
    let failed = |why: String| WsdlError::Encoding { url: url.to_string(), why };
    let text = contract::decode(bytes, charset).map_err(|error| failed(error.to_string()))?;
    String::from_utf8(text.into_owned())
        .map_err(|error| failed(format!("byte {} is not UTF-8", error.utf8_error().valid_up_to())))
}
