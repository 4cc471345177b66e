//! A stand-in for NetServer's services SoPrincipal and ErpSync: it keeps Sync Connectors and connections, and is stricter
//! than the real one. A message that a WCF service would read wrongly (another order, another namespace, a header that
//! is none) is refused and remembered.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use roxmltree::{Document, Node};

use crate::http::Response;
use crate::http::server::{self, Received};

const SOAP_11: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const SOAP_12: &str = "http://www.w3.org/2003/05/soap-envelope";
const ARRAYS: &str = "http://schemas.microsoft.com/2003/10/Serialization/Arrays";
const SERVICES: &str = "http://www.superoffice.net/ws/crm/NetServer/Services88";

/// The user that may sign in.
pub const USER: &str = "admin";
/// The user's password.
pub const PASSWORD: &str = "hunter2 & <more>";
/// The ticket that signing in gives.
pub const TICKET: &str = "7T:AbC123==";

/// The members of each request, in order; a member's own members follow it in brackets of their own.
const REQUESTS: &[(&str, &str, &[&str])] = &[
    ("SoPrincipal", "AuthenticateUsernamePassword", &["UserName", "Password"]),
    ("ErpSync", "TestConnectorUrl", &["Url"]),
    ("ErpSync", "GetAllConnectors", &[]),
    ("ErpSync", "GetAllConnections", &[]),
    ("ErpSync", "SaveErpSyncConnectorEntity", &["ErpSyncConnectorEntity"]),
    ("ErpSync", "GetConfigurationFields", &["ErpConnectorId"]),
    ("ErpSync", "TestConnectionByConfig", &["ErpConnectionId", "ConfigFields"]),
    ("ErpSync", "SaveConnection", &["Connection"]),
    ("ErpSync", "ToggleErpConnectionActive", &["ErpConnectionId"]),
];
const CONNECTOR: &[&str] = &["ErpConnectorId", "DisplayName", "URL", "Deleted"];
const CONNECTION: &[&str] = &[
    "ErpConnectionId",
    "ErpConnectorId",
    "DisplayName",
    "DisplayDescription",
    "Active",
    "ConnectionId",
    "MostRecentTimestamp",
    "ConfigFields",
    "Deleted",
    "AllAccess",
    "UserGroupAccessIds",
    "AssociateAccessIds",
];

/// A stand-in that listens until the process ends.
#[derive(Debug)]
pub struct NetServer {
    address: String,
    state: Arc<Mutex<State>>,
}

/// What the stand-in holds, and how it behaves.
#[derive(Debug, Default)]
pub struct State {
    /// Sync Connectors by ID: name and URL.
    pub connectors: BTreeMap<i32, (String, String)>,
    /// Connections by ID, their members by name.
    pub connections: BTreeMap<i32, BTreeMap<String, String>>,
    /// The settings of connections, by the connection's ID.
    pub settings: BTreeMap<i32, Vec<(String, String)>>,
    /// The operations that were called, in order.
    pub calls: Vec<String>,
    /// What was wrong with messages.
    pub violations: Vec<String>,
    /// The application token that is wanted.
    pub application_token: Option<String>,
    /// The answer of TestConnectorUrl, when it is not NoError.
    pub url_answer: Option<String>,
    /// The answer of TestConnectionByConfig.
    pub test_fails: bool,
    /// Why a connection is not activated.
    pub toggle_reasons: Vec<String>,
    /// Whole answers to operations: status, content type, body.
    pub answers: BTreeMap<String, (u16, String, String)>,
    /// An exception in the header of the reply to an operation.
    pub exceptions: BTreeMap<String, String>,
    /// The version of SOAP that is expected.
    pub soap_12: bool,
    next_id: i32,
}

impl NetServer {
    /// Starts one.
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(State { next_id: 100, ..State::default() }));
        let shared = Arc::clone(&state);
        let address = server::serve(move |received| Some(respond(&received, &shared)));
        NetServer { address: format!("http://{address}"), state }
    }

    /// The site's address.
    pub fn url(&self) -> String {
        format!("{}/site", self.address)
    }

    /// What it holds, and how it behaves.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers a request; one that a WCF service would read wrongly is refused and remembered.
fn respond(received: &Received, state: &Mutex<State>) -> Response {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    let (status, content_type, answer) = state.answer(received).unwrap_or_else(|violation| {
        state.violations.push(format!("{violation}\n{:?}\n{}", received.request.headers, received.text()));
        (400, "text/plain".to_owned(), violation)
    });
    let mut response = Response::new(status, &content_type, answer);
    if (300..400).contains(&status) {
        response.set_header("Location", "https://elsewhere.example/");
    }
    response
}

