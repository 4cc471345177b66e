//! Plans: the fixed bytes of a message, made once from a profile, and the places of its members between them.

use std::borrow::Cow;

use super::{CarrierLayout, Carriers, Direction, ElementName, EntryLayout, Layout, MemberLayout, Profile};
use crate::class::{Kind, Member};
use crate::xml::escape::escape_attribute;
use crate::{Operation, SoapVersion, namespace};

/// A message: bytes that are always the same, and members.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) parts: Vec<Part>,
}

/// A part of a message or of a carrier.
#[derive(Debug, Clone)]
pub(crate) enum Part {
    Bytes(Vec<u8>),
    Member(Member, Tags),
}

/// What stands around a value, or in its place.
#[derive(Debug, Clone)]
pub(crate) struct Tags {
    pub(crate) open: Vec<u8>,
    pub(crate) close: Vec<u8>,
    /// For a null value. Nothing, where the member has to be absent then.
    pub(crate) null: Vec<u8>,
}

/// How values that are no simple types are written.
#[derive(Debug, Clone)]
pub(crate) struct CarrierPlans {
    pub(crate) text: Tags,
    pub(crate) entry: EntryPlan,
    pub(crate) actor: CarrierPlan,
    pub(crate) field: CarrierPlan,
    pub(crate) restriction: CarrierPlan,
}

/// An entry of a dictionary.
#[derive(Debug, Clone)]
pub(crate) struct EntryPlan {
    /// Before the key.
    pub(crate) start: Vec<u8>,
    /// Between key and value.
    pub(crate) middle: Vec<u8>,
    /// After the value.
    pub(crate) end: Vec<u8>,
    /// Between the value and the key of the next entry.
    pub(crate) end_and_start: Vec<u8>,
    /// After the key of an entry without a value.
    pub(crate) null_end: Vec<u8>,
}

/// A carrier.
#[derive(Debug, Clone)]
pub(crate) struct CarrierPlan {
    /// Around an item of an array.
    pub(crate) item: Tags,
    pub(crate) parts: Vec<Part>,
}

