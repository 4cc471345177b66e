//! Strict check of a reply: what a WCF client would lose of it. [`crate::read_reply`] is lenient, a WCF client is not: it
//! drops members that come out of order or in another namespace, without an error (contract page, section 3).

use super::envelope;
use super::error::Refusal;
use super::reader::Reader;
use crate::class::{Kind, Member};
use crate::profile::{CarrierLayout, Carriers, Direction, ElementName, MemberLayout, Profiles};
use crate::xml::Limits;
use crate::{Envelope, Operation, SoapVersion, namespace};
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
    /// The body is not wrapped as the client's profile has it: everything is lost.
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
    let mut losses = Losses { found: Vec::new(), client, operation };
    if body.starts_with(b"\xEF\xBB\xBF") {
        losses.add(LossKind::Envelope, "the reply begins with a byte order mark".to_owned());
    }
    // An error ends the search; what was found until then counts.
    let _ = losses.check(body);
    losses.found
}

struct Losses<'c> {
    found: Vec<Loss>,
    client: &'c Envelope,
    operation: Operation,
}

impl<'c> Losses<'c> {
    fn add(&mut self, kind: LossKind, text: String) {
        // Many rows may have the same fault.
        if self.found.len() < 20 {
            self.found.push(Loss { kind, text });
        }
    }

    fn check(&mut self, body: &[u8]) -> Result<(), Refusal> {
        let mut reader = Reader::new(envelope::text(body)?, Limits::REPLY, Profiles::builtin());
        let root = reader.root()?;
        if root != "Envelope" {
            return Err(Refusal::NotSoap(root.to_owned()));
        }
        let soap = match reader.namespace() {
            namespace::SOAP_12 => SoapVersion::V12,
            _ => SoapVersion::V11,
        };
        if soap != self.client.soap {
            let text = format!("the reply is in {soap:?} of SOAP, expected {:?}", self.client.soap);
            self.add(LossKind::Envelope, text);
        }
        while let Some(local) = reader.child("Envelope")? {
            match local {
                "Header" => self.headers(&mut reader, soap)?,
                "Body" => {
                    if let Some(element) = reader.child("Body")? {
                        self.body(&mut reader, element)?;
                    }
                    return Ok(());
                }
                _ => reader.skip()?,
            }
        }
        Ok(())
    }

    fn headers(&mut self, reader: &mut Reader<'_, '_>, soap: SoapVersion) -> Result<(), Refusal> {
        let message = self.client.profile().message(self.operation, Direction::Reply);
        while let Some(local) = reader.child("Header")? {
            let must = reader.attribute(soap.namespace(), "mustUnderstand").map(str::trim);
            if matches!(must, Some("1" | "true")) {
                self.add(LossKind::Envelope, format!("the header <{local}> says mustUnderstand"));
            }
            if local == "Action" {
                self.add(LossKind::Envelope, "the reply has an Action header".to_owned());
            }
            let expected = message
                .and_then(|message| message.headers.iter().find(|member| member.element.local == local));
            match expected {
                Some(member) if self.is_in_namespace(reader, &member.element, "Header") => {
                    self.value(reader, member)?
                }
                _ => reader.skip()?,
            }
        }
        Ok(())
    }

    fn body(&mut self, reader: &mut Reader<'_, '_>, element: &str) -> Result<(), Refusal> {
        if element == "Fault" && reader.namespace() == self.client.soap.namespace() {
            return Ok(());
        }
        let Some(message) = self.client.profile().message(self.operation, Direction::Reply) else {
            return Ok(());
        };
        let class = self.operation.reply().name;
        let mut parent = element.to_owned();
        for (at, wrapper) in message.wrappers.iter().enumerate() {
            if at > 0 {
                let Some(inner) = reader.child(&parent)? else {
                    let text = format!("<{parent}> is empty, expected <{}> in it", wrapper.local);
                    self.add(LossKind::Wrapping, text);
                    return Ok(());
                };
                inner.clone_into(&mut parent);
            }
            if !self.is_wrapped(reader, &parent, wrapper) {
                return Ok(());
            }
        }
        if message.wrappers.is_empty() {
            return match message.members.first() {
                Some(member) if self.is_wrapped(reader, element, &member.element) => {
                    self.value(reader, member)
                }
                _ => Ok(()),
            };
        }
        let came = self.members(reader, class, &parent, &message.members)?;
        for needed in [Member::IsOk, Member::State, Member::Succeeded] {
            let is_expected = message.members.iter().any(|layout| layout.member() == Some(needed));
            if is_expected && !came.contains(&needed) {
                self.add(LossKind::Missing, format!("{class} has no {}", needed.name()));
            }
        }
        Ok(())
    }

    fn is_wrapped(&mut self, reader: &Reader<'_, '_>, element: &str, expected: &ElementName) -> bool {
        let (found, namespace) = (reader.namespace(), self.client.namespace(expected.namespace));
        let is_so = element == expected.local && found == namespace;
        if !is_so {
            let local = &expected.local;
            let text =
                format!("the reply is in <{element}> of {found:?}, expected <{local}> of {namespace:?}");
            self.add(LossKind::Wrapping, text);
        }
        is_so
    }

