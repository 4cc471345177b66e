//! A service that is a sound one but for what a defect changes on the way.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use erp_host_client::{Client, HttpRequest, Options, ServiceAddress};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::host::Host;

/// A request on its way to the sound service.
pub(crate) struct Asked {
    pub(crate) request: HttpRequest,
    pub(crate) version: Version,
    /// The body is chunked.
    pub(crate) is_chunked: bool,
}

/// An answer on its way back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

pub(crate) struct Proxy {
    address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Asked {
    /// The operation of its SOAPAction; empty without one.
    pub(crate) fn operation(&self) -> String {
        let action = self.header("soapaction").or_else(|| self.header("content-type")).unwrap_or_default();
        action.trim_matches('"').rsplit('/').next().unwrap_or_default().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.request.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn body(&self) -> String {
        String::from_utf8_lossy(&self.request.body).into_owned()
    }

    pub(crate) fn replace(&mut self, from: &str, to: &str) {
        // What is no text, such as a gzip body, stays as it is.
        if let Ok(text) = std::str::from_utf8(&self.request.body) {
            self.request.body = text.replace(from, to).into_bytes();
        }
    }

    /// What stands in the first element of this name.
    pub(crate) fn content(&self, element: &str) -> Option<String> {
        between(&self.body(), element)
    }

    /// Replaces the first element of this name, whatever it holds.
    pub(crate) fn put(&mut self, element: &str, content: &str) {
        if let Some(old) = self.content(element) {
            self.replace(
                &format!("<{element}>{old}</{element}>"),
                &format!("<{element}>{content}</{element}>"),
            );
        }
    }

    /// Takes another operation instead, whose request has the same members or knows some of them.
    pub(crate) fn turn(&mut self, from: &str, to: &str) {
        let headers = self.request.headers.iter_mut();
        headers.filter(|(name, _)| name.eq_ignore_ascii_case("soapaction")).for_each(|(_, value)| {
            *value = value.replace(from, to);
        });
    }

    /// A call that names a connection in its usual form.
    pub(crate) fn is_for_a_saved_connection(&self) -> bool {
        self.content("ConnectionGuid").is_some_and(|guid| guid.len() == 36)
    }
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn replace(&mut self, from: &str, to: &str) {
        self.body = self.text().replace(from, to).into_bytes();
    }

    pub(crate) fn set_header(&mut self, name: &str, value: &str) {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    /// Answers with a plain HTTP error.
    pub(crate) fn refuse(&mut self, status: u16) {
        self.status = status;
        self.set_header("content-type", "text/plain");
        self.body = b"refused".to_vec();
    }

    /// Answers with a fault.
    pub(crate) fn fault(&mut self) {
        self.status = 500;
        self.set_header("content-type", "text/xml; charset=utf-8");
        self.body.clear();
        contract::write_fault(
            &mut self.body,
            contract::SoapVersion::V11,
            &contract::Fault::server("out of order"),
        );
    }

    /// Makes a good reply a bad one.
    pub(crate) fn fail(&mut self, why: &str) {
        self.replace("<IsOk>true</IsOk><State>Ok</State>", "<IsOk>false</IsOk><State>Error</State>");
        self.replace(
            "<UserExplanation i:nil=\"true\"/>",
            &format!("<UserExplanation>{why}</UserExplanation>"),
        );
    }

    /// Makes a bad reply a good one.
    pub(crate) fn succeed(&mut self) {
        self.replace("<IsOk>false</IsOk><State>Error</State>", "<IsOk>true</IsOk><State>Ok</State>");
    }
}

/// What stands in the first element of this name.
pub(crate) fn between(text: &str, element: &str) -> Option<String> {
    let start = text.find(&format!("<{element}>"))? + element.len() + 2;
    let end = start + text[start..].find(&format!("</{element}>"))?;
    Some(text[start..end].to_owned())
}

impl Proxy {
    /// A service before this host.
    pub(crate) fn before<A, B>(host: &Host, asked: A, answered: B) -> Self
    where
        A: Fn(&mut Asked) + Send + Sync + 'static,
        B: Fn(&Asked, &mut Answer) + Send + Sync + 'static,
    {
        let listener = host.runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let target: ServiceAddress = host.url().parse().unwrap();
        let client = Client::new(target, &Options::default()).unwrap();
        let (asked, answered) = (Arc::new(asked), Arc::new(answered));
        let behind = host.address;
        let task = host.runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (asked, answered, client) = (Arc::clone(&asked), Arc::clone(&answered), client.clone());
                let service = service_fn(move |request| {
                    let (asked, answered, client) =
                        (Arc::clone(&asked), Arc::clone(&answered), client.clone());
                    async move {
                        Ok::<_, Infallible>(pass_on(request, &client, behind, &*asked, &*answered).await)
                    }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Proxy { address, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/Services/ErpConnectorWS.svc", self.address)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass_on<A, B>(
    request: Request<Incoming>,
    client: &Client,
    behind: SocketAddr,
    change_asked: &A,
    change_answer: &B,
) -> Response<Full<Bytes>>
where
    A: Fn(&mut Asked),
    B: Fn(&Asked, &mut Answer),
{
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let url = format!("http://{behind}{}", head.uri.path_and_query().unwrap());
    let mut forward = HttpRequest::post(url.parse().unwrap(), body.to_vec());
    forward.method = head.method;
    let mut is_chunked = false;
    for (name, value) in &head.headers {
        let value = value.to_str().unwrap().to_owned();
        match name.as_str() {
            "transfer-encoding" => is_chunked = true,
            "content-length" | "accept" | "user-agent" => {}
            name => forward.headers.push((name.to_owned(), value)),
        }
    }
    let mut asked = Asked { request: forward, version: head.version, is_chunked };
    change_asked(&mut asked);
    let mut sent = asked.request.clone();
    sent.remove_header("expect");
    let received = client.send(sent).await.unwrap().response;
    let mut answer = Answer { status: received.status, headers: received.headers, body: received.body };
    change_answer(&asked, &mut answer);
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() = hyper::StatusCode::from_u16(answer.status).unwrap();
    for (name, value) in &answer.headers {
        // The body travels unpacked and in one piece from here.
        if !["content-length", "content-encoding", "transfer-encoding", "connection", "date"]
            .contains(&name.as_str())
        {
            let name: hyper::header::HeaderName = name.parse().unwrap();
            response.headers_mut().insert(name, value.parse().unwrap());
        }
    }
    response
}
