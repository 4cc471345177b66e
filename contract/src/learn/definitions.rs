//! The operations of a WSDL: their actions, and the elements of their messages.

use std::collections::HashMap;

use roxmltree::{Document, Node};

use super::{LearnError, Name, SOAP, WSDL, defined, elements, is, resolve};
use crate::Operation;

/// What a WSDL has of the contract.
#[derive(Debug)]
pub(super) struct Definitions {
    /// The operations that the contract page has.
    pub(super) operations: Vec<Described>,
    /// The names of others.
    pub(super) others: Vec<String>,
    /// The namespace of the port type.
    pub(super) namespace: String,
}

/// An operation.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) operation: Operation,
    pub(super) action: String,
    pub(super) request: MessageParts,
    pub(super) reply: MessageParts,
}

/// The elements of a message.
#[derive(Debug, Default)]
pub(super) struct MessageParts {
    pub(super) body: Vec<Name>,
    pub(super) headers: Vec<Name>,
}

/// The operations of all bindings.
#[derive(Default)]
struct Bound {
    operations: Vec<Described>,
    /// Why operations of a binding cannot be described; another binding may have them in a form that can.
    refused: Vec<(Operation, LearnError)>,
    /// The names of other operations.
    others: Vec<String>,
    namespace: String,
}

struct Reader<'d> {
    /// The parts of each message, by its name.
    messages: HashMap<Name, Vec<(String, Option<Name>)>>,
    port_types: HashMap<Name, Node<'d, 'd>>,
}

impl Definitions {
    pub(super) fn read<'d>(documents: &'d [Document<'d>]) -> Result<Self, LearnError> {
        let roots: Vec<_> = documents
            .iter()
            .map(|document| document.root_element())
            .filter(|root| is(*root, WSDL, "definitions"))
            .collect();
        let all = |local: &'static str| {
            roots.iter().flat_map(|root| elements(*root)).filter(move |node| is(*node, WSDL, local))
        };
        let reader = Reader {
            messages: all("message").map(|message| (defined(message), parts(message))).collect(),
            port_types: all("portType").map(|port_type| (defined(port_type), port_type)).collect(),
        };
        let mut bound = Bound::default();
        for binding in all("binding") {
            // A binding for something else than SOAP, such as HTTP GET.
            if !elements(binding).any(|child| is_soap(child, "binding")) {
                continue;
            }
            reader.read_binding(binding, &mut bound)?;
        }
        let Bound { mut operations, refused, others, namespace } = bound;
        let found = || operations.iter().map(|described| described.operation);
        let mut all = found().chain(refused.iter().map(|(operation, _)| *operation));
        // Authenticate alone is a contract of its own, which other services have too.
        if !all.any(|operation| operation != Operation::Authenticate) {
            return Err(LearnError::OtherService { found: listed(&others) });
        }
        let is_found = |operation: Operation| found().any(|found| found == operation);
        if let Some((_, error)) = refused.into_iter().find(|(operation, _)| !is_found(*operation)) {
            return Err(error);
        }
        operations.sort_by_key(|described| described.operation as usize);
        for (at, one) in operations.iter().enumerate() {
            if let Some(other) = operations[..at].iter().find(|other| other.action == one.action) {
                return Err(LearnError::ActionTwice {
                    first: other.operation.to_string(),
                    second: one.operation.to_string(),
                    action: one.action.clone(),
                });
            }
        }
        Ok(Definitions { operations, others, namespace })
    }
}

/// The first of other operations, as the end of a part of a sentence.
fn listed(others: &[String]) -> String {
    /// So many are named.
    const SHOWN: usize = 3;
    let names = others.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match others.len() {
        0 => String::new(),
        1 => format!(", but one other ({names})"),
        many if many <= SHOWN => format!(", but {many} others ({names})"),
        many => format!(", but {many} others ({names}, ...)"),
    }
}

impl<'d> Reader<'d> {
    fn read_binding(&self, binding: Node<'d, 'd>, into: &mut Bound) -> Result<(), LearnError> {
        let name = resolve(binding, binding.attribute("type").unwrap_or_default());
        let port_type = *self.port_types.get(&name).ok_or_else(|| LearnError::Missing {
            place: format!("the binding {:?}", binding.attribute("name").unwrap_or_default()),
            name: name.to_string(),
        })?;
        let is_rpc = elements(binding)
            .filter(|child| is_soap(*child, "binding"))
            .any(|child| child.attribute("style") == Some("rpc"));
        for bound in elements(binding).filter(|child| is(*child, WSDL, "operation")) {
            let name = bound.attribute("name").unwrap_or_default();
            let Some(operation) = Operation::from_name(name) else {
                if !into.others.iter().any(|other| other == name) {
                    into.others.push(name.to_owned());
                }
                continue;
            };
            // A service has one binding for each version of SOAP; they have the same messages.
            if into.operations.iter().any(|described| described.operation == operation) {
                continue;
            }
            match self.describe(operation, bound, port_type, is_rpc) {
                Ok(described) => into.operations.push(described),
                Err(error) => {
                    into.refused.push((operation, error));
                    continue;
                }
            }
            if operation != Operation::Authenticate || into.namespace.is_empty() {
                into.namespace = defined(port_type).namespace;
            }
        }
        Ok(())
    }

