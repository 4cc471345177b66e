//! The WSDL has the same definitions as the recorded ones.

use std::collections::BTreeSet;
use std::fs;

use roxmltree::{Document, Node};

use super::recordings::fixtures;
use crate::{Dialect, MemberOrder, wsdl};

const ADDRESS: &str = "http://localhost:8080/Services/ErpConnectorWS.svc";

/// Attributes that hold a name with a prefix.
const NAMES: [&str; 6] = ["type", "base", "element", "message", "binding", "ref"];

#[test]
fn wsdl_has_exactly_the_recorded_definitions() {
    for dialect in [Dialect::Message, Dialect::Data, Dialect::Plain] {
        let wanted = fixtures().join("wsdl").join(format!("{dialect}.wsdl"));
        let wanted = definitions(&fs::read_to_string(wanted).unwrap());
        let written = definitions(&wsdl(dialect, MemberOrder::Name, ADDRESS));
        assert!(wanted.len() > 100, "{dialect}: {} definitions", wanted.len());
        let missing: Vec<_> = wanted.difference(&written).collect();
        let besides: Vec<_> = written.difference(&wanted).collect();
        assert!(
            missing.is_empty() && besides.is_empty(),
            "{dialect}: missing {missing:#?}, besides {besides:#?}"
        );
    }
}

#[test]
fn wsdl_of_message_by_operation_has_every_operation() {
    let text = wsdl(Dialect::MessageByOperation, MemberOrder::Name, ADDRESS);
    let definitions = definitions(&text);
    assert!(definitions.iter().any(|definition| definition.contains("name=\"WSGetActors\" {") && definition.contains("ErpKeys")));
}

#[test]
fn wsdl_escapes_the_address() {
    let text = wsdl(Dialect::Message, MemberOrder::Name, "http://host/a?b=\"1\"&c=<2>");
    let document = Document::parse(&text).unwrap();
    let addresses: Vec<_> = document.descendants().filter_map(|node| node.attribute("location")).collect();
    assert_eq!(addresses, ["http://host/a?b=\"1\"&c=<2>"; 2]);
}

/// Every definition of the document as a text of its own: what stands in a schema, messages, port types, bindings,
/// the service. Their order does not matter, and prefixes do not; what stands inside does.
fn definitions(xml: &str) -> BTreeSet<String> {
    let document = Document::parse(xml).unwrap();
    let mut definitions = BTreeSet::new();
    for child in document.root_element().children() {
        if child.tag_name().name() != "types" {
            definitions.insert(canonical(child));
            continue;
        }
        for schema in child.children() {
            let target = schema.attribute("targetNamespace").unwrap();
            for definition in schema.children() {
                definitions.insert(format!("{target}: {}", canonical(definition)));
            }
        }
    }
    definitions
}

fn canonical(node: Node<'_, '_>) -> String {
    let mut attributes: Vec<_> = node
        .attributes()
        .map(|attribute| {
            let value = if NAMES.contains(&attribute.name()) {
                resolve(node, attribute.value())
            } else {
                attribute.value().to_owned()
            };
            format!(" {}={value:?}", attribute.name())
        })
        .collect();
    attributes.sort();
    let inner: String = node
        .children()
        .map(|child| if child.is_text() { child.text().unwrap().to_owned() } else { canonical(child) })
        .collect();
    format!("<{}{} {{{inner}}}>", node.tag_name().name(), attributes.concat())
}

/// `tns:GetActorsRequestWS` with the namespace for the prefix.
fn resolve(node: Node<'_, '_>, name: &str) -> String {
    let (prefix, local) = name.split_once(':').unwrap();
    format!("{{{}}}{local}", node.lookup_namespace_uri(Some(prefix)).unwrap())
}
