//! Strict check of a reply: what a WCF client would lose of it. [`crate::read_reply`] is lenient, a WCF client is not: it
//! drops members that come out of order or in another namespace, without an error (contract page, section 3).

use super::envelope;
use super::error::Refusal;
use super::reader::Reader;
use crate::class::{self, Class, Kind, Member};
use crate::xml::Limits;
use crate::{Dialect, Envelope, Operation, SoapVersion, namespace};
use values::{Access, FieldType, State};

/// Something that a WCF client loses, or fails at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// What kind.
    pub kind: LossKind,
    /// What was found, where, and what was expected.
    pub text: String,
}

/// The kinds of losses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LossKind {
    /// Byte order marks, headers: what stands around the body.
    Envelope,
    /// The body is not wrapped as the client's dialect has it: everything is lost.
    Wrapping,
    /// An element in another namespace.
    Namespace,
    /// A member after one that it should stand before.
    Order,
    /// A member that comes twice.
    Twice,
    /// A member that must be there.
    Missing,
    /// A value that is not one of its type.
    Value,
}

/// Looks for what a WCF client of this envelope would lose of a reply. An answer that is no reply (a fault, broken XML)
/// loses nothing here: it is an error of [`crate::read_reply`].
pub fn losses(body: &[u8], operation: Operation, client: &Envelope) -> Vec<Loss> {
    let mut losses = Losses { found: Vec::new() };
    if body.starts_with(b"\xEF\xBB\xBF") {
        losses.add(LossKind::Envelope, "the reply begins with a byte order mark".to_owned());
    }
    // An error ends the search; what was found until then counts.
    let _ = losses.check(body, operation, client);
    losses.found
}

struct Losses {
    found: Vec<Loss>,
}

impl Losses {
    fn add(&mut self, kind: LossKind, text: String) {
        // Many rows may have the same fault.
        if self.found.len() < 20 {
            self.found.push(Loss { kind, text });
        }
    }

    fn check(&mut self, body: &[u8], operation: Operation, client: &Envelope) -> Result<(), Refusal> {
        let mut reader = Reader::new(envelope::text(body)?, Limits::REPLY);
        let root = reader.root()?;
        if root != "Envelope" {
            return Err(Refusal::NotSoap(root.to_owned()));
        }
        let soap = match reader.namespace() {
            namespace::SOAP_12 => SoapVersion::V12,
            _ => SoapVersion::V11,
        };
        if soap != client.soap {
            self.add(
                LossKind::Envelope,
                format!("the reply is in {soap:?} of SOAP, expected {:?}", client.soap),
            );
        }
        while let Some(local) = reader.child("Envelope")? {
            match local {
                "Header" => self.headers(&mut reader, soap)?,
                "Body" => {
                    if let Some(element) = reader.child("Body")? {
                        self.body(&mut reader, element, operation, client)?;
                    }
                    return Ok(());
                }
                _ => reader.skip()?,
            }
        }
        Ok(())
    }

    fn headers(&mut self, reader: &mut Reader<'_>, soap: SoapVersion) -> Result<(), Refusal> {
        while let Some(local) = reader.child("Header")? {
            let must = reader.attribute(soap.namespace(), "mustUnderstand").map(str::trim);
            if matches!(must, Some("1" | "true")) {
                self.add(LossKind::Envelope, format!("the header <{local}> says mustUnderstand"));
            }
            if local == "Action" {
                self.add(LossKind::Envelope, "the reply has an Action header".to_owned());
            }
            reader.skip()?;
        }
        Ok(())
    }

    fn body(
        &mut self,
        reader: &mut Reader<'_>,
        element: &str,
        operation: Operation,
        client: &Envelope,
    ) -> Result<(), Refusal> {
        if element == "Fault" && reader.namespace() == client.soap.namespace() {
            return Ok(());
        }
        let class = operation.reply();
        let expected = match client.dialect {
            Dialect::Message => class.name.to_owned(),
            _ => format!("{operation}Response"),
        };
        if !self.is_wrapped(reader, element, &expected, &client.namespace) {
            return Ok(());
        }
        if client.dialect.inherited_first() {
            let result = format!("{operation}Result");
            let Some(inner) = reader.child(element)? else {
                self.add(LossKind::Wrapping, format!("<{element}> is empty, expected <{result}> in it"));
                return Ok(());
            };
            if !self.is_wrapped(reader, inner, &result, &client.namespace) {
                return Ok(());
            }
        }
        let members = client.member_namespace(operation).to_owned();
        let order: Vec<Member> = class.members(client.dialect.inherited_first()).collect();
        let came = self.members(reader, class.name, &order, &members, &client.namespace)?;
        for needed in [Member::IsOk, Member::State, Member::Succeeded] {
            if class.find(needed.name()).is_some() && !came.contains(&needed) {
                self.add(LossKind::Missing, format!("{} has no {}", class.name, needed.name()));
            }
        }
        Ok(())
    }

    fn is_wrapped(&mut self, reader: &Reader<'_>, element: &str, expected: &str, namespace: &str) -> bool {
        let found = reader.namespace();
        let is_so = element == expected && found == namespace;
        if !is_so {
            let text =
                format!("the reply is in <{element}> of {found:?}, expected <{expected}> of {namespace:?}");
            self.add(LossKind::Wrapping, text);
        }
        is_so
    }

