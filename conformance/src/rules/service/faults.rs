//! Rules of messages that cannot be served: which are answered by a fault, and which fault.

use std::sync::Arc;

use contract::{FaultCode, Guid, Operation, ReplyError, Request, namespace, read_reply};
use erp_host_client::{HttpExchange, HttpRequest};

use super::message::with_header;
use crate::reply::text;
use crate::rule::{Findings, Stop};
use crate::subject::{NOBODY, Subject};

/// Sends a request that must be answered by a fault, and checks the fault.
async fn expect_fault(
    subject: &Subject<'_>,
    findings: &mut Findings,
    what: &str,
    request: HttpRequest,
) -> Option<(FaultCode, Arc<HttpExchange>)> {
    let soap = findings.take(subject.soap())?;
    let exchange = findings.take(soap.send(request).await)?;
    let response = &exchange.response;
    let Err(ReplyError::Fault(fault)) = read_reply(&response.body, Operation::GetConfigData) else {
        findings.expect(false, &exchange, || {
            format!("{what} is not answered by a SOAP fault (status {})", response.status)
        });
        return None;
    };
    findings.expect(response.status == 500, &exchange, || {
        format!(
            "{what}: the fault comes with status {}, expected 500: with another one its text is lost",
            response.status
        )
    });
    findings.expect(response.media_type() == "text/xml", &exchange, || {
        format!("{what}: the fault has the content type {:?}, expected text/xml", response.media_type())
    });
    findings.expect(!fault.text.trim().is_empty(), &exchange, || format!("{what}: the fault has no text"));
    Some((fault.code, exchange))
}

/// Expects a fault that blames the caller.
async fn expect_client_fault(
    subject: &Subject<'_>,
    findings: &mut Findings,
    what: &str,
    request: HttpRequest,
) {
    if let Some((code, exchange)) = expect_fault(subject, findings, what, request).await {
        // WCF has codes of its own for the caller's mistakes, such as a:ActionNotSupported.
        findings.expect(code != FaultCode::Server, &exchange, || {
            format!("{what}: the fault says that it is the service's, expected the caller's (Client)")
        });
    }
}

/// A valid request, which the rules corrupt.
fn valid_request(subject: &Subject<'_>) -> Result<(HttpRequest, String), Stop> {
    let guid = Guid::ZERO.to_string();
    subject.soap()?.needs(Operation::GetList)?;
    let request = subject.soap()?.request(Some(&guid), Request::GetList { list_name: text(NOBODY) });
    let body = String::from_utf8_lossy(&request.body).into_owned();
    Ok((request, body))
}

fn with_body(request: &HttpRequest, body: impl Into<Vec<u8>>) -> HttpRequest {
    HttpRequest { body: body.into(), ..request.clone() }
}

pub(in crate::rules) async fn broken(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    let (request, body) = valid_request(subject)?;
    let half: String = body.chars().take(body.chars().count() / 2).collect();
    for (what, body) in [
        ("half a message", half),
        ("text that is no XML", "{\"hello\": 1}".to_owned()),
        ("XML that is no SOAP", "<hello/>".to_owned()),
        ("an end tag of another element", body.replace("</s:Body>", "</s:Bodies>")),
    ] {
        expect_client_fault(subject, findings, what, with_body(&request, body)).await;
    }
    Ok(())
}

pub(in crate::rules) async fn bytes(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    let (request, body) = valid_request(subject)?;
    let mut bytes = body.into_bytes();
    if let Some(at) = bytes.windows(NOBODY.len()).position(|part| part == NOBODY.as_bytes()) {
        bytes[at] = 0xC3;
        bytes[at + 1] = 0x28;
    }
    expect_client_fault(subject, findings, "text that is not valid UTF-8", with_body(&request, bytes)).await;
    Ok(())
}

pub(in crate::rules) async fn unknown_operation(
    subject: &Subject<'_>,
    findings: &mut Findings,
) -> Result<(), Stop> {
    let (mut request, body) = valid_request(subject)?;
    let stranger = |text: &str| {
        text.replace("GetListRequestWS", "GetNothingRequestWS").replace("WSGetList", "WSGetNothing")
    };
    request.set_header("SOAPAction", format!("\"{}/IErpConnectorWS/WSGetNothing\"", namespace::CONTRACT));
    expect_client_fault(subject, findings, "an unknown operation", with_body(&request, stranger(&body)))
        .await;
    Ok(())
}

