//! Rules of the address: its path, its help page, and the connector that it names.

use contract::{Operation, Request};
use erp_host_client::HttpRequest;

use crate::rule::{Findings, Stop};
use crate::subject::{NOBODY, Subject};

pub(in crate::rules) async fn case(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    for change in [str::to_lowercase as fn(&str) -> String, str::to_uppercase] {
        let mut request = subject.soap()?.request(None, Request::GetConfigData);
        let path = change(request.url.path());
        request.url.set_path(&path);
        let sent = subject.soap()?.exchange(Operation::GetConfigData, request).await;
        if let Some(reply) = findings.take(sent) {
            findings.expect(!reply.is_error(), &reply.shown_by, || {
                format!("WSGetConfigData fails at {path}: {}", reply.explanation())
            });
        }
    }
    Ok(())
}

pub(in crate::rules) async fn help_page(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    let soap = subject.soap()?;
    let exchange = soap.send(HttpRequest::get(soap.client.address().url().clone())).await?;
    let response = &exchange.response;
    findings.expect(response.status == 200 && response.media_type() == "text/html", &exchange, || {
        format!(
            "a browser gets status {} and the content type {:?}, expected 200 and text/html",
            response.status,
            response.media_type()
        )
    });
    Ok(())
}

pub(in crate::rules) async fn unknown_connector(
    subject: &Subject<'_>,
    findings: &mut Findings,
) -> Result<(), Stop> {
    let soap = subject.soap()?;
    let stranger = soap.client.address().clone().connector(NOBODY);
    let mut request = subject.soap()?.request(None, Request::GetConfigData);
    request.url = stranger.for_profile(soap.client.profile());
    let reply = subject.soap()?.exchange(Operation::GetConfigData, request).await?;
    findings.expect(reply.is_error(), &reply.shown_by, || {
        format!("?ConnectorName={NOBODY} is answered as if there were such a connector, expected State=Error")
    });
    Ok(())
}