    /// Looks at the members of an element, to its end; gives those that a client reads.
    fn members(
        &mut self,
        reader: &mut Reader<'_>,
        parent: &'static str,
        order: &[Member],
        namespace: &str,
        contract: &str,
    ) -> Result<Vec<Member>, Refusal> {
        let mut came: Vec<Member> = Vec::new();
        let mut last: Option<usize> = None;
        while let Some(local) = reader.child(parent)? {
            let Some(place) = order.iter().position(|member| member.name() == local) else {
                // Unknown elements are skipped by every client.
                reader.skip()?;
                continue;
            };
            if reader.namespace() != namespace {
                let found = reader.namespace();
                let text = format!("{parent}: {local} is in the namespace {found:?}, expected {namespace:?}");
                self.add(LossKind::Namespace, text);
                reader.skip()?;
                continue;
            }
            let member = order[place];
            match last.map(|last| (last, place.cmp(&last))) {
                Some((_, std::cmp::Ordering::Equal)) => {
                    self.add(LossKind::Twice, format!("{parent}: {local} comes twice"));
                }
                Some((last, std::cmp::Ordering::Less)) => {
                    let text =
                        format!("{parent}: {local} comes after {}, expected before it", order[last].name());
                    self.add(LossKind::Order, text);
                }
                _ => {
                    last = Some(place);
                    came.push(member);
                }
            }
            self.value(reader, member, contract)?;
        }
        Ok(came)
    }

    /// Looks at what a member holds, to its end.
    fn value(&mut self, reader: &mut Reader<'_>, member: Member, contract: &str) -> Result<(), Refusal> {
        let name = member.name();
        match member.kind() {
            Kind::Text => reader.text(name).map(drop),
            Kind::Boolean => self.parsed(reader, member, |text| matches!(text, "true" | "false" | "1" | "0")),
            Kind::Int => self.parsed(reader, member, |text| text.parse::<i32>().is_ok()),
            Kind::State => self.parsed(reader, member, |text| text.parse::<State>().is_ok()),
            Kind::Access => self.parsed(reader, member, |text| text.parse::<Access>().is_ok()),
            Kind::FieldType => self.parsed(reader, member, |text| text.parse::<FieldType>().is_ok()),
            Kind::Texts => self.items(reader, name, "string", namespace::ARRAYS, |_, reader| {
                reader.text("string").map(drop)
            }),
            Kind::Dictionary => {
                const ENTRY: &str = "KeyValueOfstringstring";
                self.items(reader, name, ENTRY, namespace::ARRAYS, Self::entry)
            }
            Kind::Actor if reader.nil()? => Ok(()),
            Kind::Actor => self.carrier(reader, &class::ACTOR, contract),
            Kind::Actors => self.carriers(reader, name, &class::ACTOR, contract),
            Kind::Fields => self.carriers(reader, name, &class::FIELD, contract),
            Kind::Restrictions => self.carriers(reader, name, &class::RESTRICTION, contract),
        }
    }

    fn parsed(
        &mut self,
        reader: &mut Reader<'_>,
        member: Member,
        is_one: impl Fn(&str) -> bool,
    ) -> Result<(), Refusal> {
        match reader.text(member.name())? {
            Some(text) if is_one(text.trim()) => {}
            // None of these types can be null.
            other => {
                let kind = member.kind();
                self.add(LossKind::Value, format!("{} holds {other:?}, which is no {kind:?}", member.name()));
            }
        }
        Ok(())
    }

    fn carriers(
        &mut self,
        reader: &mut Reader<'_>,
        name: &'static str,
        class: &'static Class,
        contract: &str,
    ) -> Result<(), Refusal> {
        self.items(reader, name, class.name, contract, |losses, reader| {
            if reader.nil()? { Ok(()) } else { losses.carrier(reader, class, contract) }
        })
    }

    fn carrier(
        &mut self,
        reader: &mut Reader<'_>,
        class: &'static Class,
        contract: &str,
    ) -> Result<(), Refusal> {
        let order: Vec<Member> = class.members(true).collect();
        self.members(reader, class.name, &order, contract, contract).map(drop)
    }

    /// Looks at the items of an array.
    fn items<'a>(
        &mut self,
        reader: &mut Reader<'a>,
        name: &'static str,
        item: &'static str,
        namespace: &str,
        mut look: impl FnMut(&mut Self, &mut Reader<'a>) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        if reader.nil()? {
            return Ok(());
        }
        while let Some(local) = reader.child(name)? {
            let found = reader.namespace();
            if local != item || found != namespace {
                let text = format!("{name}: <{local}> of {found:?}, expected <{item}> of {namespace:?}");
                self.add(LossKind::Namespace, text);
                reader.skip()?;
            } else {
                look(self, reader)?;
            }
        }
        Ok(())
    }

    /// An entry of a dictionary: a key, then a value, both always there.
    fn entry(&mut self, reader: &mut Reader<'_>) -> Result<(), Refusal> {
        const ENTRY: &str = "KeyValueOfstringstring";
        let mut came = Vec::new();
        while let Some(local) = reader.child(ENTRY)? {
            if matches!(local, "Key" | "Value") && reader.namespace() != namespace::ARRAYS {
                let found = reader.namespace();
                self.add(LossKind::Namespace, format!("{ENTRY}: {local} is in the namespace {found:?}"));
                reader.skip()?;
                continue;
            }
            came.push(local);
            reader.skip()?;
        }
        if came != ["Key", "Value"] {
            let text = format!("{ENTRY} holds {came:?}, expected a Key and then a Value");
            self.add(LossKind::Order, text);
        }
        Ok(())
    }
}
