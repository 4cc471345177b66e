//! NetServer's services SoPrincipal and ErpSync.

use std::fmt;

use reqwest::Url;
use roxmltree::Document;
use zeroize::Zeroizing;

use super::carriers::{self, Connection, Connector};
use super::error::NetServerError;
use super::soap::{self, Body, Version};
use crate::form::Form;
use crate::{AddressError, Client, HttpRequest, Options};

/// How NetServer is reached.
#[derive(Debug, Clone)]
pub struct Access {
    /// The site's address: what stands before `/Remote/Services88`.
    pub base: String,
    /// The version of the services, such as 88.
    pub services: u8,
    /// Speak SOAP 1.2.
    pub soap_12: bool,
    /// The application token; online sites want it.
    pub application_token: Option<Zeroizing<String>>,
    /// The time zone of dates, where it is not the user's own.
    pub time_zone: Option<TimeZone>,
    /// How calls travel.
    pub options: Options,
}

/// A time zone, as SuperOffice names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeZone {
    /// `SoTimeZoneId`.
    pub id: Option<i32>,
    /// `SoTimeZoneLocationCode`.
    pub location: Option<String>,
}

/// How to sign in.
#[derive(Clone)]
pub enum SignIn {
    /// With user and password.
    Password {
        /// The user.
        user: String,
        /// The password.
        password: Zeroizing<String>,
    },
    /// With a ticket of an earlier sign-in.
    Ticket(Zeroizing<String>),
}

impl fmt::Debug for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SignIn::Password { user, .. } => {
                f.debug_struct("Password").field("user", user).finish_non_exhaustive()
            }
            SignIn::Ticket(_) => f.write_str("Ticket"),
        }
    }
}

/// A NetServer that somebody has signed in to.
pub struct NetServer {
    client: Client,
    base: Url,
    access: Access,
    version: Version,
    ticket: Option<Zeroizing<String>>,
    /// Who is signed in, where NetServer has told.
    who: Option<String>,
}

impl NetServer {
    /// Signs in.
    ///
    /// # Errors
    /// The address is none, NetServer cannot be reached, or does not let the user in.
    pub async fn sign_in(access: Access, sign_in: SignIn) -> Result<Self, NetServerError> {
        let base = base(&access.base)?;
        let error = |reason: String| NetServerError::Address { url: access.base.clone(), reason };
        let address = base.as_str().parse().map_err(|problem: AddressError| error(problem.to_string()))?;
        let client = Client::new(address, &access.options)?;
        let version = if access.soap_12 { Version::V12 } else { Version::V11 };
        let mut server = NetServer { client, base, access, version, ticket: None, who: None };
        match sign_in {
            SignIn::Ticket(ticket) => server.ticket = Some(ticket),
            SignIn::Password { user, password } => server.authenticate(&user, &password).await?,
        }
        Ok(server)
    }

    /// Who is signed in, where NetServer has told.
    pub fn who(&self) -> Option<&str> {
        self.who.as_deref()
    }

    async fn authenticate(&mut self, user: &str, password: &str) -> Result<(), NetServerError> {
        const OPERATION: &str = "AuthenticateUsernamePassword";
        let mut body = Body::default();
        body.open(OPERATION);
        body.text("UserName", user);
        body.text("Password", password);
        body.close(OPERATION);
        // The reply of this one is not named after it.
        let read = |reply: roxmltree::Node<'_, '_>| {
            let succeeded = soap::flag(reply, "AuthenticationSucceeded");
            let ticket = soap::child(reply, "Credentials").map(|node| soap::text(node, "Ticket"));
            let who = soap::child(reply, "Response").map(|node| soap::text(node, "FullName"));
            Some((ticket.filter(|ticket| succeeded && !ticket.is_empty()), who))
        };
        let (ticket, who) = self.call("SoPrincipal", OPERATION, "AuthenticateResponse", body, read).await?;
        let refused = || NetServerError::NotSignedIn { user: user.to_owned() };
        self.ticket = Some(Zeroizing::new(ticket.ok_or_else(refused)?));
        self.who = who.filter(|name| !name.is_empty()).or_else(|| Some(user.to_owned()));
        Ok(())
    }

    /// Whether NetServer reaches a connector: `NoError`, or what is wrong.
    ///
    /// # Errors
    /// The call did not work.
    pub(super) async fn test_connector_url(&self, url: &str) -> Result<String, NetServerError> {
        let body = |body: &mut Body| body.text("Url", url);
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
        let body = |body: &mut Body| body.number("ErpConnectorId", connector);
        self.erp_sync("GetConfigurationFields", body, |response| Some(carriers::read_form(response))).await
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

    /// The parameter is named ErpConnectionId, but it is the connector's ID: a connection that is only tried has none,
    /// and the reference describes it as "the id of the connector we try to connect to".
    pub(super) async fn test_connection(
        &self,
        connector: i32,
        settings: &[(String, String)],
    ) -> Result<bool, NetServerError> {
        let body = |body: &mut Body| {
            body.number("ErpConnectionId", connector);
            carriers::write_settings(body, settings);
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

    /// Starts a connection that is stopped, or stops one that runs; gives the reasons why it failed.
    pub(super) async fn toggle_active(&self, connection: i32) -> Result<Vec<String>, NetServerError> {
        let body = |body: &mut Body| body.number("ErpConnectionId", connection);
        self.erp_sync("ToggleErpConnectionActive", body, |response| {
            Some(soap::texts(response).into_iter().filter(|reason| !reason.trim().is_empty()).collect())
        })
        .await
    }

    /// Calls an operation of ErpSync, and reads its `Response`.
    async fn erp_sync<T>(
        &self,
        operation: &'static str,
        write: impl FnOnce(&mut Body),
        read: impl for<'a, 'i> FnOnce(roxmltree::Node<'a, 'i>) -> Option<T>,
    ) -> Result<T, NetServerError> {
        let mut body = Body::default();
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
        body: Body,
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
        body: Body,
    ) -> Result<Zeroizing<Vec<u8>>, NetServerError> {
        let namespace =
            format!("http://www.superoffice.net/ws/crm/NetServer/Services{}", self.access.services);
        let action = format!("{namespace}/{service}/{operation}");
        let mut url = self.base.clone();
        let path = format!(
            "{}/Remote/Services{}/{service}.svc",
            url.path().trim_end_matches('/'),
            self.access.services
        );
        url.set_path(&path);
        let message = body.envelope(self.version, &namespace, self.header());
        let mut request = HttpRequest::post(url.clone(), message);
        request.set_header("Content-Type", self.version.content_type(&action));
        if self.version == Version::V11 {
            request.set_header("SOAPAction", format!("\"{action}\""));
        }
        let answered = self.client.send(request).await?.answered;
        // A fault has status 500, and is read for its text. In SOAP 1.2 a fault of the caller's has 400.
        if !answered.is_xml() || !matches!(answered.status, 200 | 400 | 500) {
            let (status, content_type) = (answered.status, answered.media_type());
            return Err(NetServerError::Http { url: url.to_string(), status, content_type });
        }
        Ok(Zeroizing::new(answered.body))
    }

    /// The request headers.
    fn header(&self) -> Body {
        let mut header = Body::default();
        if let Some(token) = &self.access.application_token {
            header.text("ApplicationToken", token);
        }
        if let Some(ticket) = &self.ticket {
            header.open("Credentials");
            header.text("Ticket", ticket);
            header.close("Credentials");
        }
        if let Some(zone) = &self.access.time_zone {
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

/// The site's address. People copy the address of a service, too.
fn base(text: &str) -> Result<Url, NetServerError> {
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
