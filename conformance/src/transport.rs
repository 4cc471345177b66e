//! Rules of addresses.

use std::sync::Arc;

use contract::{Operation, Request};

use super::rule::{Finding, Findings, Stop};
use super::subject::{NOBODY, Subject};
use erp_host_client::{CallErrorKind, HttpExchange, HttpRequest};

/// Sends any request; whatever comes back counts.
pub(super) async fn send(subject: &Subject, request: HttpRequest) -> Result<Arc<HttpExchange>, Stop> {
    match subject.client.send(request).await {
        Ok(traffic) => Ok(Arc::new(traffic)),
        Err(trouble) => Err(no_answer(&trouble)),
    }
}

pub(super) fn no_answer(trouble: &CallErrorKind) -> Stop {
    Stop::Failed(Finding { text: format!("{trouble}; expected an answer"), shown_by: None })
}

pub(super) async fn case(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    for change in [str::to_lowercase as fn(&str) -> String, str::to_uppercase] {
        let mut request = subject.request(None, Request::GetConfigData);
        let path = change(request.url.path());
        request.url.set_path(&path);
        let sent = subject.exchange(Operation::GetConfigData, request).await;
        if let Some(reply) = findings.take(sent) {
            findings.expect(!reply.is_error(), &reply.traffic, || {
                format!("WSGetConfigData fails at {path}: {}", reply.said())
            });
        }
    }
    Ok(())
}

pub(super) async fn help_page(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    let traffic = send(subject, HttpRequest::get(subject.client.address().url().clone())).await?;
    let answered = &traffic.response;
    findings.expect(answered.status == 200 && answered.media_type() == "text/html", &traffic, || {
        format!(
            "a browser gets status {} and the content type {:?}, expected 200 and text/html",
            answered.status,
            answered.media_type()
        )
    });
    Ok(())
}

pub(super) async fn unknown_connector(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    let stranger = subject.client.address().clone().connector(NOBODY);
    let mut request = subject.request(None, Request::GetConfigData);
    request.url = stranger.for_dialect(subject.dialect());
    let reply = subject.exchange(Operation::GetConfigData, request).await?;
    findings.expect(reply.is_error(), &reply.traffic, || {
        format!("?ConnectorName={NOBODY} is answered as if there were such a connector, expected State=Error")
    });
    Ok(())
}