impl Plan {
    /// `found`: the namespaces that a request has instead of those of the profile.
    pub(crate) fn new(
        profile: &Profile,
        soap: SoapVersion,
        operation: Operation,
        direction: Direction,
        found: &[(usize, Cow<'static, str>)],
    ) -> Self {
        let layout = profile.layout();
        let prefixes = Prefixes { layout, found };
        let mut plan = Plan { parts: Vec::new() };
        plan.bytes(envelope_start(soap));
        let Some(message) = profile.message(operation, direction) else {
            plan.bytes(BODY_START);
            plan.bytes(ENVELOPE_END);
            return plan;
        };
        if !message.headers.is_empty() {
            plan.bytes(b"<s:Header>");
            for member in &message.headers {
                let mut used = Used::new(layout);
                used.member(member);
                plan.parts.push(prefixes.member(member, &prefixes.declarations(&used)));
            }
            plan.bytes(b"</s:Header>");
        }
        let mut used = Used::new(layout);
        message.wrappers.iter().for_each(|wrapper| used.element(wrapper));
        message.members.iter().for_each(|member| used.member(member));
        let mut declarations = prefixes.declarations(&used);
        if message.wrappers.is_empty() && !message.members.is_empty() {
            plan.bytes(&[b"<s:Body", &declarations[..], b">"].concat());
        } else {
            plan.bytes(BODY_START);
        }
        for wrapper in &message.wrappers {
            plan.bytes(&prefixes.open(wrapper, &declarations));
            declarations.clear();
        }
        for member in &message.members {
            plan.parts.push(prefixes.member(member, &[]));
        }
        for wrapper in message.wrappers.iter().rev() {
            plan.bytes(&prefixes.close(wrapper));
        }
        plan.bytes(ENVELOPE_END);
        plan.parts = joined(plan.parts);
        plan
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.parts.push(Part::Bytes(bytes.to_vec()));
    }

    /// The parts before a member, its tags, and the parts after it; `None` when the message does not have it.
    pub(crate) fn around(&self, wanted: Member) -> Option<(&[Part], &Tags, &[Part])> {
        let at = |part: &Part| matches!(part, Part::Member(member, _) if *member == wanted);
        let place = self.parts.iter().position(at)?;
        match &self.parts[place] {
            Part::Member(_, tags) => Some((&self.parts[..place], tags, &self.parts[place + 1..])),
            Part::Bytes(_) => None,
        }
    }
}

impl CarrierPlans {
    pub(crate) fn new(layout: &Layout) -> Self {
        let prefixes = Prefixes { layout, found: &[] };
        let Carriers { text, entry: EntryLayout { entry, key, value }, actor, field, restriction } =
            &layout.carriers;
        let (open, close) =
            (|name: &ElementName| prefixes.open(name, &[]), |name: &ElementName| prefixes.close(name));
        let carrier = |layout: &CarrierLayout| CarrierPlan {
            item: prefixes.item(&layout.item),
            parts: joined(layout.members.iter().map(|member| prefixes.member(member, &[])).collect()),
        };
        CarrierPlans {
            text: prefixes.item(text),
            entry: EntryPlan {
                start: [open(entry), open(key)].concat(),
                middle: [close(key), open(value)].concat(),
                end: [close(value), close(entry)].concat(),
                end_and_start: [close(value), close(entry), open(entry), open(key)].concat(),
                null_end: [close(key), prefixes.nil(value, &[]), close(entry)].concat(),
            },
            actor: carrier(actor),
            field: carrier(field),
            restriction: carrier(restriction),
        }
    }
}

/// Bytes beside bytes become one part.
fn joined(parts: Vec<Part>) -> Vec<Part> {
    let mut out: Vec<Part> = Vec::with_capacity(parts.len());
    for part in parts {
        match (out.last_mut(), part) {
            (Some(Part::Bytes(last)), Part::Bytes(bytes)) => last.extend(bytes),
            (_, part) => out.push(part),
        }
    }
    out
}

/// Names of elements with their prefixes. The contract's namespace is the default one, unless some element is in none.
struct Prefixes<'l> {
    layout: &'l Layout,
    found: &'l [(usize, Cow<'static, str>)],
}

