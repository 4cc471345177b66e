//! The client of NetServer's SOAP services SoPrincipal and ErpSync.

use std::fmt;

use contract::SoapVersion;
use reqwest::Url;
use roxmltree::Document;
use zeroize::Zeroizing;

use super::error::NetServerError;
use super::messages::{self, Connection, Connector};
use super::soap::{self, XmlWriter};
use crate::form::Form;
use crate::{AddressError, Client, HttpRequest, Options};

/// Options of a NetServer client.
#[derive(Debug, Clone)]
pub struct NetServerOptions {
    /// The address of the site: the part before `/Remote/Services88`.
    pub base: String,
    /// The version of the services, such as 88.
    pub services: u8,
    /// The version of SOAP. The WSDL of NetServer uses 1.1, some examples of its reference 1.2.
    pub soap: SoapVersion,
    /// The application token, which online sites require.
    pub application_token: Option<Zeroizing<String>>,
    /// The time zone of dates, if it is not the user's own.
    pub time_zone: Option<TimeZone>,
    /// Timeouts, limits and TLS.
    pub http: Options,
}

/// A time zone, as SuperOffice names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeZone {
    /// `SoTimeZoneId`.
    pub id: Option<i32>,
    /// `SoTimeZoneLocationCode`.
    pub location: Option<String>,
}

impl std::str::FromStr for TimeZone {
    type Err = std::convert::Infallible;

    /// Parses an ID or a location code.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.parse() {
            Ok(id) => TimeZone { id: Some(id), location: None },
            Err(_) => TimeZone { id: None, location: Some(text.to_owned()) },
        })
    }
}

/// What to sign in with.
#[derive(Clone)]
pub enum Credentials {
    /// User and password.
    Password {
        /// The user.
        user: String,
        /// The password.
        password: Zeroizing<String>,
    },
    /// The ticket of an earlier sign-in.
    Ticket(Zeroizing<String>),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Credentials::Password { user, .. } => {
                f.debug_struct("Password").field("user", user).finish_non_exhaustive()
            }
            Credentials::Ticket(_) => f.write_str("Ticket"),
        }
    }
}

/// A client of NetServer, signed in.
pub struct NetServerClient {
    client: Client,
    base: Url,
    options: NetServerOptions,
    ticket: Option<Zeroizing<String>>,
    /// The name of the user who is signed in, if the reply had one.
    user_name: Option<String>,
}

impl NetServerClient {
    /// Signs in.
    ///
    /// # Errors
    /// The address is not valid, NetServer cannot be reached, or it rejects the credentials.
    pub async fn sign_in(
        options: NetServerOptions,
        credentials: Credentials,
    ) -> Result<Self, NetServerError> {
        let base = base_url(&options.base)?;
        let error = |reason: String| NetServerError::Address { url: options.base.clone(), reason };
        let address = base.as_str().parse().map_err(|problem: AddressError| error(problem.to_string()))?;
        let client = Client::new(address, &options.http)?;
        let mut server = NetServerClient { client, base, options, ticket: None, user_name: None };
        match credentials {
            Credentials::Ticket(ticket) => server.ticket = Some(ticket),
            Credentials::Password { user, password } => server.authenticate(&user, &password).await?,
        }
        Ok(server)
    }

    /// The name of the user who is signed in; `None` with a ticket.
    pub fn user_name(&self) -> Option<&str> {
        self.user_name.as_deref()
    }

