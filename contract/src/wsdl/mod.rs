//! The WSDL: one document for each dialect, from the same tables that reader and writer follow. Structure and names are
//! those that a WCF service with this contract publishes, so that code generators accept it.

mod learned;
mod schema;

pub use self::learned::LearnedWsdl;

use crate::xml::escape::escape_attribute;
use crate::{Dialect, MemberOrder, Operation, namespace};

/// The service contracts, each with a binding and a port.
const INTERFACES: [&str; 2] = ["IErpConnectorWS", "IIntegrationServiceConnectorAuth"];
const SERVICE: &str = "ErpConnectorService";

/// The WSDL of the service in a dialect, with members in this order, as a single document, with this URL as the address of both ports.
pub fn wsdl(dialect: Dialect, order: MemberOrder, address: &str) -> String {
    let mut out = String::with_capacity(48 * 1024);
    out += &format!(
        r#"<?xml version="1.0" encoding="utf-8"?><wsdl:definitions name="{SERVICE}" targetNamespace="{contract}" xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:wsaw="http://www.w3.org/2006/05/addressing/wsdl" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:tns="{contract}">"#,
        contract = namespace::CONTRACT,
    );
    out += "<wsdl:types>";
    schema::write(&mut out, dialect, order);
    out += "</wsdl:types>";
    messages(&mut out, dialect);
    for interface in INTERFACES {
        port_type(&mut out, dialect, interface);
    }
    for interface in INTERFACES {
        binding(&mut out, dialect, interface);
    }
    let address = attribute(address);
    out += &format!(r#"<wsdl:service name="{SERVICE}">"#);
    for interface in INTERFACES {
        out += &format!(
            r#"<wsdl:port name="BasicHttpBinding_{interface}" binding="tns:BasicHttpBinding_{interface}"><soap:address location="{address}"/></wsdl:port>"#
        );
    }
    out += "</wsdl:service></wsdl:definitions>";
    out
}

/// One direction of an operation: its message, and the element that is the message's body.
struct Message {
    name: String,
    /// `None` for an empty body.
    element: Option<String>,
    /// The `name` of the operation's input or output, which WCF gives to message contracts.
    label: Option<&'static str>,
}

impl Message {
    fn input(dialect: Dialect, operation: Operation) -> Self {
        let label = operation.request_class().filter(|_| dialect == Dialect::Message);
        let by_operation = Some(operation.name().to_owned()).filter(|_| dialect != Dialect::Message);
        Self::new(label, operation, "Input", by_operation)
    }

    fn output(dialect: Dialect, operation: Operation) -> Self {
        let label = Some(operation.reply_class()).filter(|_| dialect == Dialect::Message);
        Self::new(label, operation, "Output", Some(format!("{operation}Response")))
    }

    fn new(
        label: Option<&'static str>,
        operation: Operation,
        direction: &str,
        by_operation: Option<String>,
    ) -> Self {
        match label {
            Some(class) => Message { name: class.to_owned(), element: Some(class.to_owned()), label },
            None => Message {
                name: format!("{}_{operation}_{direction}Message", operation.interface()),
                element: by_operation,
                label,
            },
        }
    }

    /// ` name="GetActorsRequestWS"`, or nothing.
    fn label(&self) -> String {
        self.label.map(|label| format!(r#" name="{label}""#)).unwrap_or_default()
    }
}

fn messages(out: &mut String, dialect: Dialect) {
    let mut written: Vec<String> = Vec::new();
    for &operation in Operation::ALL {
        for message in [Message::input(dialect, operation), Message::output(dialect, operation)] {
            // Operations share classes, and so messages.
            if written.contains(&message.name) {
                continue;
            }
            *out += &format!(r#"<wsdl:message name="{}">"#, message.name);
            if let Some(element) = &message.element {
                *out += &format!(r#"<wsdl:part name="parameters" element="tns:{element}"/>"#);
            }
            *out += "</wsdl:message>";
            written.push(message.name);
        }
    }
}

fn operations_of(interface: &str) -> impl Iterator<Item = Operation> {
    Operation::ALL.iter().copied().filter(move |operation| operation.interface() == interface)
}

fn port_type(out: &mut String, dialect: Dialect, interface: &str) {
    *out += &format!(r#"<wsdl:portType name="{interface}">"#);
    for operation in operations_of(interface) {
        let (input, output) = (Message::input(dialect, operation), Message::output(dialect, operation));
        *out += &format!(
            r#"<wsdl:operation name="{operation}"><wsdl:input wsaw:Action="{action}"{} message="tns:{}"/><wsdl:output wsaw:Action="{action}Response"{} message="tns:{}"/></wsdl:operation>"#,
            input.label(),
            input.name,
            output.label(),
            output.name,
            action = operation.action(namespace::CONTRACT),
        );
    }
    *out += "</wsdl:portType>";
}

fn binding(out: &mut String, dialect: Dialect, interface: &str) {
    *out += &format!(
        r#"<wsdl:binding name="BasicHttpBinding_{interface}" type="tns:{interface}"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>"#
    );
    for operation in operations_of(interface) {
        *out += &format!(
            r#"<wsdl:operation name="{operation}"><soap:operation soapAction="{action}" style="document"/><wsdl:input{}><soap:body use="literal"/></wsdl:input><wsdl:output{}><soap:body use="literal"/></wsdl:output></wsdl:operation>"#,
            Message::input(dialect, operation).label(),
            Message::output(dialect, operation).label(),
            action = operation.action(namespace::CONTRACT),
        );
    }
    *out += "</wsdl:binding>";
}

/// A text as the value of an attribute.
fn attribute(text: &str) -> String {
    let mut out = Vec::new();
    escape_attribute(&mut out, text);
    String::from_utf8_lossy(&out).into_owned()
}
