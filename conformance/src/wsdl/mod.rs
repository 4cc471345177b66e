//! Rules of the description of the service, compared with the contract.

mod definitions;

use std::sync::Arc;

use contract::{Dialect, Operation};
use reqwest::Url;

use self::definitions::Definitions;
use super::rule::{Findings, Stop};
use super::subject::Subject;
use super::transport::send;
use erp_host_client::{HttpExchange, HttpRequest};

/// No description needs more documents than that.
const MOST_DOCUMENTS: usize = 40;

/// Fetches a description with all that it imports. The first document comes first.
async fn fetch(subject: &Subject, parameter: &str) -> Result<(Vec<String>, Arc<HttpExchange>), Stop> {
    let first = subject.client.address().wsdl_url(parameter, subject.dialect());
    let mut open = vec![first.clone()];
    let mut done: Vec<Url> = Vec::new();
    let (mut documents, mut shown_by) = (Vec::new(), None);
    while let Some(url) = open.pop() {
        if done.contains(&url) {
            continue;
        }
        let traffic = send(subject, HttpRequest::get(url.clone())).await?;
        let answered = &traffic.response;
        if answered.status != 200 || !answered.media_type().contains("xml") {
            let text = format!(
                "{url} is answered with status {} and the content type {:?}, expected 200 and XML",
                answered.status,
                answered.media_type()
            );
            return Err(Stop::failed(text, &traffic));
        }
        let text = answered.text().trim_start_matches('\u{feff}').to_owned();
        let imports = definitions::imports(&text)
            .map_err(|why| Stop::failed(format!("{url} is no XML: {why}"), &traffic))?;
        open.extend(imports.iter().filter_map(|place| url.join(place).ok()));
        documents.push(text);
        done.push(url);
        shown_by.get_or_insert(traffic);
        if documents.len() > MOST_DOCUMENTS {
            return Err(Stop::skip(format!("the description has more than {MOST_DOCUMENTS} documents")));
        }
    }
    shown_by.map(|traffic| (documents, traffic)).ok_or_else(|| Stop::skip("there is no description"))
}

async fn definitions(subject: &Subject) -> Result<(Definitions, Arc<HttpExchange>), Stop> {
    subject.needs(&[101])?;
    let (documents, traffic) = fetch(subject, "wsdl").await?;
    match Definitions::read(&documents) {
        Ok(definitions) => Ok((definitions, traffic)),
        Err(why) => Err(Stop::failed(format!("the description cannot be read: {why}"), &traffic)),
    }
}

fn expected(dialect: Dialect) -> Result<Definitions, Stop> {
    let ours = contract::wsdl(dialect, "http://localhost/");
    Definitions::read(&[ours]).map_err(Stop::Skip)
}

pub(super) async fn served(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    let (documents, traffic) = fetch(subject, "wsdl").await?;
    match Definitions::read(&documents) {
        Err(why) => findings.expect(false, &traffic, || format!("?wsdl is no description: {why}")),
        Ok(read) => findings
            .expect(!read.operations.is_empty(), &traffic, || "?wsdl describes no operations".to_owned()),
    }
    Ok(())
}

pub(super) async fn single(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    subject.needs(&[101])?;
    let (documents, traffic) = fetch(subject, "singleWsdl").await?;
    findings.expect(documents.len() == 1, &traffic, || {
        format!("?singleWsdl imports {} other documents, expected all in one", documents.len() - 1)
    });
    let (all, _) = definitions(subject).await?;
    let single = Definitions::read(&documents[..1]).map_err(|why| Stop::failed(why, &traffic))?;
    for difference in single.differences(&all, Operation::ALL) {
        findings.expect(false, &traffic, || format!("?singleWsdl and ?wsdl differ: {difference}"));
    }
    Ok(())
}

pub(super) async fn address(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    let (read, traffic) = definitions(subject).await?;
    let called = subject.client.address().url();
    findings.expect(!read.addresses.is_empty(), &traffic, || "no soap:address is there".to_owned());
    for address in &read.addresses {
        let same = Url::parse(address).is_ok_and(|url| {
            url.scheme() == called.scheme()
                && url.host_str().map(str::to_lowercase) == called.host_str().map(str::to_lowercase)
                && url.port_or_known_default() == called.port_or_known_default()
                && url.path().eq_ignore_ascii_case(called.path())
        });
        findings.expect(same, &traffic, || {
            format!("soap:address is {address}, expected {called}, where it was asked for")
        });
    }
    Ok(())
}

/// The operations that SuperOffice calls on site.
fn on_site() -> Vec<Operation> {
    Operation::ALL.iter().copied().filter(|one| *one != Operation::Authenticate).collect()
}

pub(super) async fn operations(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    let (read, traffic) = definitions(subject).await?;
    let expected = expected(subject.dialect())?;
    for difference in read.differences_of_operations(&expected, &on_site()) {
        findings.expect(false, &traffic, || difference);
    }
    findings.expect(true, &traffic, String::new);
    Ok(())
}

pub(super) async fn messages(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    subject.needs(&[104])?;
    let (read, traffic) = definitions(subject).await?;
    let dialect = subject.dialect();
    let differences = read.differences_of_messages(&expected(dialect)?, &on_site());
    findings.expect(true, &traffic, String::new);
    if differences.is_empty() {
        return Ok(());
    }
    for &other in Dialect::ALL.iter().filter(|other| **other != dialect) {
        if read.differences_of_messages(&expected(other)?, &on_site()).is_empty() {
            findings.expect(false, &traffic, || {
                format!(
                    "the description is that of the dialect {other}, but the service answers in {dialect}"
                )
            });
            return Ok(());
        }
    }
    for difference in differences {
        findings.expect(false, &traffic, || difference);
    }
    Ok(())
}

pub(super) async fn carriers(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    let (read, traffic) = definitions(subject).await?;
    for difference in read.differences_of_types(&expected(subject.dialect())?) {
        findings.expect(false, &traffic, || difference);
    }
    findings.expect(true, &traffic, String::new);
    Ok(())
}

pub(super) async fn authentication(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    let (read, traffic) = definitions(subject).await?;
    let expected = expected(subject.dialect())?;
    for difference in read.differences(&expected, &[Operation::Authenticate]) {
        findings.expect(false, &traffic, || difference);
    }
    findings.expect(true, &traffic, String::new);
    Ok(())
}
