//! Making a client from settings.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use plugin_api::{Context, Error, ErrorKind, Result, Secret};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use super::{Client, Inner, Login, OfAnswer};
use crate::answer::Answer;
use crate::redaction::Redaction;
use crate::session::Sessions;
use crate::transport;

const TIMEOUT: Duration = Duration::from_secs(30);
const MOST_BYTES: usize = 32 * 1024 * 1024;
const ATTEMPTS: u32 = 4;
/// A file of certificates is not larger: those of a system have some hundred kilobytes.
const MOST_CERTIFICATES: u64 = 4 * 1024 * 1024;

/// Makes a [`Client`].
///
/// ```
/// use std::time::Duration;
/// use plugin_api::Secret;
/// use plugin_http::Client;
///
/// let password = Secret::from("wins");
/// let http = Client::builder("https://erp.example.com/api")?
///     .name("Demo ERP")
///     .timeout(Duration::from_secs(20))
///     .basic_auth("ada", &password)?
///     .error_text(|answer| answer.find("/error/message"))
///     .build()?;
///
/// let error = Client::builder("https://ada:wins@erp.example.com").err().unwrap();
/// assert!(!error.to_string().contains("wins"));
/// # Ok::<(), plugin_api::Error>(())
/// ```
pub struct ClientBuilder {
    name: String,
    base: Url,
    headers: HeaderMap,
    timeout: Duration,
    most_bytes: usize,
    attempts: u32,
    trusted: Vec<u8>,
    redaction: Redaction,
    error_text: OfAnswer<String>,
    error_kind: OfAnswer<ErrorKind>,
    login: Option<Arc<dyn Login>>,
}

impl ClientBuilder {
    pub(super) fn new(address: &str) -> Result<Self> {
        let mut headers = HeaderMap::new();
        headers.insert("accept", HeaderValue::from_static("application/json"));
        Ok(ClientBuilder {
            name: "the ERP system".to_owned(),
            base: base_address(address)?,
            headers,
            timeout: TIMEOUT,
            most_bytes: MOST_BYTES,
            attempts: ATTEMPTS,
            trusted: Vec::new(),
            redaction: Redaction::default(),
            error_text: Box::new(|_| None),
            error_kind: Box::new(|_| None),
            login: None,
        })
    }

    /// What users call the ERP system: it stands in the texts of errors. `the ERP system` when not set.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The longest time for one request, 30 seconds when not set. It is less where the call has less time left
    /// ([`Context::timeout`]).
    #[must_use]
    pub fn timeout(mut self, most: Duration) -> Self {
        self.timeout = most;
        self
    }

    /// The largest answer in bytes, unpacked; 32 MiB when not set.
    #[must_use]
    pub fn most_bytes(mut self, most: usize) -> Self {
        self.most_bytes = most;
        self
    }

    /// How often a request that reads is sent at most, 4 times when not set.
    #[must_use]
    pub fn attempts(mut self, most: u32) -> Self {
        self.attempts = most.max(1);
        self
    }