pub(in crate::rules) async fn disagreement(
    subject: &Subject<'_>,
    findings: &mut Findings,
) -> Result<(), Stop> {
    let (mut request, _) = valid_request(subject)?;
    let action = subject.soap()?.envelope().action(Operation::GetActors);
    request.set_header("SOAPAction", format!("\"{action}\""));
    expect_client_fault(subject, findings, "a SOAPAction of another operation than the body's", request)
        .await;
    Ok(())
}

pub(in crate::rules) async fn document_type(
    subject: &Subject<'_>,
    findings: &mut Findings,
) -> Result<(), Stop> {
    let (request, body) = valid_request(subject)?;
    let plain = format!("<!DOCTYPE s:Envelope>{body}");
    expect_client_fault(subject, findings, "a DOCTYPE", with_body(&request, plain)).await;
    let entity = format!("<!DOCTYPE s:Envelope [<!ENTITY e \"{NOBODY}\">]>{}", body.replace(NOBODY, "&e;"));
    expect_client_fault(subject, findings, "an entity of a DOCTYPE", with_body(&request, entity)).await;
    Ok(())
}

pub(in crate::rules) async fn must_understand(
    subject: &Subject<'_>,
    findings: &mut Findings,
) -> Result<(), Stop> {
    let (request, body) = valid_request(subject)?;
    let header = "<x:Secret xmlns:x=\"urn:erp-host-verify\" s:mustUnderstand=\"1\">1</x:Secret>";
    let body = with_header(&body, header);
    let what = "a header that must be understood";
    if let Some((code, exchange)) = expect_fault(subject, findings, what, with_body(&request, body)).await {
        findings.expect(code == FaultCode::MustUnderstand, &exchange, || {
            format!("{what}: the fault has the code {code:?}, expected MustUnderstand")
        });
    }
    Ok(())
}

pub(in crate::rules) async fn depth(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    const DEPTH: usize = 20_000;
    let (request, body) = valid_request(subject)?;
    let nested = format!("{}{}", "<d>".repeat(DEPTH), "</d>".repeat(DEPTH));
    let deep = with_header(&body, &nested);
    let exchange = subject.soap()?.send(with_body(&request, deep)).await?;
    let status = exchange.response.status;
    findings.expect((400..600).contains(&status), &exchange, || {
        format!("a message {DEPTH} elements deep is answered with status {status}, expected a refusal")
    });
    Ok(())
}

pub(in crate::rules) async fn content_type(
    subject: &Subject<'_>,
    findings: &mut Findings,
) -> Result<(), Stop> {
    for content_type in ["application/json", "text/plain; charset=utf-8", "application/x-www-form-urlencoded"]
    {
        let (mut request, _) = valid_request(subject)?;
        request.set_header("Content-Type", content_type);
        let exchange = subject.soap()?.send(request).await?;
        let status = exchange.response.status;
        findings.expect(status == 415, &exchange, || {
            format!("the content type {content_type} is answered with status {status}, expected 415")
        });
    }
    Ok(())
}

pub(in crate::rules) async fn method(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    for method in [reqwest::Method::PUT, reqwest::Method::DELETE] {
        let (mut request, _) = valid_request(subject)?;
        request.method = method.clone();
        let exchange = subject.soap()?.send(request).await?;
        let status = exchange.response.status;
        findings.expect(status == 405, &exchange, || {
            format!("{method} is answered with status {status}, expected 405")
        });
    }
    Ok(())
}

pub(in crate::rules) async fn still_there(
    subject: &Subject<'_>,
    findings: &mut Findings,
) -> Result<(), Stop> {
    let reply = subject.setup(Request::GetConfigData).await?;
    findings.expect(!reply.is_error(), &reply.shown_by, || {
        format!("after messages that could not be served WSGetConfigData fails: {}", reply.explanation())
    });
    Ok(())
}