    fn is_in_namespace(&mut self, reader: &Reader<'_, '_>, expected: &ElementName, parent: &str) -> bool {
        let (found, namespace) = (reader.namespace(), self.client.namespace(expected.namespace));
        if found != namespace {
            let text =
                format!("{parent}: {} is in the namespace {found:?}, expected {namespace:?}", expected.local);
            self.add(LossKind::Namespace, text);
        }
        found == namespace
    }

    /// Looks at the members of an element, to its end; gives those that a client reads. `name` is that of the class.
    fn members(
        &mut self,
        reader: &mut Reader<'_, '_>,
        name: &str,
        parent: &str,
        order: &'c [MemberLayout],
    ) -> Result<Vec<Member>, Refusal> {
        let mut came: Vec<Member> = Vec::new();
        let mut last: Option<usize> = None;
        while let Some(local) = reader.child(parent)? {
            let Some(place) = order.iter().position(|member| member.element.local == local) else {
                // Unknown elements are skipped by every client.
                reader.skip()?;
                continue;
            };
            if !self.is_in_namespace(reader, &order[place].element, name) {
                reader.skip()?;
                continue;
            }
            match last.map(|last| (last, place.cmp(&last))) {
                Some((_, std::cmp::Ordering::Equal)) => {
                    self.add(LossKind::Twice, format!("{name}: {local} comes twice"));
                }
                Some((last, std::cmp::Ordering::Less)) => {
                    let after = &order[last].element.local;
                    self.add(
                        LossKind::Order,
                        format!("{name}: {local} comes after {after}, expected before it"),
                    );
                }
                _ => {
                    last = Some(place);
                    came.extend(order[place].member());
                }
            }
            self.value(reader, &order[place])?;
        }
        Ok(came)
    }

    /// Looks at what a member holds, to its end.
    fn value(&mut self, reader: &mut Reader<'_, '_>, layout: &MemberLayout) -> Result<(), Refusal> {
        let Some(member) = layout.member() else { return reader.skip() };
        let name = member.name();
        let Carriers { text, entry, actor, field, restriction } = &self.client.profile().layout().carriers;
        match member.kind() {
            Kind::Text => reader.text(name).map(drop),
            Kind::Boolean => self.parsed(reader, member, |text| matches!(text, "true" | "false" | "1" | "0")),
            Kind::Int => self.parsed(reader, member, |text| text.parse::<i32>().is_ok()),
            Kind::State => self.parsed(reader, member, |text| text.parse::<State>().is_ok()),
            Kind::Access => self.parsed(reader, member, |text| text.parse::<Access>().is_ok()),
            Kind::FieldType => self.parsed(reader, member, |text| text.parse::<FieldType>().is_ok()),
            Kind::Texts => self.items(reader, name, text, |_, reader| reader.text("string").map(drop)),
            Kind::Dictionary => self.items(reader, name, &entry.entry, Self::entry),
            Kind::Actor if reader.nil()? => Ok(()),
            Kind::Actor => self.carrier(reader, name, actor),
            Kind::Actors => self.carriers(reader, name, actor),
            Kind::Fields => self.carriers(reader, name, field),
            Kind::Restrictions => self.carriers(reader, name, restriction),
        }
    }

    fn parsed(
        &mut self,
        reader: &mut Reader<'_, '_>,
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
        reader: &mut Reader<'_, '_>,
        name: &'static str,
        carrier: &'c CarrierLayout,
    ) -> Result<(), Refusal> {
        self.items(reader, name, &carrier.item, |losses, reader| {
            if reader.nil()? { Ok(()) } else { losses.carrier(reader, &carrier.item.local, carrier) }
        })
    }

    fn carrier(
        &mut self,
        reader: &mut Reader<'_, '_>,
        parent: &str,
        carrier: &'c CarrierLayout,
    ) -> Result<(), Refusal> {
        self.members(reader, &carrier.item.local, parent, &carrier.members).map(drop)
    }

    /// Looks at the items of an array.
    fn items<'a, 'p>(
        &mut self,
        reader: &mut Reader<'a, 'p>,
        name: &'static str,
        item: &ElementName,
        mut look: impl FnMut(&mut Self, &mut Reader<'a, 'p>) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        if reader.nil()? {
            return Ok(());
        }
        while let Some(local) = reader.child(name)? {
            let (found, namespace) = (reader.namespace(), self.client.namespace(item.namespace));
            if local != item.local || found != namespace {
                let expected = &item.local;
                let text = format!("{name}: <{local}> of {found:?}, expected <{expected}> of {namespace:?}");
                self.add(LossKind::Namespace, text);
                reader.skip()?;
            } else {
                look(self, reader)?;
            }
        }
        Ok(())
    }

    /// An entry of a dictionary: a key, then a value, both always there.
    fn entry(&mut self, reader: &mut Reader<'_, '_>) -> Result<(), Refusal> {
        let layout = &self.client.profile().layout().carriers.entry;
        let entry = &layout.entry.local;
        let mut came = Vec::new();
        while let Some(local) = reader.child(entry)? {
            let expected = [&layout.key, &layout.value].into_iter().find(|name| name.local == local);
            if expected.is_none_or(|expected| self.is_in_namespace(reader, expected, entry)) {
                came.push(local);
            }
            reader.skip()?;
        }
        if came != [&layout.key.local, &layout.value.local] {
            let text = format!(
                "{entry} holds {came:?}, expected a {} and then a {}",
                layout.key.local, layout.value.local
            );
            self.add(LossKind::Order, text);
        }
        Ok(())
    }
}
