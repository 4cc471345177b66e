//! The frame around the members: envelope, body, the elements of the dialect, namespace declarations.

use std::borrow::Cow;
use std::sync::OnceLock;

use crate::class::{Class, Kind};
use crate::xml::escape::escape_attribute;
use crate::{Dialect, Envelope, Operation, SoapVersion, namespace};

/// The prefixes: `s` SOAP, `i` schema instance, `a` arrays and dictionaries, `p` the members in the `plain` dialect. All
/// are declared once, on the element that holds the members, so a row needs no declaration of its own.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    /// Everything before the first member.
    pub(super) start: Vec<u8>,
    /// Everything after the last member.
    pub(super) end: Vec<u8>,
    /// Before the name of a member: `p:` or nothing.
    pub(super) prefix: &'static str,
    /// The inherited members come first.
    pub(super) inherited_first: bool,
}

const OPERATIONS: usize = Operation::ALL.len();

/// The frames of replies in the contract's own namespaces, as far as they were needed.
static REPLIES: [OnceLock<Frame>; 2 * Dialect::ALL.len() * OPERATIONS] =
    [const { OnceLock::new() }; 2 * Dialect::ALL.len() * OPERATIONS];

impl Frame {
    pub(super) fn of_request(envelope: &Envelope, operation: Operation) -> Self {
        let Some(class) = operation.request() else {
            return Self::without_members(envelope, operation);
        };
        match envelope.dialect {
            Dialect::Message => Self::new(envelope, operation, class, [class.name, ""], None),
            Dialect::MessageByOperation => {
                Self::new(envelope, operation, class, [operation.name(), ""], None)
            }
            _ => Self::new(envelope, operation, class, [operation.name(), ""], Some(["request", ""])),
        }
    }

    /// The frame of a reply; kept, unless its caller speaks another version of the contract.
    pub(super) fn of_reply(envelope: &Envelope, operation: Operation) -> Cow<'static, Self> {
        let make = || Self::make_of_reply(envelope, operation);
        if envelope.namespace != namespace::CONTRACT || envelope.plain_namespace.is_some() {
            return Cow::Owned(make());
        }
        // `as usize` is the place in `SoapVersion`, `Dialect::ALL` and `Operation::ALL`.
        let place = (envelope.soap as usize * Dialect::ALL.len() + envelope.dialect as usize) * OPERATIONS
            + operation as usize;
        Cow::Borrowed(REPLIES[place].get_or_init(make))
    }

    fn make_of_reply(envelope: &Envelope, operation: Operation) -> Self {
        let (class, name) = (operation.reply(), operation.name());
        match envelope.dialect {
            Dialect::Message => Self::new(envelope, operation, class, [class.name, ""], None),
            Dialect::MessageByOperation => Self::new(envelope, operation, class, [name, "Response"], None),
            _ => Self::new(envelope, operation, class, [name, "Response"], Some([name, "Result"])),
        }
    }

    /// `outer` is the body element, `inner` the level below that `data` and `plain` have: each a name in two parts.
    fn new(
        envelope: &Envelope,
        operation: Operation,
        class: &Class,
        outer: [&str; 2],
        inner: Option<[&str; 2]>,
    ) -> Self {
        let mut start = Vec::with_capacity(512);
        start.extend_from_slice(envelope_start(envelope.soap));
        open(&mut start, outer);
        declare(&mut start, "xmlns", &envelope.namespace);
        if let Some(inner) = inner {
            start.push(b'>');
            open(&mut start, inner);
        }
        declare(&mut start, "xmlns:i", namespace::SCHEMA_INSTANCE);
        if has_arrays(class) {
            declare(&mut start, "xmlns:a", namespace::ARRAYS);
        }
        let is_plain = envelope.dialect == Dialect::Plain;
        if is_plain {
            declare(&mut start, "xmlns:p", envelope.member_namespace(operation));
        }
        start.push(b'>');
        let mut end = Vec::with_capacity(128);
        for name in inner.into_iter().chain([outer]) {
            end.extend_from_slice(b"</");
            name.iter().for_each(|part| end.extend_from_slice(part.as_bytes()));
            end.push(b'>');
        }
        end.extend_from_slice(ENVELOPE_END);
        Frame {
            start,
            end,
            prefix: if is_plain { "p:" } else { "" },
            inherited_first: envelope.dialect.inherited_first(),
        }
    }

    /// WSGetConfigData: an empty body in `message`, an empty element otherwise.
    fn without_members(envelope: &Envelope, operation: Operation) -> Self {
        let mut start = envelope_start(envelope.soap).to_vec();
        if envelope.dialect != Dialect::Message {
            open(&mut start, [operation.name(), ""]);
            declare(&mut start, "xmlns", &envelope.namespace);
            start.extend_from_slice(b"/>");
        }
        Frame { start, end: ENVELOPE_END.to_vec(), prefix: "", inherited_first: false }
    }
}

pub(super) const ENVELOPE_END: &[u8] = b"</s:Body></s:Envelope>";

pub(super) const fn envelope_start(soap: SoapVersion) -> &'static [u8] {
    match soap {
        SoapVersion::V11 => br#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>"#,
        SoapVersion::V12 => br#"<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>"#,
    }
}

fn open(out: &mut Vec<u8>, name: [&str; 2]) {
    out.push(b'<');
    name.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
}

fn declare(out: &mut Vec<u8>, attribute: &str, namespace: &str) {
    out.push(b' ');
    out.extend_from_slice(attribute.as_bytes());
    out.extend_from_slice(b"=\"");
    escape_attribute(out, namespace);
    out.push(b'"');
}

fn has_arrays(class: &Class) -> bool {
    class.members(true).any(|member| {
        matches!(
            member.kind(),
            Kind::Texts | Kind::Dictionary | Kind::Actor | Kind::Actors | Kind::Restrictions
        )
    })
}