    /// An operation of a binding. `is_rpc`: so far as the binding has a style for all of its operations.
    fn describe(
        &self,
        operation: Operation,
        bound: Node<'d, 'd>,
        port_type: Node<'d, 'd>,
        is_rpc: bool,
    ) -> Result<Described, LearnError> {
        let place = format!("the operation {operation}");
        let soap = elements(bound).find(|child| is_soap(*child, "operation"));
        let style = soap.and_then(|soap| soap.attribute("style"));
        if style == Some("rpc") || is_rpc && style.is_none() {
            let problem = "its style is rpc, expected document";
            return Err(LearnError::Unsupported { place, problem: problem.to_owned() });
        }
        let name = bound.attribute("name");
        let abstracted = elements(port_type)
            .find(|child| is(*child, WSDL, "operation") && child.attribute("name") == name)
            .ok_or_else(|| LearnError::Missing {
                place: place.clone(),
                name: "its part of the port type".to_owned(),
            })?;
        let action = soap.and_then(|soap| soap.attribute("soapAction")).filter(|action| !action.is_empty());
        let action = action.map(str::to_owned).or_else(|| addressing_action(abstracted));
        Ok(Described {
            operation,
            action: action.ok_or_else(|| LearnError::Unsupported {
                place: place.clone(),
                problem: "it has no SOAPAction".to_owned(),
            })?,
            request: self.message(abstracted, bound, "input", &place)?,
            reply: self.message(abstracted, bound, "output", &place)?,
        })
    }

    fn message(
        &self,
        abstracted: Node<'d, 'd>,
        bound: Node<'d, 'd>,
        direction: &str,
        place: &str,
    ) -> Result<MessageParts, LearnError> {
        let place = || format!("the {direction} of {}", place.trim_start_matches("the operation "));
        let child = |node: Node<'d, 'd>| elements(node).find(|child| is(*child, WSDL, direction));
        let Some(message) =
            child(abstracted).and_then(|node| node.attribute("message").map(|name| resolve(node, name)))
        else {
            return Ok(MessageParts::default());
        };
        let parts = self.parts(&message, &place())?;
        let bound = child(bound).map(|node| elements(node).collect::<Vec<_>>()).unwrap_or_default();
        for extension in &bound {
            if extension.attribute("use") == Some("encoded") {
                return Err(LearnError::Unsupported {
                    place: place(),
                    problem: "it is encoded, expected literal".to_owned(),
                });
            }
        }
        let mut headers = Vec::new();
        // Headers that are parts of the same message are not in the body.
        let mut header_parts: Vec<&str> = Vec::new();
        for header in bound.iter().filter(|node| is_soap(**node, "header")) {
            let of =
                header.attribute("message").map_or_else(|| message.clone(), |name| resolve(*header, name));
            let wanted = header.attribute("part").unwrap_or_default();
            let (_, element) =
                self.parts(&of, &place())?.iter().find(|(name, _)| name == wanted).ok_or_else(|| {
                    LearnError::Missing { place: place(), name: format!("the header part {wanted:?}") }
                })?;
            headers.push(named_element(element.as_ref(), wanted, &place())?);
            if of == message {
                header_parts.push(wanted);
            }
        }
        let body = bound.iter().find(|node| is_soap(**node, "body"));
        let listed: Option<Vec<&str>> =
            body.and_then(|body| body.attribute("parts")).map(|parts| parts.split_whitespace().collect());
        let is_in_body = |name: &str| match &listed {
            Some(listed) => listed.contains(&name),
            None => !header_parts.contains(&name),
        };
        let body = parts
            .iter()
            .filter(|(name, _)| is_in_body(name))
            .map(|(name, element)| named_element(element.as_ref(), name, &place()))
            .collect::<Result<_, _>>()?;
        Ok(MessageParts { body, headers })
    }

    fn parts(&self, message: &Name, place: &str) -> Result<&[(String, Option<Name>)], LearnError> {
        let missing =
            || LearnError::Missing { place: place.to_owned(), name: format!("the message {message}") };
        self.messages.get(message).map(Vec::as_slice).ok_or_else(missing)
    }
}

fn named_element(element: Option<&Name>, part: &str, place: &str) -> Result<Name, LearnError> {
    element.cloned().ok_or_else(|| LearnError::Unsupported {
        place: place.to_owned(),
        problem: format!("its part {part:?} has a type, expected an element"),
    })
}

fn parts(message: Node<'_, '_>) -> Vec<(String, Option<Name>)> {
    let parts = message.children().filter(|part| is(*part, WSDL, "part"));
    parts
        .map(|part| {
            let name = part.attribute("name").unwrap_or_default().to_owned();
            (name, part.attribute("element").map(|element| resolve(part, element)))
        })
        .collect()
}

fn is_soap(node: Node<'_, '_>, local: &str) -> bool {
    SOAP.iter().any(|namespace| is(node, namespace, local))
}

/// The action that WS-Addressing gives to the input of an operation.
fn addressing_action(operation: Node<'_, '_>) -> Option<String> {
    let input = operation.children().find(|child| is(*child, WSDL, "input"))?;
    let action = input.attributes().find(|attribute| attribute.name() == "Action")?;
    Some(action.value().to_owned())
}