    async fn authenticate(&mut self, user: &str, password: &str) -> Result<(), NetServerError> {
        const OPERATION: &str = "AuthenticateUsernamePassword";
        let mut body = XmlWriter::default();
        body.open(OPERATION);
        body.text("UserName", user);
        body.text("Password", password);
        body.close(OPERATION);
        // The element of this reply is not named after the operation.
        let read = |reply: roxmltree::Node<'_, '_>| {
            let succeeded = soap::flag(reply, "AuthenticationSucceeded");
            let ticket = soap::child(reply, "Credentials").map(|node| soap::text(node, "Ticket"));
            let name = soap::child(reply, "Response").map(|node| soap::text(node, "FullName"));
            Some((ticket.filter(|ticket| succeeded && !ticket.is_empty()), name))
        };
        let (ticket, name) = self.call("SoPrincipal", OPERATION, "AuthenticateResponse", body, read).await?;
        let refused = || NetServerError::NotSignedIn { user: user.to_owned() };
        self.ticket = Some(Zeroizing::new(ticket.ok_or_else(refused)?));
        self.user_name = name.filter(|name| !name.is_empty()).or_else(|| Some(user.to_owned()));
        Ok(())
    }

    /// Lets NetServer call the connector. Returns `NoError`, or what is wrong.
    ///
    /// # Errors
    /// The call did not work.
    pub(super) async fn test_connector_url(&self, url: &str) -> Result<String, NetServerError> {
        let body = |body: &mut XmlWriter| body.text("Url", url);
        self.erp_sync("TestConnectorUrl", body, |response| Some(soap::trimmed(response))).await
    }

    pub(super) async fn connectors(&self) -> Result<Vec<Connector>, NetServerError> {
        self.erp_sync(
            "GetAllConnectors",
            |_| {},
            |response| response.children().filter(roxmltree::Node::is_element).map(Connector::read).collect(),
        )
        .await
    }

    pub(super) async fn save_connector(&self, connector: &Connector) -> Result<Connector, NetServerError> {
        self.erp_sync("SaveErpSyncConnectorEntity", |body| connector.write(body), Connector::read).await
    }

    pub(super) async fn configuration_fields(&self, connector: i32) -> Result<Form, NetServerError> {
        let body = |body: &mut XmlWriter| body.number("ErpConnectorId", connector);
        self.erp_sync("GetConfigurationFields", body, |response| Some(messages::read_form(response))).await
    }

    pub(super) async fn connections(&self) -> Result<Vec<Connection>, NetServerError> {
        self.erp_sync(
            "GetAllConnections",
            |_| {},
            |response| {
                response.children().filter(roxmltree::Node::is_element).map(Connection::read).collect()
            },
        )
        .await
    }

    /// Tests settings that are not saved yet. The parameter is named ErpConnectionId, but it is the ID of the connector:
    /// the reference describes it as "the id of the connector we try to connect to".
    pub(super) async fn test_connection(
        &self,
        connector: i32,
        settings: &[(String, String)],
    ) -> Result<bool, NetServerError> {
        let body = |body: &mut XmlWriter| {
            body.number("ErpConnectionId", connector);
            messages::write_settings(body, settings);
        };
        self.erp_sync("TestConnectionByConfig", body, |response| {
            Some(matches!(soap::trimmed(response).as_str(), "true" | "1"))
        })
        .await
    }

    pub(super) async fn save_connection(
        &self,
        connection: &Connection,
    ) -> Result<Connection, NetServerError> {
        self.erp_sync("SaveConnection", |body| connection.write(body), Connection::read).await
    }

    /// Activates an inactive connection, or deactivates an active one. Returns the reasons why that failed.
    pub(super) async fn toggle_active(&self, connection: i32) -> Result<Vec<String>, NetServerError> {
        let body = |body: &mut XmlWriter| body.number("ErpConnectionId", connection);
        self.erp_sync("ToggleErpConnectionActive", body, |response| {
            Some(soap::texts(response).into_iter().filter(|reason| !reason.trim().is_empty()).collect())
        })
        .await
    }

    /// Calls an operation of ErpSync, and parses its `Response`.
    async fn erp_sync<T>(
        &self,
        operation: &'static str,
        write: impl FnOnce(&mut XmlWriter),
        read: impl for<'a, 'i> FnOnce(roxmltree::Node<'a, 'i>) -> Option<T>,
    ) -> Result<T, NetServerError> {
        let mut body = XmlWriter::default();
        body.open(operation);
        write(&mut body);
        body.close(operation);
        let reply = format!("{operation}Response");
        self.call("ErpSync", operation, &reply, body, |reply| read(soap::child(reply, "Response")?)).await
    }

