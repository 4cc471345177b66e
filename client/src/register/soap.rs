//! SOAP envelopes of NetServer's services: document/literal, all elements in the namespace of the services' version, arrays
//! of simple types in the namespace of .NET's serialisation.

use contract::SoapVersion;
use contract::xml::escape;
use roxmltree::{Document, Node};

use super::error::{ExceptionInfo, NetServerError};

const ARRAYS: &str = "http://schemas.microsoft.com/2003/10/Serialization/Arrays";
const INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// Writes the elements of a SOAP header or body.
#[derive(Default)]
pub(super) struct XmlWriter {
    xml: Vec<u8>,
}

impl XmlWriter {
    pub(super) fn open(&mut self, name: &str) {
        self.xml.extend_from_slice(format!("<n:{name}>").as_bytes());
    }

    pub(super) fn close(&mut self, name: &str) {
        self.xml.extend_from_slice(format!("</n:{name}>").as_bytes());
    }

    pub(super) fn text(&mut self, name: &str, text: &str) {
        self.open(name);
        escape(&mut self.xml, text);
        self.close(name);
    }

    /// An element with a text; null when the text is empty.
    pub(super) fn text_or_null(&mut self, name: &str, text: &str) {
        if text.is_empty() {
            self.xml.extend_from_slice(format!("<n:{name} i:nil=\"true\"/>").as_bytes());
        } else {
            self.text(name, text);
        }
    }

    pub(super) fn number(&mut self, name: &str, number: i32) {
        self.text(name, &number.to_string());
    }

    pub(super) fn flag(&mut self, name: &str, on: bool) {
        self.text(name, if on { "true" } else { "false" });
    }

    pub(super) fn numbers(&mut self, name: &str, numbers: &[i32]) {
        self.open(name);
        for number in numbers {
            self.xml.extend_from_slice(format!("<a:int>{number}</a:int>").as_bytes());
        }
        self.close(name);
    }

    /// The message with this body.
    pub(super) fn envelope(self, version: SoapVersion, namespace: &str, header: XmlWriter) -> Vec<u8> {
        let mut xml = format!(
            "<s:Envelope xmlns:s=\"{}\" xmlns:n=\"{namespace}\" xmlns:a=\"{ARRAYS}\" xmlns:i=\"{INSTANCE}\">\
             <s:Header>",
            version.namespace()
        )
        .into_bytes();
        xml.extend_from_slice(&header.xml);
        xml.extend_from_slice(b"</s:Header><s:Body>");
        xml.extend_from_slice(&self.xml);
        xml.extend_from_slice(b"</s:Body></s:Envelope>");
        xml
    }
}

/// Parses an envelope: returns the element of the body, which must be `name` and report success.
///
/// # Errors
/// The message is a fault, reports that the call did not succeed, or is something else.
pub(super) fn reply<'a, 'i>(document: &'a Document<'i>, name: &str) -> Result<Node<'a, 'i>, NetServerError> {
    let envelope = document.root_element();
    let namespace = envelope.tag_name().namespace().unwrap_or_default();
    if envelope.tag_name().name() != "Envelope"
        || ![SoapVersion::V11.namespace(), SoapVersion::V12.namespace()].contains(&namespace)
    {
        return Err(NetServerError::NotSoap { found: format!("an element {}", envelope.tag_name().name()) });
    }
    let header = child(envelope, "Header");
    let exception = header.and_then(|header| child(header, "ExceptionInfo")).and_then(exception);
    if let Some(exception) = exception {
        return Err(NetServerError::Exception(exception));
    }
    let element = child(envelope, "Body")
        .and_then(|body| body.children().find(Node::is_element))
        .ok_or_else(|| NetServerError::NotSoap { found: "an empty body".to_owned() })?;
    if element.tag_name().name() == "Fault" {
        return Err(fault(element));
    }
    let succeeded = header.and_then(|header| child(header, "Succeeded"));
    if succeeded.is_some_and(|succeeded| matches!(trimmed(succeeded).as_str(), "false" | "0")) {
        return Err(NetServerError::NotSucceeded);
    }
    if element.tag_name().name() != name {
        let found = format!("an element {} instead of {name}", element.tag_name().name());
        return Err(NetServerError::NotSoap { found });
    }
    Ok(element)
}

/// The error of a fault of either version of SOAP: the exception in its detail, or else its own text, which is often
/// general.
fn fault(fault: Node<'_, '_>) -> NetServerError {
    let detail = child(fault, "detail").or(child(fault, "Detail"));
    let in_detail = detail
        .and_then(|detail| detail.descendants().find(|node| child(*node, "Message").is_some()))
        .and_then(exception);
    if let Some(exception) = in_detail {
        return NetServerError::Exception(exception);
    }
    let code_12 = child(fault, "Code").map(|code| text(code, "Value")).unwrap_or_default();
    let text_12 = child(fault, "Reason").map(|reason| text(reason, "Text")).unwrap_or_default();
    let or = |first: String, second: String| if first.is_empty() { second } else { first };
    NetServerError::Fault {
        code: or(text(fault, "faultcode"), code_12),
        text: or(text(fault, "faultstring"), text_12),
    }
}

/// Parses `SoExceptionInfo`; `None` if it is null or empty.
fn exception(node: Node<'_, '_>) -> Option<ExceptionInfo> {
    let info = ExceptionInfo {
        message: text(node, "Message"),
        friendly: text(node, "FriendlyText"),
        kind: text(node, "ExceptionType"),
        cause: child(node, "InnerException").and_then(exception).map(Box::new),
    };
    let empty = info.message.is_empty() && info.friendly.is_empty() && info.kind.is_empty();
    (!is_null(node) && !empty).then_some(info)
}

/// The first child element of this name, in any namespace: versions of the services differ in theirs.
pub(super) fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|child| child.is_element() && child.tag_name().name() == name)
}

/// The text of a child element; empty if it is null or not there.
pub(super) fn text(node: Node<'_, '_>, name: &str) -> String {
    child(node, name).map(whole_text).unwrap_or_default()
}

pub(super) fn number(node: Node<'_, '_>, name: &str) -> Option<i32> {
    child(node, name).and_then(|child| trimmed(child).parse().ok())
}

pub(super) fn flag(node: Node<'_, '_>, name: &str) -> bool {
    child(node, name).is_some_and(|child| matches!(trimmed(child).as_str(), "true" | "1"))
}

pub(super) fn numbers(node: Node<'_, '_>, name: &str) -> Vec<i32> {
    let items = child(node, name).into_iter().flat_map(|array| array.children());
    items.filter(Node::is_element).filter_map(|item| trimmed(item).parse().ok()).collect()
}

/// The texts of an array.
pub(super) fn texts(array: Node<'_, '_>) -> Vec<String> {
    array.children().filter(Node::is_element).map(whole_text).collect()
}

/// The text of an element. The parser may split it into several nodes.
pub(super) fn whole_text(node: Node<'_, '_>) -> String {
    node.descendants().filter(Node::is_text).filter_map(|node| node.text()).collect()
}

pub(super) fn trimmed(node: Node<'_, '_>) -> String {
    whole_text(node).trim().to_owned()
}

fn is_null(node: Node<'_, '_>) -> bool {
    node.attribute((INSTANCE, "nil")).is_some_and(|nil| matches!(nil, "true" | "1"))
}
