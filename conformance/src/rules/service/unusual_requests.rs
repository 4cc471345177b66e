//! Rules of unusual but valid requests: each must be answered as the plain one is.

use std::io::Write;

use contract::{Guid, Operation, Request, SoapVersion, namespace};
use erp_host_client::{BodyFraming, HttpRequest};

use super::message::{Message, with_header};
use crate::reply::{Reply, text, texts};
use crate::rule::{Findings, Stop};
use crate::rules::samples::sample;
use crate::subject::{NOBODY, Subject};

/// A plain request, and its answer.
struct Plain {
    operation: Operation,
    action: String,
    request: HttpRequest,
    reply: Reply,
}

/// A call with members of several kinds: some actors by their keys, or else a list.
async fn plain(subject: &Subject<'_>) -> Result<Plain, Stop> {
    let soap = subject.soap()?;
    // It is the same for every rule, and nothing is written between these.
    let (operation, request, reply) = match soap.plain.get() {
        Some(known) => known.clone(),
        None => {
            let asked = ask_plainly(subject).await?;
            soap.plain.get_or_init(|| asked).clone()
        }
    };
    let action = soap.envelope().action(operation);
    Ok(Plain { operation, action, request, reply })
}

async fn ask_plainly(subject: &Subject<'_>) -> Result<(Operation, HttpRequest, Reply), Stop> {
    let listed = subject.listed().ok().and_then(|all| all.iter().find(|one| !one.actors.is_empty()));
    let (operation, request) = match (subject.guid(), listed) {
        (Ok(guid), Some(one)) => {
            let keys: Vec<&str> = sample(&one.actors, 3).iter().map(|actor| actor.key.as_str()).collect();
            let call =
                Request::GetActors { actor_type: text(&one.name), erp_keys: texts(&keys), field_keys: None };
            (Operation::GetActors, subject.soap()?.request(Some(&guid.to_string()), call))
        }
        _ => {
            let call = Request::GetListItems { list_name: text(NOBODY), list_item_keys: texts(&["1"]) };
            (Operation::GetListItems, subject.soap()?.request(Some(&Guid::ZERO.to_string()), call))
        }
    };
    let reply = subject.soap()?.exchange(operation, request.clone()).await;
    let reply = reply
        .map_err(|_| Stop::skip(format!("not even a plain call of {operation} is answered by a reply")))?;
    Ok((operation, request, reply))
}

impl Plain {
    fn message(&self) -> Result<Message, Stop> {
        Message::read(&self.request.body).ok_or_else(|| Stop::skip("the request cannot be written otherwise"))
    }

    fn with_body(&self, body: impl Into<Vec<u8>>) -> HttpRequest {
        HttpRequest { body: body.into(), ..self.request.clone() }
    }
}

/// Expects the answer of the plain request.
async fn expect_same(
    subject: &Subject<'_>,
    findings: &mut Findings,
    plain: &Plain,
    what: &str,
    request: HttpRequest,
) -> Result<(), Stop> {
    let sent = subject.soap()?.exchange(plain.operation, request).await;
    if let Some(reply) = findings.take(sent) {
        let same = reply.payload == plain.reply.payload && reply.outcome.state == plain.reply.outcome.state;
        findings.expect(same, &reply.shown_by, || {
            format!(
                "{} with {what} is answered otherwise than without: {}",
                plain.operation,
                reply.explanation()
            )
        });
    }
    Ok(())
}

macro_rules! unusual {
    ($($name:ident: $what:literal, |$plain:ident| $request:expr;)+) => {
        $(pub(in crate::rules) async fn $name(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
            let $plain = plain(subject).await?;
            let request = $request;
            expect_same(subject, findings, &$plain, $what, request).await
        })+
    };
}

unusual! {
    prefixes: "a prefix of its own for each element", |plain| plain.with_body(plain.message()?.with_prefixes());
    comments: "comments and white space between elements", |plain| plain.with_body(plain.message()?.with_comments());
    sections: "CDATA sections", |plain| plain.with_body(plain.message()?.with_sections());
    absent: "null members left out", |plain| plain.with_body(plain.message()?.without_null().plain());
    unknown_members: "unknown members", |plain| plain.with_body(plain.message()?.with_unknown_members().plain());
    order: "members in another order", |plain| plain.with_body(plain.message()?.rotated().plain());
    declaration: "an XML declaration", |plain| {
        let mut body = b"<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n".to_vec();
        body.extend_from_slice(&plain.request.body);
        plain.with_body(body)
    };
    mark: "a byte order mark", |plain| {
        let mut body = b"\xEF\xBB\xBF".to_vec();
        body.extend_from_slice(&plain.request.body);
        plain.with_body(body)
    };
    headers: "a SOAP header that need not be understood", |plain| {
        let body = String::from_utf8_lossy(&plain.request.body).into_owned();
        plain.with_body(with_header(&body, "<x:Trace xmlns:x=\"urn:erp-host-verify\">1</x:Trace>"))
    };
    utf_16: "UTF-16", |plain| {
        let text = String::from_utf8_lossy(&plain.request.body).into_owned();
        let units = std::iter::once(0xFEFF).chain(text.encode_utf16());
        let mut request = plain.with_body(units.flat_map(u16::to_le_bytes).collect::<Vec<u8>>());
        request.set_header("Content-Type", "text/xml; charset=utf-16");
        request
    };
    chunked: "a chunked body", |plain| HttpRequest { framing: BodyFraming::Chunked(17), ..plain.request.clone() };
    http_10: "HTTP/1.0", |plain| HttpRequest { use_http_10: true, ..plain.request.clone() };
    expect: "Expect: 100-continue", |plain| {
        let mut request = plain.request.clone();
        request.set_header("Expect", "100-continue");
        request
    };
    gzip: "a gzip body", |plain| {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        let packed = packer.write_all(&plain.request.body).and_then(|()| packer.finish());
        let mut request = plain.with_body(packed.map_err(|error| Stop::skip(error.to_string()))?);
        request.set_header("Content-Encoding", "gzip");
        request
    };
    no_action: "no SOAPAction", |plain| {
        let mut request = plain.request.clone();
        request.remove_header("SOAPAction");
        request
    };
    unquoted: "a SOAPAction without quotes", |plain| {
        let mut request = plain.request.clone();
        request.set_header("SOAPAction", plain.action.clone());
        request
    };
}

pub(in crate::rules) async fn content_types(
    subject: &Subject<'_>,
    findings: &mut Findings,
) -> Result<(), Stop> {
    let plain = plain(subject).await?;
    for content_type in ["text/xml", "text/xml;charset=UTF-8", "Text/XML; charset=\"utf-8\""] {
        let mut request = plain.request.clone();
        request.set_header("Content-Type", content_type);
        expect_same(subject, findings, &plain, &format!("the content type {content_type}"), request).await?;
    }
    Ok(())
}

pub(in crate::rules) async fn soap_12(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    let plain = plain(subject).await?;
    let body = String::from_utf8_lossy(&plain.request.body).replace(namespace::SOAP_11, namespace::SOAP_12);
    let mut request = plain.with_body(body);
    let action = &plain.action;
    request.remove_header("SOAPAction");
    let media_type = SoapVersion::V12.media_type();
    request.set_header("Content-Type", format!("{media_type}; charset=utf-8; action=\"{action}\""));
    expect_same(subject, findings, &plain, "SOAP 1.2", request).await
}
