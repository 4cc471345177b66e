//! Rules of messages that cannot be served.

use std::sync::Arc;

use contract::{FaultCode, Operation, ReplyError, Request, namespace, read_reply};

use super::rule::{Findings, Stop};
use super::subject::{NOBODY, Subject, text};
use super::transport::send;
use erp_host_client::{HttpExchange, HttpRequest};

/// Sends a request that must be answered by a fault, and looks at the fault.
async fn expect_fault(
    subject: &Subject,
    findings: &mut Findings,
    what: &str,
    request: HttpRequest,
) -> Option<(FaultCode, Arc<HttpExchange>)> {
    let traffic = findings.take(send(subject, request).await)?;
    let answered = &traffic.response;
    let Err(ReplyError::Fault(fault)) = read_reply(&answered.body, Operation::GetConfigData) else {
        findings.expect(false, &traffic, || {
            format!("{what} is not answered by a SOAP fault (status {})", answered.status)
        });
        return None;
    };
    findings.expect(answered.status == 500, &traffic, || {
        format!(
            "{what}: the fault comes with status {}, expected 500: with another one its text is lost",
            answered.status
        )
    });
    findings.expect(answered.media_type() == "text/xml", &traffic, || {
        format!("{what}: the fault has the content type {:?}, expected text/xml", answered.media_type())
    });
    findings.expect(!fault.text.trim().is_empty(), &traffic, || format!("{what}: the fault has no text"));
    Some((fault.code, traffic))
}

/// The same, which is the caller's mistake.
async fn expect_client_fault(subject: &Subject, findings: &mut Findings, what: &str, request: HttpRequest) {
    if let Some((code, traffic)) = expect_fault(subject, findings, what, request).await {
        // WCF has codes of its own for the caller's mistakes, such as a:ActionNotSupported.
        findings.expect(code != FaultCode::Server, &traffic, || {
            format!("{what}: the fault says that it is the service's, expected the caller's (Client)")
        });
    }
}

/// A sound request, to be spoilt.
fn sound(subject: &Subject) -> (HttpRequest, String) {
    let request = subject
        .request(Some("00000000-0000-0000-0000-000000000000"), Request::GetList { list_name: text(NOBODY) });
    let body = String::from_utf8_lossy(&request.body).into_owned();
    (request, body)
}

fn with_body(request: &HttpRequest, body: impl Into<Vec<u8>>) -> HttpRequest {
    HttpRequest { body: body.into(), ..request.clone() }
}

pub(super) async fn broken(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    let (request, body) = sound(subject);
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

pub(super) async fn bytes(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    let (request, body) = sound(subject);
    let mut bytes = body.into_bytes();
    if let Some(at) = bytes.windows(NOBODY.len()).position(|part| part == NOBODY.as_bytes()) {
        bytes[at] = 0xC3;
        bytes[at + 1] = 0x28;
    }
    expect_client_fault(subject, findings, "text that is not valid UTF-8", with_body(&request, bytes)).await;
    Ok(())
}

pub(super) async fn unknown_operation(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    let (mut request, body) = sound(subject);
    let stranger = |text: &str| {
        text.replace("GetListRequestWS", "GetNothingRequestWS").replace("WSGetList", "WSGetNothing")
    };
    request.set_header("SOAPAction", format!("\"{}/IErpConnectorWS/WSGetNothing\"", namespace::CONTRACT));
    expect_client_fault(subject, findings, "an unknown operation", with_body(&request, stranger(&body)))
        .await;
    Ok(())
}

pub(super) async fn disagreement(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    let (mut request, _) = sound(subject);
    request.set_header("SOAPAction", format!("\"{}\"", Operation::GetActors.action(namespace::CONTRACT)));
    expect_client_fault(subject, findings, "a SOAPAction of another operation than the body's", request)
        .await;
    Ok(())
}

pub(super) async fn document_type(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    let (request, body) = sound(subject);
    let plain = format!("<!DOCTYPE s:Envelope>{body}");
    expect_client_fault(subject, findings, "a DOCTYPE", with_body(&request, plain)).await;
    let entity = format!("<!DOCTYPE s:Envelope [<!ENTITY e \"{NOBODY}\">]>{}", body.replace(NOBODY, "&e;"));
    expect_client_fault(subject, findings, "an entity of a DOCTYPE", with_body(&request, entity)).await;
    Ok(())
}

pub(super) async fn must_understand(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    let (request, body) = sound(subject);
    let header =
        "<s:Header><x:Secret xmlns:x=\"urn:erp-host-verify\" s:mustUnderstand=\"1\">1</x:Secret></s:Header>";
    let body = body.replace("<s:Body>", &format!("{header}<s:Body>"));
    let what = "a header that must be understood";
    if let Some((code, traffic)) = expect_fault(subject, findings, what, with_body(&request, body)).await {
        findings.expect(code == FaultCode::MustUnderstand, &traffic, || {
            format!("{what}: the fault has the code {code:?}, expected MustUnderstand")
        });
    }
    Ok(())
}

pub(super) async fn depth(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    const DEPTH: usize = 20_000;
    let (request, body) = sound(subject);
    let nested = format!("{}{}", "<d>".repeat(DEPTH), "</d>".repeat(DEPTH));
    let deep = body.replace("<s:Body>", &format!("<s:Header>{nested}</s:Header><s:Body>"));
    let traffic = send(subject, with_body(&request, deep)).await?;
    let status = traffic.response.status;
    findings.expect((400..600).contains(&status), &traffic, || {
        format!("a message {DEPTH} elements deep is answered with status {status}, expected a refusal")
    });
    Ok(())
}

pub(super) async fn content_type(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    for content_type in ["application/json", "text/plain; charset=utf-8", "application/x-www-form-urlencoded"]
    {
        let (mut request, _) = sound(subject);
        request.set_header("Content-Type", content_type);
        let traffic = send(subject, request).await?;
        let status = traffic.response.status;
        findings.expect(status == 415, &traffic, || {
            format!("the content type {content_type} is answered with status {status}, expected 415")
        });
    }
    Ok(())
}

pub(super) async fn method(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    for method in [reqwest::Method::PUT, reqwest::Method::DELETE] {
        let (mut request, _) = sound(subject);
        request.method = method.clone();
        let traffic = send(subject, request).await?;
        let status = traffic.response.status;
        findings.expect(status == 405, &traffic, || {
            format!("{method} is answered with status {status}, expected 405")
        });
    }
    Ok(())
}

pub(super) async fn still_there(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    let reply = subject.call(None, Request::GetConfigData).await?;
    findings.expect(!reply.is_error(), &reply.traffic, || {
        format!("after messages that could not be served WSGetConfigData fails: {}", reply.said())
    });
    Ok(())
}
