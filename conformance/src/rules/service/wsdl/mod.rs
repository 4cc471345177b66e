//! Rules of the WSDL, which is compared with the contract's own.

mod definitions;

use std::sync::Arc;

use contract::{Dialect, MemberOrder, Operation};
use erp_host_client::{HttpExchange, HttpRequest};
use reqwest::Url;

use self::definitions::Definitions;
use crate::rule::{Findings, Stop};
use crate::subject::Subject;

/// No description needs more documents than that.
const MOST_DOCUMENTS: usize = 40;

/// Fetches a description with all that it imports. The first document comes first.
async fn fetch(subject: &Subject<'_>, parameter: &str) -> Result<(Vec<String>, Arc<HttpExchange>), Stop> {
    let first = subject.soap()?.client.address().wsdl_url(parameter, subject.soap()?.dialect());
    let mut open = vec![first.clone()];
    let mut done: Vec<Url> = Vec::new();
    let (mut documents, mut shown_by) = (Vec::new(), None);
    while let Some(url) = open.pop() {
        if done.contains(&url) {
            continue;
        }
        let exchange = subject.soap()?.send(HttpRequest::get(url.clone())).await?;
        let response = &exchange.response;
        if response.status != 200 || !response.media_type().contains("xml") {
            let text = format!(
                "{url} is answered with status {} and the content type {:?}, expected 200 and XML",
                response.status,
                response.media_type()
            );
            return Err(Stop::failed(text, &exchange));
        }
        let text = response.text().trim_start_matches('\u{feff}').to_owned();
        let imports = definitions::imports(&text)
            .map_err(|why| Stop::failed(format!("{url} is no XML: {why}"), &exchange))?;
        open.extend(imports.iter().filter_map(|place| url.join(place).ok()));
        documents.push(text);
        done.push(url);
        shown_by.get_or_insert(exchange);
        if documents.len() > MOST_DOCUMENTS {
            return Err(Stop::skip(format!("the description has more than {MOST_DOCUMENTS} documents")));
        }
    }
    shown_by.map(|exchange| (documents, exchange)).ok_or_else(|| Stop::skip("there is no description"))
}

async fn definitions(subject: &Subject<'_>) -> Result<(Definitions, Arc<HttpExchange>), Stop> {
    subject.needs(&[101])?;
    let (documents, exchange) = fetch(subject, "wsdl").await?;
    match Definitions::read(&documents) {
        Ok(definitions) => Ok((definitions, exchange)),
        Err(why) => Err(Stop::failed(format!("the description cannot be read: {why}"), &exchange)),
    }
}

fn expected(dialect: Dialect) -> Result<Definitions, Stop> {
    let ours = contract::wsdl(dialect, MemberOrder::Name, "http://localhost/");
    Definitions::read(&[ours]).map_err(Stop::Skip)
}

pub(in crate::rules) async fn served(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    let (documents, exchange) = fetch(subject, "wsdl").await?;
    match Definitions::read(&documents) {
        Err(why) => findings.expect(false, &exchange, || format!("?wsdl is no description: {why}")),
        Ok(read) => findings
            .expect(!read.operations.is_empty(), &exchange, || "?wsdl describes no operations".to_owned()),
    }
    Ok(())
}

pub(in crate::rules) async fn single(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    subject.needs(&[101])?;
    let (documents, exchange) = fetch(subject, "singleWsdl").await?;
    findings.expect(documents.len() == 1, &exchange, || {
        format!("?singleWsdl imports {} other documents, expected all in one", documents.len() - 1)
    });
    let (all, _) = definitions(subject).await?;
    let single = Definitions::read(&documents[..1]).map_err(|why| Stop::failed(why, &exchange))?;
    for difference in single.differences(&all, Operation::ALL) {
        findings.expect(false, &exchange, || format!("?singleWsdl and ?wsdl differ: {difference}"));
    }
    Ok(())
}

pub(in crate::rules) async fn address(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    let (read, exchange) = definitions(subject).await?;
    let called = subject.soap()?.client.address().url();
    findings.expect(!read.addresses.is_empty(), &exchange, || "no soap:address is there".to_owned());
    for address in &read.addresses {
        let same = Url::parse(address).is_ok_and(|url| {
            url.scheme() == called.scheme()
                && url.host_str().map(str::to_lowercase) == called.host_str().map(str::to_lowercase)
                && url.port_or_known_default() == called.port_or_known_default()
                && url.path().eq_ignore_ascii_case(called.path())
        });
        findings.expect(same, &exchange, || {
            format!("soap:address is {address}, expected {called}, where it was asked for")
        });
    }
    Ok(())
}

/// The operations that SuperOffice calls on site.
fn on_site() -> Vec<Operation> {
    Operation::ALL.iter().copied().filter(|one| *one != Operation::Authenticate).collect()
}

pub(in crate::rules) async fn operations(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    let (read, exchange) = definitions(subject).await?;
    let expected = expected(subject.soap()?.dialect())?;
    for difference in read.differences_of_operations(&expected, &on_site()) {
        findings.expect(false, &exchange, || difference);
    }
    findings.expect(true, &exchange, String::new);
    Ok(())
}

pub(in crate::rules) async fn messages(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    subject.needs(&[104])?;
    let (read, exchange) = definitions(subject).await?;
    let dialect = subject.soap()?.dialect();
    let differences = read.differences_of_messages(&expected(dialect)?, &on_site());
    findings.expect(true, &exchange, String::new);
    if differences.is_empty() {
        return Ok(());
    }
    for &other in Dialect::ALL.iter().filter(|other| **other != dialect) {
        if read.differences_of_messages(&expected(other)?, &on_site()).is_empty() {
            findings.expect(false, &exchange, || {
                format!(
                    "the description is that of the dialect {other}, but the service answers in {dialect}"
                )
            });
            return Ok(());
        }
    }
    for difference in differences {
        findings.expect(false, &exchange, || difference);
    }
    Ok(())
}

pub(in crate::rules) async fn carriers(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    let (read, exchange) = definitions(subject).await?;
    for difference in read.differences_of_types(&expected(subject.soap()?.dialect())?) {
        findings.expect(false, &exchange, || difference);
    }
    findings.expect(true, &exchange, String::new);
    Ok(())
}

pub(in crate::rules) async fn authentication(
    subject: &Subject<'_>,
    findings: &mut Findings,
) -> Result<(), Stop> {
    let (read, exchange) = definitions(subject).await?;
    let expected = expected(subject.soap()?.dialect())?;
    for difference in read.differences(&expected, &[Operation::Authenticate]) {
        findings.expect(false, &exchange, || difference);
    }
    findings.expect(true, &exchange, String::new);
    Ok(())
}