type Answer = (u16, String, String);

impl State {
    fn answer(&mut self, received: &Received) -> Result<Answer, String> {
        let body = received.text();
        let document = Document::parse(&body).map_err(|error| format!("no XML: {error}"))?;
        let envelope = document.root_element();
        let soap = if self.soap_12 { SOAP_12 } else { SOAP_11 };
        expect("the envelope", &[envelope], soap, &["Envelope"])?;
        let parts: Vec<Node<'_, '_>> = elements(envelope);
        expect("the envelope's members", &parts, soap, &["Header", "Body"])?;
        let [operation] = elements(parts[1])[..] else {
            return Err("expected one element in the body".into());
        };
        let name = operation.tag_name().name().to_owned();
        let (service, _, members) = REQUESTS
            .iter()
            .find(|(_, known, _)| *known == name)
            .ok_or_else(|| format!("there is no operation {name}"))?;
        expect("the body", &[operation], SERVICES, &[&name])?;

        let (method, target) = (&received.request.method, &received.request.target);
        if method != "POST" || *target != format!("/site/Remote/Services88/{service}.svc") {
            return Err(format!("{name} does not belong to {method} {target}"));
        }
        let action = format!("{SERVICES}/{service}/{name}");
        let (content_type, soap_action) = if self.soap_12 {
            (format!("application/soap+xml; charset=utf-8; action=\"{action}\""), None)
        } else {
            ("text/xml; charset=utf-8".to_owned(), Some(format!("\"{action}\"")))
        };
        if received.header("Content-Type") != Some(&content_type) {
            return Err(format!("expected Content-Type: {content_type}"));
        }
        if received.header("SOAPAction").map(str::to_owned) != soap_action {
            return Err(format!("expected SOAPAction: {soap_action:?}"));
        }
        self.calls.push(name.clone());
        self.check_header(parts[0], &name)?;
        expect(&name, &elements(operation), SERVICES, members)?;

        if let Some(answer) = self.answers.get(&name) {
            return Ok(answer.clone());
        }
        let exception = self.exceptions.get(&name).cloned();
        let (reply, result) = match &exception {
            Some(_) => (format!("{name}Response"), "<Response i:nil=\"true\"/>".to_owned()),
            None => self.perform(&name, operation)?,
        };
        Ok((200, content_type_of_reply(self.soap_12), self.reply(&reply, &result, exception)))
    }