    async fn call<T>(
        &self,
        service: &str,
        operation: &'static str,
        reply: &str,
        body: XmlWriter,
        read: impl for<'a, 'i> FnOnce(roxmltree::Node<'a, 'i>) -> Option<T>,
    ) -> Result<T, NetServerError> {
        let call = async {
            let answer = self.exchange(service, operation, body).await?;
            let text = std::str::from_utf8(&answer)
                .map_err(|_| NetServerError::NotSoap { found: "bytes that are no UTF-8".to_owned() })?;
            let document = Document::parse(text.trim_start_matches('\u{feff}'))
                .map_err(|error| NetServerError::NotSoap { found: format!("no XML ({error})") })?;
            let element = soap::reply(&document, reply)?;
            read(element)
                .ok_or_else(|| NetServerError::NotSoap { found: format!("{reply} without its result") })
        };
        call.await.map_err(|error| NetServerError::Call { operation, error: Box::new(error) })
    }

    async fn exchange(
        &self,
        service: &str,
        operation: &str,
        body: XmlWriter,
    ) -> Result<Zeroizing<Vec<u8>>, NetServerError> {
        let namespace =
            format!("http://www.superoffice.net/ws/crm/NetServer/Services{}", self.options.services);
        let action = format!("{namespace}/{service}/{operation}");
        let mut url = self.base.clone();
        let path = format!(
            "{}/Remote/Services{}/{service}.svc",
            url.path().trim_end_matches('/'),
            self.options.services
        );
        url.set_path(&path);
        let message = body.envelope(self.options.soap, &namespace, self.header());
        let request = HttpRequest::soap(url.clone(), self.options.soap, &action, message);
        let response = self.client.send(request).await?.response;
        // A fault has status 500, and in SOAP 1.2 also 400.
        if !response.is_xml() || !matches!(response.status, 200 | 400 | 500) {
            let (status, content_type) = (response.status, response.media_type());
            return Err(NetServerError::Http { url: url.to_string(), status, content_type });
        }
        Ok(Zeroizing::new(response.body))
    }

    /// The SOAP header of a request.
    fn header(&self) -> XmlWriter {
        let mut header = XmlWriter::default();
        if let Some(token) = &self.options.application_token {
            header.text("ApplicationToken", token);
        }
        if let Some(ticket) = &self.ticket {
            header.open("Credentials");
            header.text("Ticket", ticket);
            header.close("Credentials");
        }
        if let Some(zone) = &self.options.time_zone {
            header.open("TimeZone");
            if let Some(id) = zone.id {
                header.number("SoTimeZoneId", id);
            }
            if let Some(location) = &zone.location {
                header.text("SoTimeZoneLocationCode", location);
            }
            header.close("TimeZone");
        }
        header
    }
}

/// Parses the address of the site. The address of one of its services is accepted, too.
fn base_url(text: &str) -> Result<Url, NetServerError> {
    let error = |reason: &str| NetServerError::Address { url: text.to_owned(), reason: reason.to_owned() };
    let mut url = Url::parse(text.trim()).map_err(|problem| error(&problem.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(error("it does not begin with https:// or http:// and a host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(NetServerError::Address {
            url: url.host_str().unwrap_or_default().to_owned(),
            reason: "user and password do not belong into the address: give --user".to_owned(),
        });
    }
    url.set_query(None);
    url.set_fragment(None);
    let path = url.path().to_owned();
    let end = path.to_ascii_lowercase().find("/remote/").unwrap_or(path.len());
    url.set_path(path[..end].trim_end_matches('/'));
    Ok(url)
}

#[cfg(test)]
mod tests;