    /// A header of all requests. Its value is a secret where its name says so (`X-Api-Key`, `Authorization`, `..-Token`): see
    /// [`secret_header`](ClientBuilder::secret_header) for others.
    ///
    /// # Errors
    /// It is no header.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self> {
        if self.redaction.is_secret_name(name) {
            return self.secret_header(name, &Secret::from(value));
        }
        let (name, value) = header(name, value)?;
        self.headers.insert(name, value);
        Ok(self)
    }

    /// A header of all requests whose value is a secret.
    ///
    /// # Errors
    /// It is no header.
    pub fn secret_header(mut self, name: &str, value: &Secret) -> Result<Self> {
        let (header_name, mut header_value) = header(name, value.expose())?;
        header_value.set_sensitive(true);
        self.headers.insert(header_name, header_value);
        self.redaction.add_name(name);
        self.redaction.add_secret(value);
        Ok(self)
    }

    /// User and password in each request (Basic authentication).
    ///
    /// # Errors
    /// They cannot be sent.
    pub fn basic_auth(mut self, user: &str, password: &Secret) -> Result<Self> {
        self.redaction.add_secret(password);
        self.secret_header("authorization", &crate::basic_auth(user, password))
    }

    /// A value that never goes into a log, an error or a recording, such as a password of the settings.
    #[must_use]
    pub fn secret(mut self, secret: &Secret) -> Self {
        self.redaction.add_secret(secret);
        self
    }

    /// The name of a header, a parameter or a field whose values are secrets. Names that end with `token`, `password`, `secret` and
    /// the like are known.
    #[must_use]
    pub fn secret_name(mut self, name: &str) -> Self {
        self.redaction.add_name(name);
        self
    }

    /// A file of certificates (PEM) to trust beside those of the system: of a certificate authority of the customer's. In a worker
    /// process it has to be one that the worker may read.
    ///
    /// # Errors
    /// It cannot be read. The kind is [`Settings`](ErrorKind::Settings).
    pub fn trusted_certificates(mut self, file: &Path) -> Result<Self> {
        let read = || {
            let size = std::fs::metadata(file)?.len();
            if size > MOST_CERTIFICATES {
                return Err(std::io::Error::other(format!(
                    "it has {size} bytes, expected certificates in PEM"
                )));
            }
            std::fs::read(file)
        };
        let pem = read().map_err(|error| {
            let file = file.display();
            Error::settings(format!("the file of certificates {file} cannot be read")).caused_by(error)
        })?;
        self.trusted.extend(pem);
        self.trusted.push(b'\n');
        Ok(self)
    }

    /// Takes the ERP system's own text for the user out of an answer that is no success:
    /// `|answer| answer.find("/error/message")`.
    #[must_use]
    pub fn error_text(mut self, text: impl Fn(&Answer) -> Option<String> + Send + Sync + 'static) -> Self {
        self.error_text = Box::new(text);
        self
    }

    /// Decides the kind of failure of an answer that is no success, where its status does not: see [the table](crate#kinds-of-failure).
    #[must_use]
    pub fn error_kind(mut self, kind: impl Fn(&Answer) -> Option<ErrorKind> + Send + Sync + 'static) -> Self {
        self.error_kind = Box::new(kind);
        self
    }

    /// How a session is opened. Without this, requests have none. The first request logs in.
    #[must_use]
    pub fn login(mut self, login: impl Login) -> Self {
        self.login = Some(Arc::new(login));
        self
    }

    /// As [`login`](ClientBuilder::login), with a function.
    #[must_use]
    pub fn login_with(
        self,
        login: impl Fn(&Context, &Client) -> Result<crate::Session> + Send + Sync + 'static,
    ) -> Self {
        self.login(login)
    }

    /// The client.
    ///
    /// # Errors
    /// The certificates are not valid.
    pub fn build(self) -> Result<Client> {
        let inner = Inner {
            name: self.name,
            base: self.base,
            http: transport::client(&self.trusted)?,
            headers: self.headers,
            timeout: self.timeout,
            most_bytes: self.most_bytes,
            attempts: self.attempts,
            redaction: Arc::new(self.redaction),
            error_text: self.error_text,
            error_kind: self.error_kind,
        };
        let session = self.login.map(|login| (login, Arc::new(Sessions::default())));
        Ok(Client { inner: Arc::new(inner), session })
    }
}

/// The address as a folder, so that paths are added to it.
fn base_address(address: &str) -> Result<Url> {
    let address = address.trim();
    // Not the address itself in the errors: a user may have put a password into it.
    let wrong = |problem: &str| {
        let expected = "expected one like https://erp.example.com/api";
        Error::settings(format!("the address of the ERP system {problem}, {expected}"))
    };
    let mut url = Url::parse(address).map_err(|error| wrong("is not valid").tech(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("does not begin with http:// or https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("has a user or a password in it, which belong into settings of their own"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("has a query in it"));
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

pub(super) fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue)> {
    let wrong = || Error::user(format!("the value of the header {name:?} cannot be sent"));
    let header_name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| wrong().caused_by(error))?;
    let value = HeaderValue::from_str(value).map_err(|error| wrong().caused_by(error))?;
    Ok((header_name, value))
}