impl Prefixes<'_> {
    fn prefix(&self, namespace: usize) -> &str {
        let namespaces = &self.layout.namespaces;
        let is_default = namespace == 0 && !namespaces.iter().any(|namespace| namespace.uri.is_empty());
        if is_default || namespaces[namespace].uri.is_empty() { "" } else { &namespaces[namespace].prefix }
    }

    fn uri(&self, namespace: usize) -> &str {
        let found = self.found.iter().find(|(place, _)| *place == namespace);
        found.map_or(&self.layout.namespaces[namespace].uri, |(_, uri)| uri)
    }

    /// `p:Name`
    fn name(&self, element: &ElementName) -> String {
        match self.prefix(element.namespace) {
            "" => element.local.to_string(),
            prefix => format!("{prefix}:{}", element.local),
        }
    }

    fn open(&self, element: &ElementName, declarations: &[u8]) -> Vec<u8> {
        [b"<", self.name(element).as_bytes(), declarations, b">"].concat()
    }

    fn close(&self, element: &ElementName) -> Vec<u8> {
        [b"</", self.name(element).as_bytes(), b">"].concat()
    }

    fn nil(&self, element: &ElementName, declarations: &[u8]) -> Vec<u8> {
        [b"<", self.name(element).as_bytes(), declarations, br#" i:nil="true"/>"#].concat()
    }

    /// An item of an array, which is never absent.
    fn item(&self, element: &ElementName) -> Tags {
        Tags { open: self.open(element, &[]), close: self.close(element), null: self.nil(element, &[]) }
    }

    fn member(&self, layout: &MemberLayout, declarations: &[u8]) -> Part {
        let (open, close) = (self.open(&layout.element, declarations), self.close(&layout.element));
        let null = match layout {
            MemberLayout { nillable: true, .. } => self.nil(&layout.element, declarations),
            MemberLayout { optional: true, .. } => Vec::new(),
            // It must be there, and may not be null.
            _ => [&open[..], zero(&layout.schema_type), &close].concat(),
        };
        match layout.member() {
            Some(member) => Part::Member(member, Tags { open, close, null }),
            None => Part::Bytes(null),
        }
    }

    fn declarations(&self, used: &Used<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        let mut declare = |prefix: &str, uri: &str| {
            out.extend_from_slice(if prefix.is_empty() { b" xmlns" } else { b" xmlns:" });
            out.extend_from_slice(prefix.as_bytes());
            out.extend_from_slice(b"=\"");
            escape_attribute(&mut out, uri);
            out.push(b'"');
        };
        let mut is_null_declared = !used.has_members;
        for (namespace, _) in used.namespaces.iter().enumerate().filter(|(_, is_used)| **is_used) {
            let prefix = self.prefix(namespace);
            // After the default namespace: the order that WCF has.
            if !prefix.is_empty() && !is_null_declared {
                declare("i", namespace::SCHEMA_INSTANCE);
                is_null_declared = true;
            }
            if !self.uri(namespace).is_empty() {
                declare(prefix, self.uri(namespace));
            }
        }
        if !is_null_declared {
            declare("i", namespace::SCHEMA_INSTANCE);
        }
        out
    }
}

/// The namespaces that some part of a message uses.
struct Used<'l> {
    layout: &'l Layout,
    namespaces: Vec<bool>,
    has_members: bool,
}

impl<'l> Used<'l> {
    fn new(layout: &'l Layout) -> Self {
        Used { layout, namespaces: vec![false; layout.namespaces.len()], has_members: false }
    }

    fn element(&mut self, element: &ElementName) {
        self.namespaces[element.namespace] = true;
    }

    fn member(&mut self, member: &MemberLayout) {
        self.has_members = true;
        self.element(&member.element);
        let Carriers { text, entry, actor, field, restriction } = &self.layout.carriers;
        match member.member().map(Member::kind) {
            Some(Kind::Texts) => self.element(text),
            Some(Kind::Dictionary) => {
                [&entry.entry, &entry.key, &entry.value]
                    .into_iter()
                    .for_each(|element| self.element(element));
            }
            Some(Kind::Actor | Kind::Actors) => self.carrier(actor),
            Some(Kind::Fields) => self.carrier(field),
            Some(Kind::Restrictions) => self.carrier(restriction),
            _ => {}
        }
    }

    fn carrier(&mut self, carrier: &'l CarrierLayout) {
        self.element(&carrier.item);
        carrier.members.iter().for_each(|member| self.member(member));
    }
}

/// The value of a member that must be there, may not be null, and that the contract page does not have.
fn zero(schema_type: &str) -> &'static [u8] {
    match schema_type {
        "boolean" => b"false",
        "byte" | "short" | "int" | "long" | "unsignedByte" | "unsignedShort" | "unsignedInt"
        | "unsignedLong" | "decimal" | "float" | "double" => b"0",
        "dateTime" => b"0001-01-01T00:00:00",
        _ => b"",
    }
}

pub(crate) const BODY_START: &[u8] = b"<s:Body>";
pub(crate) const ENVELOPE_END: &[u8] = b"</s:Body></s:Envelope>";

/// The start of the envelope, before header and body.
pub(crate) const fn envelope_start(soap: SoapVersion) -> &'static [u8] {
    match soap {
        SoapVersion::V11 => br#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">"#,
        SoapVersion::V12 => br#"<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope">"#,
    }
}
