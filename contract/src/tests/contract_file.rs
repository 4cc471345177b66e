//! Contract files, and the WSDL in them.

use proptest::prelude::*;

use super::profiles;
use crate::learn::{WsdlDocument, imports, learn};
use crate::*;

fn example() -> ContractFile {
    let mut layout = Profile::builtin(Dialect::Message, MemberOrder::Name).layout().clone();
    layout.name = "example".to_owned();
    ContractFile { layout, source: None, documents: Vec::new() }
}

proptest! {
    #[test]
    fn round_trip_of_any_profile_as_a_file(
        profile in profiles::profile("learned", profiles::ALL),
        source in proptest::option::of(any::<String>()),
        text: String,
    ) {
        let documents = vec![WsdlDocument { url: "http://localhost/a?b=\"c\"".to_owned(), text }];
        let file = ContractFile { layout: profile.layout().clone(), source, documents };
        let written = file.to_toml();
        prop_assert_eq!(ContractFile::parse(&written), Ok(file), "{}", written);
    }
}

#[test]
fn contract_file_that_is_wrong_is_refused_with_the_line() {
    let good = example().to_toml();
    for (from, to, expected) in [
        (
            "name = \"example\"",
            "name = \"a b\"",
            "the name of the profile is \"a b\", expected 1 to 64 letters",
        ),
        ("name = \"example\"", "name = \"Message\"", "the profile is named \"Message\" like a built-in one"),
        ("name = \"example\"", "name = 1", "line 3: invalid type: integer `1`, expected a string"),
        ("name = \"example\"", "", "line 1: missing field `name`"),
        ("name = \"example\"", "name = \"example", "line 3: invalid basic string, expected `\"`"),
        ("name = \"example\"", "name = \"example\"\nNamespace = []", "line 4: unknown field `Namespace`"),
        ("accepts = \"any\"", "accepts = \"all\"", "line 7: unknown variant `all`, expected one of `exact`"),
        ("[operations.WSGetActors]", "[operations.WSGetActor]", "\"WSGetActor\" is no operation"),
        (
            "{ prefix = \"c\"",
            "{ prefix = \"a\", uri = \"x\" },\n{ prefix = \"c\"",
            "the prefix \"a\" stands for two",
        ),
        (
            "{ prefix = \"c\"",
            "{ prefix = \"s\", uri = \"x\" },\n{ prefix = \"c\"",
            "the prefix \"s\" is reserved",
        ),
        ("prefix = \"c\"", "prefix = \"d\"", "\"c:AuthenticationRequest\": namespaces has no prefix \"c\""),
        ("\"c:GetActorsRequestWS\"", "\"GetActorsRequestWS\"", "\"GetActorsRequestWS\" has no prefix"),
        (
            "\"c:GetActorsRequestWS\"",
            "\"c:Get Actors\"",
            "the request of WSGetActors is no name of an XML element",
        ),
        (
            "[\"c:GetActorsRequestWS\"]",
            "[]",
            "the request of WSGetActors has several members and no wrapping",
        ),
        (
            "[\"c:GetActorsRequestWS\"]",
            "[\"c:a\", \"c:b\", \"c:c\"]",
            "has 3 wrapping elements, expected two",
        ),
        (
            "name = \"c:ErpKeys\"",
            "name = \"c:FieldKeys\"",
            "the request of WSGetActors has the member FieldKeys twice",
        ),
        ("ErpConnectorWS/WSGetActors\"", "ErpConnectorWS/WSGetList\"", "have the same action"),
        ("text = \"a:string\"", "", "missing field `text`"),
    ] {
        assert!(good.contains(from), "{from}");
        let error = ContractFile::parse(&good.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains('\n'), "{to}: {error}");
    }
}

