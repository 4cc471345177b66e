//! Canonical XML for comparisons: names, namespaces, order, attributes and text count, prefixes do not.

use std::fmt::Write;

/// Stands for a control character, which roxmltree refuses even as a reference.
const CONTROL_STAND_IN: char = '\u{E001}';

/// One line for every start, text and end of the document.
pub(super) fn canonical(xml: &str) -> String {
    let xml = xml.replace("&#x1;", &CONTROL_STAND_IN.to_string());
    let document = roxmltree::Document::parse(&xml).unwrap_or_else(|error| panic!("{error}: {xml}"));
    let mut out = String::new();
    write_node(&mut out, document.root_element(), 0);
    out
}

fn write_node(out: &mut String, node: roxmltree::Node<'_, '_>, depth: usize) {
    let name = |namespace: Option<&str>, local: &str| format!("{{{}}}{local}", namespace.unwrap_or_default());
    let indent = " ".repeat(depth);
    write!(out, "{indent}<{}", name(node.tag_name().namespace(), node.tag_name().name())).unwrap();
    let mut attributes: Vec<_> = node
        .attributes()
        .map(|attribute| {
            format!(" {}={:?}", name(attribute.namespace(), attribute.name()), attribute.value())
        })
        .collect();
    attributes.sort();
    writeln!(out, "{}>", attributes.concat()).unwrap();
    for child in node.children() {
        if child.is_element() {
            write_node(out, child, depth + 1);
        } else if let Some(text) = child.text().filter(|_| child.is_text()) {
            writeln!(out, "{indent} {text:?}").unwrap();
        }
    }
    writeln!(out, "{indent}</>").unwrap();
}

/// Compares, and shows the first difference.
#[track_caller]
pub(super) fn assert_same(written: &[u8], wanted: &str, what: &str) {
    let written = canonical(std::str::from_utf8(written).unwrap());
    let wanted = canonical(wanted);
    let difference = written.lines().zip(wanted.lines()).find(|(written, wanted)| written != wanted);
    assert_eq!(difference, None, "{what}: written, and wanted");
    assert_eq!(written.lines().count(), wanted.lines().count(), "{what}: lines");
}