    fn check_header(&self, headers: Node<'_, '_>, operation: &str) -> Result<(), String> {
        let mut expected = Vec::new();
        if self.application_token.is_some() {
            expected.push("ApplicationToken");
        }
        if operation != "AuthenticateUsernamePassword" {
            expected.push("Credentials");
        }
        let mut found = elements(headers);
        // Optional.
        if let Some(zone) = found.pop_if(|last| last.tag_name().name() == "TimeZone") {
            let members: Vec<&str> = elements(zone).iter().map(|node| node.tag_name().name()).collect();
            let known = [["SoTimeZoneId"], ["SoTimeZoneLocationCode"]];
            if zone.tag_name().namespace() != Some(SERVICES) || !known.iter().any(|known| members == known) {
                return Err(format!("a TimeZone with {members:?}"));
            }
        }
        expect("the header", &found, SERVICES, &expected)?;
        for header in found {
            match header.tag_name().name() {
                "ApplicationToken" if Some(text(header)) != self.application_token => {
                    return Err("the wrong application token".into());
                }
                "Credentials" => {
                    let tickets = elements(header);
                    expect("Credentials", &tickets, SERVICES, &["Ticket"])?;
                    if text(tickets[0]) != TICKET {
                        return Err(format!("the wrong ticket {:?}", text(tickets[0])));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The reply's element, and what stands in it.
    fn perform(&mut self, operation: &str, request: Node<'_, '_>) -> Result<(String, String), String> {
        let members = elements(request);
        let result = match operation {
            "AuthenticateUsernamePassword" => {
                let known = text(members[0]) == USER && text(members[1]) == PASSWORD;
                let ticket = if known { TICKET } else { "" };
                let result = format!(
                    "<Response><Associate>ADM</Associate><FullName>Kari &amp; Co</FullName></Response>\
                     <Credentials><Ticket>{ticket}</Ticket></Credentials>\
                     <AuthenticationSucceeded>{known}</AuthenticationSucceeded>"
                );
                return Ok(("AuthenticateResponse".to_owned(), result));
            }
            "TestConnectorUrl" => escaped(self.url_answer.as_deref().unwrap_or("NoError")),
            "GetAllConnectors" => self
                .connectors
                .keys()
                .map(|id| format!("<ErpSyncConnectorEntity>{}</ErpSyncConnectorEntity>", self.connector(*id)))
                .collect(),
            "SaveErpSyncConnectorEntity" => {
                let fields = elements(members[0]);
                expect(operation, &fields, SERVICES, CONNECTOR)?;
                let id = self.id_of(&fields)?;
                self.connectors.insert(id, (text(fields[1]), text(fields[2])));
                self.connector(id)
            }
            "GetConfigurationFields" => {
                self.known_connector(members[0])?;
                FORM.to_owned()
            }
            "TestConnectionByConfig" => {
                self.known_connector(members[0])?;
                settings(members[1])?;
                (!self.test_fails).to_string()
            }
            "GetAllConnections" => self
                .connections
                .keys()
                .map(|id| format!("<ErpConnection>{}</ErpConnection>", self.connection(*id)))
                .collect(),
            "SaveConnection" => {
                let fields = elements(members[0]);
                expect(operation, &fields, SERVICES, CONNECTION)?;
                for array in &fields[10..] {
                    for number in elements(*array) {
                        expect("an array of int", &[number], ARRAYS, &["int"])?;
                    }
                }
                self.known_connector(fields[1])?;
                let id = self.id_of(&fields)?;
                let values = CONNECTION.iter().zip(&fields).filter(|(name, _)| **name != "ConfigFields");
                let mut values: BTreeMap<String, String> =
                    values.map(|(name, node)| ((*name).to_owned(), text(*node))).collect();
                values.insert("ErpConnectionId".to_owned(), id.to_string());
                let guid = values.entry("ConnectionId".to_owned()).or_default();
                if guid.is_empty() {
                    *guid = "3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf".to_owned();
                }
                // Saving does not start a connection.
                let active = self.connections.get(&id).map_or("false", |known| known["Active"].as_str());
                values.insert("Active".to_owned(), active.to_owned());
                self.settings.insert(id, settings(fields[7])?);
                self.connections.insert(id, values);
                self.connection(id)
            }
            "ToggleErpConnectionActive" => {
                let id = id(members[0])?;
                let connection = self.connections.get_mut(&id).ok_or("toggled what is not there")?;
                if self.toggle_reasons.is_empty() {
                    let active = connection["Active"] != "true";
                    connection.insert("Active".to_owned(), active.to_string());
                }
                let reasons = self.toggle_reasons.iter();
                reasons.map(|reason| format!("<a:string>{}</a:string>", escaped(reason))).collect()
            }
            _ => return Err(format!("{operation} is not served")),
        };
        Ok((format!("{operation}Response"), format!("<Response>{result}</Response>")))
    }

    fn reply(&self, name: &str, result: &str, exception: Option<String>) -> String {
        let soap = if self.soap_12 { SOAP_12 } else { SOAP_11 };
        let succeeded = exception.is_none();
        let exception = exception.map_or_else(
            || "<h:ExceptionInfo i:nil=\"true\"/>".to_owned(),
            |text| {
                format!(
                    "<h:ExceptionInfo><Message>{}</Message><StackTrace>at NetServer</StackTrace>\
                     <FriendlyText/><ExceptionType>SoException</ExceptionType></h:ExceptionInfo>",
                    escaped(&text)
                )
            },
        );
        format!(
            "<s:Envelope xmlns:s=\"{soap}\"><s:Header xmlns:h=\"{SERVICES}\" xmlns=\"{SERVICES}\" \
             xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\">{exception}<h:ExtraInfo i:nil=\"true\"/>\
             <h:Succeeded>{succeeded}</h:Succeeded><h:TimeZone><SoTimeZoneId>0</SoTimeZoneId></h:TimeZone></s:Header>\
             <s:Body><{name} xmlns=\"{SERVICES}\" xmlns:a=\"{ARRAYS}\" \
             xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\">{result}</{name}></s:Body></s:Envelope>"
        )
    }

    fn connector(&self, id: i32) -> String {
        let (name, url) = &self.connectors[&id];
        format!(
            "<TableRight i:nil=\"true\"/><FieldProperties i:nil=\"true\"/><ErpConnectorId>{id}</ErpConnectorId>\
             <DisplayName>{}</DisplayName><URL>{}</URL><Deleted>false</Deleted>",
            escaped(name),
            escaped(url)
        )
    }

    fn connection(&self, id: i32) -> String {
        let settings: String = self.settings[&id]
            .iter()
            .map(|(key, value)| {
                let (key, value) = (escaped(key), escaped(value));
                format!("<StringKeyValuePair><Key>{key}</Key><Value>{value}</Value></StringKeyValuePair>")
            })
            .collect();
        let member = |name: &&str| match *name {
            "ConfigFields" => format!("<ConfigFields>{settings}</ConfigFields>"),
            "UserGroupAccessIds" | "AssociateAccessIds" => {
                let numbers = self.connections[&id][*name].split_whitespace();
                let numbers: String = numbers.map(|number| format!("<a:int>{number}</a:int>")).collect();
                format!("<{name}>{numbers}</{name}>")
            }
            name => format!("<{name}>{}</{name}>", escaped(&self.connections[&id][name])),
        };
        CONNECTION.iter().map(member).collect()
    }

    /// The ID in the first member; a new one for 0.
    fn id_of(&mut self, fields: &[Node<'_, '_>]) -> Result<i32, String> {
        match id(fields[0])? {
            0 => {
                self.next_id += 1;
                Ok(self.next_id)
            }
            known => Ok(known),
        }
    }

    fn known_connector(&self, node: Node<'_, '_>) -> Result<(), String> {
        let id = id(node)?;
        if self.connectors.contains_key(&id) { Ok(()) } else { Err(format!("there is no connector {id}")) }
    }
}

/// A form with something of everything.
const FORM: &str = "\
    <FieldMetadata><FieldKey>Days</FieldKey><Rank>2</Rank><DisplayName>Days</DisplayName><DisplayDescription/>\
    <FieldType>Integer</FieldType><ListName/><DefaultValue>[I:30]</DefaultValue><MaxLength>0</MaxLength>\
    <Access>Normal</Access><ShowInSearch>false</ShowInSearch></FieldMetadata>\
    <FieldMetadata><FieldKey>Server</FieldKey><Rank>1</Rank><DisplayName>US:\"Server\";NO:\"Tjener\"</DisplayName>\
    <DisplayDescription/><FieldType>Text</FieldType><ListName/><DefaultValue/><MaxLength>50</MaxLength>\
    <Access>Mandatory</Access><ShowInSearch>false</ShowInSearch></FieldMetadata>\
    <FieldMetadata><FieldKey>Password</FieldKey><Rank>3</Rank><DisplayName>Password</DisplayName>\
    <DisplayDescription/><FieldType>Password</FieldType><ListName/><DefaultValue/><MaxLength>0</MaxLength>\
    <Access>Normal</Access><ShowInSearch>false</ShowInSearch></FieldMetadata>";

fn content_type_of_reply(soap_12: bool) -> String {
    if soap_12 { "application/soap+xml; charset=utf-8" } else { "text/xml; charset=utf-8" }.to_owned()
}

fn expect(what: &str, found: &[Node<'_, '_>], namespace: &str, names: &[&str]) -> Result<(), String> {
    let is = found.iter().map(|node| (node.tag_name().namespace().unwrap_or(""), node.tag_name().name()));
    if is.clone().eq(names.iter().map(|name| (namespace, *name))) {
        return Ok(());
    }
    Err(format!(
        "{what}: expected {names:?} in {namespace}, in this order; found {:?}",
        is.collect::<Vec<_>>()
    ))
}

fn settings(node: Node<'_, '_>) -> Result<Vec<(String, String)>, String> {
    let mut settings = Vec::new();
    for pair in elements(node) {
        expect("ConfigFields", &[pair], SERVICES, &["StringKeyValuePair"])?;
        let members = elements(pair);
        expect("StringKeyValuePair", &members, SERVICES, &["Key", "Value"])?;
        settings.push((text(members[0]), text(members[1])));
    }
    Ok(settings)
}

fn elements<'a, 'i>(node: Node<'a, 'i>) -> Vec<Node<'a, 'i>> {
    node.children().filter(Node::is_element).collect()
}

/// The text of an element; the items of an array, with spaces between.
fn text(node: Node<'_, '_>) -> String {
    let items: Vec<String> = elements(node).into_iter().map(text).collect();
    if items.is_empty() { node.text().unwrap_or_default().to_owned() } else { items.join(" ") }
}

fn id(node: Node<'_, '_>) -> Result<i32, String> {
    text(node).parse().map_err(|_| format!("{} is no number: {:?}", node.tag_name().name(), text(node)))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
