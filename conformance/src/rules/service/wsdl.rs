//! Rules of the WSDL. What it has is learned as a profile (`contract::learn`): another contract than the built-in dialects is no
//! fault, but it must be whole, and the same in every form and in every reply.

use contract::Operation;
use contract::learn::{LearnError, WsdlDocument, addresses, compare, differences};
use erp_host_client::ServiceContract;
use erp_host_client::wsdl::Source;
use reqwest::Url;

use crate::rule::{Finding, Findings, Stop};
use crate::subject::Subject;

/// Fetches the WSDL with all that it imports.
async fn fetch(subject: &Subject<'_>, parameter: &str) -> Result<Vec<WsdlDocument>, Stop> {
    let client = &subject.soap()?.client;
    let url = client.address().wsdl_url_of_profile(parameter, client.profile());
    client.wsdl(&Source::Document(url)).await.map_err(broken)
}

/// The rule is broken, as no single exchange shows.
fn broken(text: impl ToString) -> Stop {
    Stop::Failed(Finding { text: text.to_string(), shown_by: None })
}

/// The documents of `?wsdl`.
fn documents<'s>(subject: &'s Subject<'_>) -> Result<&'s [WsdlDocument], Stop> {
    subject.soap()?.wsdl.get().map(Vec::as_slice).ok_or_else(|| Stop::after(101))
}

/// The contract of `?wsdl`.
fn described(subject: &Subject<'_>) -> Result<ServiceContract, Stop> {
    ServiceContract::learn(documents(subject)?)
        .map_err(|_| Stop::skip("the WSDL cannot be learned: see rules 104 and 106"))
}

pub(in crate::rules) async fn served(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    let documents = fetch(subject, "wsdl").await?;
    if let Err(error @ (LearnError::OtherService { .. } | LearnError::NoDocuments)) =
        ServiceContract::learn(&documents)
    {
        return Err(broken(format!("?wsdl: {error}")));
    }
    findings.expect_all(true, String::new);
    // Rules are checked once.
    let _ = subject.soap()?.wsdl.set(documents);
    Ok(())
}

pub(in crate::rules) async fn single(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    documents(subject)?;
    let documents = fetch(subject, "singleWsdl").await?;
    findings.expect_all(documents.len() == 1, || {
        let others = match documents.len() - 1 {
            1 => "another document".to_owned(),
            many => format!("{many} other documents"),
        };
        format!("?singleWsdl imports {others}, expected all in one")
    });
    let all = described(subject)?;
    let single = match ServiceContract::learn(&documents) {
        Ok(single) => single,
        Err(error) => {
            let text = format!("?singleWsdl cannot be learned, although ?wsdl can: {error}");
            return Err(broken(text));
        }
    };
    let (single, all) = (single.learned, all.learned);
    for difference in differences(&single.layout, &all.layout) {
        findings.add(format!("?singleWsdl and ?wsdl differ: {difference}"), None);
    }
    for (what, one, other) in [
        ("only ?singleWsdl has", &single.unknown, &all.unknown),
        ("only ?wsdl has", &all.unknown, &single.unknown),
        ("only ?singleWsdl lacks", &single.missing, &all.missing),
        ("only ?wsdl lacks", &all.missing, &single.missing),
    ] {
        for sentence in one.iter().filter(|sentence| !other.contains(sentence)) {
            findings.add(format!("{what} {sentence}"), None);
        }
    }
    Ok(())
}

pub(in crate::rules) async fn address(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    let found = addresses(documents(subject)?).map_err(broken)?;
    let called = subject.soap()?.client.address().url();
    findings.expect_all(!found.is_empty(), || "no soap:address is there".to_owned());
    for address in &found {
        let same = Url::parse(address).is_ok_and(|url| {
            url.scheme() == called.scheme()
                && url.host_str().map(str::to_lowercase) == called.host_str().map(str::to_lowercase)
                && url.port_or_known_default() == called.port_or_known_default()
                && url.path().eq_ignore_ascii_case(called.path())
        });
        findings.expect_all(same, || {
            format!("soap:address is {address}, expected {called}, where it was asked for")
        });
    }
    Ok(())
}

pub(in crate::rules) async fn operations(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    if let Err(error @ LearnError::ActionTwice { .. }) = ServiceContract::learn(documents(subject)?) {
        return Err(broken(error));
    }
    let described = described(subject)?.learned.layout;
    // Authenticate is only called online.
    for operation in Operation::ALL.iter().filter(|operation| **operation != Operation::Authenticate) {
        let is_there = described.operations.iter().any(|layout| layout.operation == *operation);
        findings.expect_all(is_there, || format!("the operation {operation} is not described"));
    }
    Ok(())
}

/// What is missing of the contract.
enum Missing {
    Operation,
    /// Of a request or reply.
    Member,
    OfAuthentication,
    /// Of a carrier.
    Carrier,
}

impl Missing {
    /// What a sentence of `contract::learn::missing` is about.
    fn of(sentence: &str) -> Self {
        match sentence {
            _ if sentence.contains(Operation::Authenticate.name()) => Missing::OfAuthentication,
            _ if sentence.starts_with("the operation ") => Missing::Operation,
            _ if sentence.starts_with("the re") => Missing::Member,
            _ => Missing::Carrier,
        }
    }
}

fn expect_whole(contract: &ServiceContract, findings: &mut Findings, part: impl Fn(Missing) -> bool) {
    findings.expect_all(true, String::new);
    for sentence in contract.learned.missing.iter().filter(|sentence| part(Missing::of(sentence))) {
        findings.add(format!("{sentence} is not described"), None);
    }
}

pub(in crate::rules) async fn messages(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    let contract = described(subject)?;
    expect_whole(&contract, findings, |part| matches!(part, Missing::Member));
    let (wsdl, spoken) = (&contract.learned.layout, subject.soap()?.client.profile());
    let differences = differences(wsdl, spoken.layout());
    let nearest = compare(wsdl);
    if !differences.is_empty() && nearest.differences.is_empty() {
        let (builtin, spoken) = (nearest.builtin, spoken.name());
        findings.add(format!("the WSDL is that of {builtin}, but the service is called in {spoken}"), None);
        return Ok(());
    }
    for difference in differences {
        findings.add(format!("the WSDL is not that of {}: {difference}", spoken.name()), None);
    }
    Ok(())
}

pub(in crate::rules) async fn carriers(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    match ServiceContract::learn(documents(subject)?) {
        Err(LearnError::ActionTwice { .. }) => Err(Stop::after(104)),
        Err(error) => Err(broken(error)),
        Ok(contract) => {
            expect_whole(&contract, findings, |part| matches!(part, Missing::Carrier));
            Ok(())
        }
    }
}

pub(in crate::rules) async fn authentication(
    subject: &Subject<'_>,
    findings: &mut Findings,
) -> Result<(), Stop> {
    expect_whole(&described(subject)?, findings, |part| matches!(part, Missing::OfAuthentication));
    Ok(())
}
