//! A service of another contract than the built-in dialects: it stands in front of a host and translates calls and replies. Its
//! WSDL is one of `tests/fixtures/contracts`.

use std::io::Read;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use contract::learn::{WsdlDocument, learn};
use contract::{
    Call, ContractFile, Dialect, Envelope, MemberOrder, Profile, Profiles, ReadOptions, SoapVersion,
};

use crate::http::Response;
use crate::http::server::Received;
use crate::proxy::{self, Proxy};

/// The address in the WSDLs.
const ADDRESS: &str = "http://localhost:8080";

/// The contract of a WSDL.
#[derive(Debug, Clone)]
pub struct OtherContract {
    name: &'static str,
    profile: Arc<Profile>,
    wsdl: WsdlDocument,
}

impl OtherContract {
    /// The contract of `tests/fixtures/contracts`: `quote-style`, `reversed` or `split`.
    pub fn new(name: &'static str) -> Self {
        let text = document(name, "singleWsdl").expect("a WSDL of this name");
        let wsdl = WsdlDocument { url: format!("{ADDRESS}/"), text };
        let layout = learn(name, std::slice::from_ref(&wsdl)).expect("a WSDL of a connector service").layout;
        OtherContract { name, profile: Profile::new(layout).expect("a profile"), wsdl }
    }

    /// The profile.
    pub fn profile(&self) -> &Arc<Profile> {
        &self.profile
    }

    /// The text of its contract file.
    pub fn file(&self) -> String {
        let layout = self.profile.layout().clone();
        ContractFile { layout, source: None, documents: vec![self.wsdl.clone()] }.to_toml()
    }

    /// A service in front of a host that has this WSDL, reads calls in this contract, and replies in `replies`.
    pub fn in_front_of(&self, host: SocketAddr, replies: Arc<Profile>) -> Proxy {
        let (name, calls) = (self.name, Arc::clone(&self.profile));
        let profiles = Profiles::new(vec![Arc::clone(&calls)], MemberOrder::Name);
        Proxy::in_front_of(host, move |received, host| match received.request.method.as_str() {
            "GET" => Some(described(name, &received, host)),
            _ => translated(&received, host, &profiles, &replies),
        })
    }
}

/// A document of a WSDL, by its query.
fn document(name: &str, query: &str) -> Option<String> {
    let folder = crate::build::workspace().join("tests/fixtures/contracts");
    let path: PathBuf = match folder.join(name).is_dir() {
        true => folder.join(name).join(format!("{query}.xml")),
        false => folder.join(format!("{name}.wsdl")),
    };
    std::fs::read_to_string(path).ok()
}

fn described(name: &str, received: &Received, host: SocketAddr) -> Response {
    let query = received.request.target.split_once('?').map_or("", |(_, query)| query);
    let first = query.split('&').next().unwrap_or_default();
    let is_document = ["wsdl", "singlewsdl", "xsd"].iter().any(|kind| first.to_lowercase().starts_with(kind));
    if !is_document {
        return proxy::forward(&received.request, host).expect("the host answers");
    }
    match document(name, first) {
        Some(text) => {
            let here = format!("http://{}", received.header("Host").expect("a Host header"));
            Response::new(200, "text/xml; charset=utf-8", text.replace(ADDRESS, &here))
        }
        None => Response::new(404, "text/plain", "no such document"),
    }
}

/// The answer of the host to a call, in another contract. What is no call is passed on as it is.
fn translated(
    received: &Received,
    host: SocketAddr,
    profiles: &Profiles,
    replies: &Arc<Profile>,
) -> Option<Response> {
    let as_it_is = || proxy::forward(&received.request, host).ok();
    let content_type = received.header("Content-Type").unwrap_or_default().to_owned();
    let parameter = |name: &str| {
        let (_, rest) = content_type.split_once(&format!("{name}="))?;
        rest.split(';').next().map(|value| value.trim().trim_matches('"').to_owned())
    };
    if received.request.method != "POST" || !content_type.to_lowercase().contains("xml") {
        return as_it_is();
    }
    let action = received.header("SOAPAction").map(str::to_owned).or_else(|| parameter("action"));
    let options = ReadOptions { action: action.as_deref(), ..ReadOptions::default() };
    let mut body = received.request.body.clone();
    if received.header("Content-Encoding").is_some() {
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(&body[..]).read_to_end(&mut unpacked).ok()?;
        body = unpacked;
    }
    let Ok(body) = contract::decode(&body, parameter("charset").as_deref()) else {
        return as_it_is();
    };
    let Ok(call) = profiles.read_call(&body, &options) else { return as_it_is() };
    let soap = call.envelope.soap;
    let of_host = Call { envelope: Envelope::new(Dialect::Message).with_soap(soap), ..call };
    let mut request = received.request.clone().without("Content-Encoding");
    request.body.clear();
    contract::write_request(&mut request.body, &of_host);
    let media_type = soap.media_type();
    match soap {
        SoapVersion::V11 => {
            request.set_header("Content-Type", &format!("{media_type}; charset=utf-8"));
            request.set_header("SOAPAction", &format!("\"{}\"", of_host.soap_action()));
        }
        SoapVersion::V12 => {
            let action = of_host.soap_action();
            request.set_header("Content-Type", &format!("{media_type}; charset=utf-8; action=\"{action}\""));
        }
    }
    let mut response = proxy::forward(&request, host).ok()?;
    if let Ok(answer) = contract::read_reply(&response.body, of_host.operation()) {
        let envelope = Envelope::from(Arc::clone(replies)).with_soap(soap);
        let mut body = Vec::new();
        contract::write_reply(&mut body, &envelope, of_host.operation(), &answer.reply);
        response.body = body;
    }
    Some(response)
}