/// A WSDL of several documents, as WCF serves it where service and contract have other namespaces.
fn split() -> Vec<WsdlDocument> {
    let whole = wsdl(Dialect::Data, MemberOrder::Name, "http://erp.example/S.svc");
    let (start, end) = (whole.find("<xs:schema").unwrap(), whole.find("</wsdl:types>").unwrap());
    let schemas: Vec<_> = whole[start..end].split_inclusive("</xs:schema>").map(str::trim).collect();
    let schemas: Vec<_> = schemas.into_iter().filter(|schema| !schema.is_empty()).collect();
    let include = |n: usize| {
        let namespace = schemas[n].split("targetNamespace=\"").nth(1).unwrap().split('"').next().unwrap();
        format!("<xs:import schemaLocation=\"?xsd=part{n}\" namespace=\"{namespace}\"/>")
    };
    let imports: String = (0..schemas.len()).map(include).collect();
    let head = format!(
        "{}<xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\">{imports}</xs:schema>{}",
        &whole[..start],
        &whole[end..]
    );
    let service = r#"<?xml version="1.0"?>
        <definitions xmlns="http://schemas.xmlsoap.org/wsdl/" targetNamespace="http://tempuri.org/"
            xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:i0="http://www.superoffice.net/EIS/Connector/1.0">
          <import namespace="http://www.superoffice.net/EIS/Connector/1.0" location="http://erp.example/S.svc?wsdl=inner"/>
          <service name="S"><port name="P" binding="i0:B"><soap:address location="http://erp.example/S.svc"/>
            <EndpointReference xmlns="http://www.w3.org/2005/08/addressing"><Address>http://erp.example/S.svc</Address></EndpointReference>
          </port></service>
        </definitions>"#;
    let document =
        |query: String, text: String| WsdlDocument { url: format!("http://erp.example/S.svc?{query}"), text };
    let mut all = vec![document("wsdl".into(), service.into()), document("wsdl=inner".into(), head)];
    all.extend(
        schemas.iter().enumerate().map(|(n, schema)| document(format!("xsd=part{n}"), (*schema).to_owned())),
    );
    all
}

#[test]
fn contract_file_has_no_secrets_of_addresses() {
    let service = "http://erp.example/S.svc";
    let split = split();
    // As a service behind a gateway repeats the query of the request.
    let key = "Api-Key=s3cret%2B&v=1&access%5Ftoken=s3cret";
    let with_key = |url: &str| format!("{url}&{key}#top").trim_end_matches("#top").to_owned();
    let documents: Vec<WsdlDocument> = split
        .iter()
        .map(|document| {
            let mut text = document.text.clone();
            for import in imports(document).unwrap() {
                let keyed = with_key(&import).replace('&', "&amp;");
                text = text.replace(&format!("\"{import}\""), &format!("'{keyed}'"));
            }
            let keyed = format!("{service}?{}", key.replace('&', "&amp;"));
            for (before, after) in [("\"", "\""), (">", "<")] {
                let address = |url: &str| format!("{before}{url}{after}");
                text = text.replace(&address(service), &address(&keyed));
            }
            WsdlDocument { url: with_key(&document.url), text }
        })
        .collect();
    let layout = learn("x", &documents).unwrap().layout;
    let file = ContractFile { layout, source: Some(format!("{service}?{key}#s")), documents };
    assert!(file.to_toml().matches("s3cret").count() > 4 * split.len(), "{}", file.to_toml());

    let without = file.clone().without_secrets().unwrap();
    let written = without.to_toml();
    assert!(!written.contains("s3cret"), "{written}");
    assert_eq!(without.source, Some(format!("{service}?Api-Key=********&v=1&access%5Ftoken=********#s")));
    assert_eq!(learn("x", &without.documents).unwrap(), learn("x", &file.documents).unwrap());
    let imported = |file: &ContractFile| {
        let served = LearnedWsdl::new(&file.documents).unwrap();
        served.document("", "https://proxy.example/").unwrap().matches("https://proxy.example/?").count()
    };
    assert_eq!(imported(&without), imported(&file));
    assert!(imported(&file) > 0);

    let plain = ContractFile { documents: split, ..file };
    let plain = ContractFile { source: Some(format!("{service}?key&token=&name=x")), ..plain };
    assert_eq!(plain.clone().without_secrets(), Ok(plain));
}

#[test]
fn learned_wsdl_is_served_with_other_addresses() {
    let documents = split();
    let served = LearnedWsdl::new(&documents).unwrap();
    let address = "https://proxy.example/Services/ErpConnectorWS.svc?ConnectorName=A&dialect=x";
    let first = served.document("", address).unwrap();
    assert!(!first.contains("erp.example"), "{first}");
    assert_eq!(
        first
            .matches("https://proxy.example/Services/ErpConnectorWS.svc?ConnectorName=A&amp;dialect=x")
            .count(),
        3
    );

    // Everything that it imports is served, and gives the same profile.
    let mut fetched = vec![WsdlDocument { url: format!("{address}&wsdl"), text: first }];
    let mut next = 0;
    while next < fetched.len() {
        for import in imports(&fetched[next]).unwrap() {
            let part = import.rsplit('=').next().unwrap();
            let text = served.document(part, address).unwrap_or_else(|| panic!("{import}"));
            fetched.push(WsdlDocument { url: import, text });
        }
        next += 1;
    }
    assert_eq!(fetched.len(), documents.len());
    assert_eq!(learn("x", &fetched).unwrap(), learn("x", &documents).unwrap());
    assert_eq!(served.document("xsd99", address), None);
}
