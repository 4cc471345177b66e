//! Secrets in addresses: an API key in the query, which a gateway in front of the service may want.

use url::form_urlencoded;
use values::is_secret_name;

use super::ContractFile;
use crate::learn::{LearnError, WsdlDocument, located, parse};
use crate::xml::escape::escape_attribute;

/// What stands for a value.
const MASK: &str = "********";

pub(super) fn without(file: ContractFile) -> Result<ContractFile, LearnError> {
    let documents = file.documents.into_iter().map(of_document).collect::<Result<_, _>>()?;
    let source = file.source.map(|source| masked(&source).unwrap_or(source));
    Ok(ContractFile { source, documents, ..file })
}

fn of_document(document: WsdlDocument) -> Result<WsdlDocument, LearnError> {
    let parsed = parse(&document)?;
    let text = parsed.input_text();
    let (mut changed, mut done) = (String::new(), 0);
    for address in parsed.descendants().filter_map(located) {
        let Some(masked) = masked(&address.value) else { continue };
        let mut escaped = Vec::new();
        escape_attribute(&mut escaped, &masked);
        changed += &text[done..address.range.start];
        // The value may stand in single quotes.
        changed += &String::from_utf8_lossy(&escaped).replace('\'', "&apos;");
        done = address.range.end;
    }
    let text = if done > 0 { changed + &text[done..] } else { document.text.clone() };
    Ok(WsdlDocument { url: masked(&document.url).unwrap_or(document.url), text })
}

/// A URL, absolute or relative, without its secrets; `None` if it has none.
fn masked(url: &str) -> Option<String> {
    let (before, rest) = url.split_once('?')?;
    let (query, fragment) = rest.split_at(rest.find('#').unwrap_or(rest.len()));
    let is_secret = |part: &str| {
        let mut pairs = form_urlencoded::parse(part.as_bytes());
        pairs.next().is_some_and(|(name, value)| !value.is_empty() && is_secret_name(&name))
    };
    if !query.split('&').any(is_secret) {
        return None;
    }
    let of_part = |part: &str| match part.split_once('=') {
        Some((name, _)) if is_secret(part) => format!("{name}={MASK}"),
        _ => part.to_owned(),
    };
    let query = query.split('&').map(of_part).collect::<Vec<_>>().join("&");
    Some(format!("{before}?{query}{fragment}"))
}
