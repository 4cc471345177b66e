//! The reader: elements, texts and arrays, above the tokenizer.

use std::borrow::Cow;

use values::{Access, FieldType};

use super::error::{Refusal, cut};
use super::structure::{CarrierKind, ItemKind, Structure};
use crate::carriers::{Actor, Dictionary, Field, Restriction, Text, Texts};
use crate::class::{self, Class, Member};
use crate::namespace;
use crate::profile::{EntryNames, ItemNames, Profiles};
use crate::xml::{Limits, Token, Tokenizer, XmlError, XmlErrorKind};

/// Reads a message. Every method that reads an element is called after its start, and reads to its end.
pub(super) struct Reader<'a, 'p> {
    xml: Tokenizer<'a>,
    profiles: &'p Profiles,
    /// What the message shows of its profile.
    pub(super) structure: Structure<'a, 'p>,
    /// The namespace of the body's element, where it is in no profile: that of another version of the contract.
    other_version: Option<String>,
}

/// The members that have come, bit by bit: of one that comes twice the first one counts, as in every .NET service.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen(u64);

impl Seen {
    /// Whether the member comes for the first time.
    pub(super) fn add(&mut self, member: Member) -> bool {
        let bit = 1 << (member as u32);
        let is_new = self.0 & bit == 0;
        self.0 |= bit;
        is_new
    }

    pub(super) fn has(self, member: Member) -> bool {
        self.0 & (1 << (member as u32)) != 0
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn or(self, other: Self) -> Self {
        Seen(self.0 | other.0)
    }
}

impl<'a, 'p> Reader<'a, 'p> {
    pub(super) fn new(text: &'a str, limits: Limits, profiles: &'p Profiles) -> Self {
        Reader {
            xml: Tokenizer::new(text, limits),
            profiles,
            structure: Structure::default(),
            other_version: None,
        }
    }

    /// Notes the element of the body, which begins here.
    pub(super) fn note_outer(&mut self, local: &'a str) {
        let namespace = self.xml.namespace();
        self.other_version = self.profiles.is_foreign(namespace).then(|| namespace.to_owned());
        self.structure.set_outer(self.profiles, namespace, local);
    }

    /// Notes the element between that of the body and the members, which begins here.
    pub(super) fn note_inner(&mut self, local: &'a str) {
        self.structure.set_inner(self.profiles, self.xml.namespace(), local);
    }

    /// Notes the member that begins here as a SOAP header.
    pub(super) fn note_header(&mut self, member: Member) {
        self.structure.add_header(self.profiles, self.xml.namespace(), member);
    }

    /// Notes the member that begins here.
    pub(super) fn note_member(&mut self, member: Member) {
        self.structure.add_member(self.profiles, self.xml.namespace(), member);
    }

    fn note_carrier_member(&mut self, kind: CarrierKind, member: Member) {
        self.structure.add_carrier_member(self.profiles, kind, self.xml.namespace(), member);
    }

    fn note_item(&mut self, kind: ItemKind, local: &'a str) {
        if !self.structure.has_item(kind) {
            self.structure.add_item(self.profiles, kind, self.xml.namespace(), local);
        }
    }

    /// Whether some profile has the header that begins here.
    pub(super) fn is_known_header(&self, local: &str) -> bool {
        self.profiles.has_header(self.namespace(), local)
    }

    fn next(&mut self) -> Result<Option<Token<'a>>, Refusal> {
        match self.xml.next()? {
            Some(Token::Instruction(target)) => Err(Refusal::Instruction(cut(target))),
            token => Ok(token),
        }
    }

    /// The namespace of the element that begins here.
    pub(super) fn namespace(&self) -> &str {
        self.xml.namespace()
    }

    /// An attribute of the element that begins here.
    pub(super) fn attribute(&self, namespace: &str, local: &str) -> Option<&str> {
        self.xml.attribute(namespace, local)
    }

    /// Whether every .NET service would skip the element that begins here. An element in no namespace is not foreign: some
    /// clients send members so.
    pub(super) fn is_foreign(&self) -> bool {
        let found = self.namespace();
        self.other_version.as_deref() != Some(found) && self.profiles.is_foreign(found)
    }

    /// The root element.
    pub(super) fn root(&mut self) -> Result<&'a str, Refusal> {
        match self.next()? {
            Some(Token::Start(local)) => Ok(local),
            // Before the root the tokenizer gives nothing else.
            _ => Err(Refusal::NoBody),
        }
    }

    /// Reads on to the end of the document, after the root element.
    pub(super) fn finish(&mut self) -> Result<(), Refusal> {
        while self.next()?.is_some() {}
        Ok(())
    }

    /// The next element inside `parent`; `None` at its end.
    pub(super) fn child(&mut self, parent: &str) -> Result<Option<&'a str>, Refusal> {
        loop {
            match self.next()? {
                Some(Token::Start(local)) => return Ok(Some(local)),
                Some(Token::Text(text)) => {
                    let text = text.trim_matches([' ', '\t', '\n', '\r']);
                    if !text.is_empty() {
                        return Err(Refusal::TextAmongElements { element: cut(parent), text: cut(text) });
                    }
                }
                _ => return Ok(None),
            }
        }
    }

    /// The next element inside the current one, whatever text stands before it; `None` at its end.
    pub(super) fn element(&mut self) -> Result<Option<&'a str>, Refusal> {
        loop {
            match self.next()? {
                Some(Token::Start(local)) => return Ok(Some(local)),
                Some(Token::Text(_)) => {}
                _ => return Ok(None),
            }
        }
    }

    /// The next element inside `parent` in a namespace of the contract.
    fn known_child(&mut self, parent: &'static str) -> Result<Option<&'a str>, Refusal> {
        while let Some(local) = self.child(parent)? {
            if !self.is_foreign() {
                return Ok(Some(local));
            }
            self.skip()?;
        }
        Ok(None)
    }

    /// The next member inside an element of this class; unknown ones, and those that come again, are skipped.
    fn member(&mut self, class: &'static Class, seen: &mut Seen) -> Result<Option<Member>, Refusal> {
        while let Some(local) = self.known_child(class.name)? {
            match class.find(local).filter(|&member| seen.add(member)) {
                Some(member) => return Ok(Some(member)),
                None => self.skip()?,
            }
        }
        Ok(None)
    }

    /// Reads over an element, whatever it holds.
    pub(super) fn skip(&mut self) -> Result<(), Refusal> {
        let mut depth = 1;
        while depth > 0 {
            match self.next()? {
                Some(Token::Start(_)) => depth += 1,
                Some(Token::End) | None => depth -= 1,
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Whether the element is null; then it is read over.
    pub(super) fn nil(&mut self) -> Result<bool, Refusal> {
        let nil = self.attribute(namespace::SCHEMA_INSTANCE, "nil");
        let is_nil = nil.is_some_and(|value| matches!(value.trim(), "true" | "1"));
        if is_nil {
            self.skip()?;
        }
        Ok(is_nil)
    }

    pub(super) fn text(&mut self, member: &'static str) -> Result<Text<'a>, Refusal> {
        if self.nil()? {
            return Ok(None);
        }
        let mut text: Cow<'a, str> = Cow::Borrowed("");
        loop {
            match self.next()? {
                Some(Token::Text(piece)) if text.is_empty() => text = piece,
                // Comments cut a text into pieces; together they are one.
                Some(Token::Text(piece)) => {
                    let most = self.xml.limits().text;
                    if text.len() + piece.len() > most {
                        let at = self.xml.position();
                        return Err(XmlError { kind: XmlErrorKind::TextLength(most), at }.into());
                    }
                    text.to_mut().push_str(&piece);
                }
                Some(Token::Start(found)) => {
                    return Err(Refusal::ElementInText { member, found: cut(found) });
                }
                _ => return Ok(Some(text)),
            }
        }
    }

    /// A value that is written as a name or a number; null means .NET's zero value.
    pub(super) fn parsed<T>(
        &mut self,
        member: &'static str,
        zero: T,
        expected: impl Fn() -> String,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, Refusal> {
        let Some(text) = self.text(member)? else { return Ok(zero) };
        parse(text.trim()).ok_or_else(|| Refusal::Value { member, text: cut(&text), expected: expected() })
    }

    pub(super) fn boolean(&mut self, member: &'static str) -> Result<bool, Refusal> {
        let parse = |text: &str| match text {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        };
        self.parsed(member, false, || "true or false".to_owned(), parse)
    }

    /// An array: every child with a name of an item is read by `read`, which gives nothing for null.
    fn array<T>(
        &mut self,
        member: &'static str,
        kind: ItemKind,
        is_item: impl Fn(&ItemNames, &str) -> bool,
        mut read: impl FnMut(&mut Self, &'a str) -> Result<Option<T>, Refusal>,
    ) -> Result<Option<Vec<T>>, Refusal> {
        if self.nil()? {
            return Ok(None);
        }
        let profiles = self.profiles;
        let mut items = Vec::new();
        while let Some(local) = self.known_child(member)? {
            if is_item(&profiles.items, local) {
                self.note_item(kind, local);
                items.extend(read(self, local)?);
            } else {
                self.skip()?;
            }
        }
        Ok(Some(items))
    }

    pub(super) fn texts(&mut self, member: &'static str) -> Result<Option<Texts<'a>>, Refusal> {
        self.array(
            member,
            ItemKind::Text,
            |names, local| has(&names.texts, local),
            |reader, _| reader.text("string").map(Some),
        )
    }

    pub(super) fn dictionary(&mut self, member: &'static str) -> Result<Option<Dictionary<'a>>, Refusal> {
        let all = &self.profiles.items.entries;
        let is_entry = |_: &ItemNames, local: &str| all.iter().any(|names| names.entry == local);
        let entries = self.array(member, ItemKind::Entry, is_entry, |reader, entry| {
            let (mut key, mut value, mut has_value) = (None, None, false);
            let mut first = None;
            while let Some(local) = reader.known_child(member)? {
                let kind = part_of_entry(all, entry, first.get_or_insert(local), local);
                match kind {
                    Some(ItemKind::Key) if key.is_none() => {
                        reader.note_item(ItemKind::Key, local);
                        key = reader.text("Key")?;
                    }
                    Some(ItemKind::Value) if !has_value => {
                        reader.note_item(ItemKind::Value, local);
                        value = reader.text("Value")?;
                        has_value = true;
                    }
                    _ => reader.skip()?,
                }
            }
            let key = key.ok_or(Refusal::NoKey(member))?;
            Ok(Some((key, value)))
        })?;
        Ok(entries.map(|entries| Dictionary { entries }))
    }

    pub(super) fn actor(&mut self) -> Result<Option<Actor<'a>>, Refusal> {
        if self.nil()? {
            return Ok(None);
        }
        let (mut actor, mut seen) = (Actor::default(), Seen::default());
        while let Some(member) = self.member(&class::ACTOR, &mut seen)? {
            self.note_carrier_member(CarrierKind::Actor, member);
            let name = member.name();
            match member {
                Member::ActorType => actor.actor_type = self.text(name)?,
                Member::ErpKey => actor.erp_key = self.text(name)?,
                Member::FieldValues => actor.field_values = self.dictionary(name)?,
                Member::LastModified => actor.last_modified = self.text(name)?,
                Member::ParentActorType => actor.parent_actor_type = self.text(name)?,
                Member::ParentErpKey => actor.parent_erp_key = self.text(name)?,
                _ => self.skip()?,
            }
        }
        self.structure.end_carrier(CarrierKind::Actor);
        Ok(Some(actor))
    }

    pub(super) fn actors(&mut self, member: &'static str) -> Result<Option<Vec<Actor<'a>>>, Refusal> {
        let is_item = |names: &ItemNames, local: &str| has(&names.actors, local);
        self.array(member, ItemKind::Actor, is_item, |reader, _| reader.actor())
    }

    pub(super) fn restrictions(
        &mut self,
        member: &'static str,
    ) -> Result<Option<Vec<Restriction<'a>>>, Refusal> {
        let is_item = |names: &ItemNames, local: &str| has(&names.restrictions, local);
        self.array(member, ItemKind::Restriction, is_item, |reader, _| {
            if reader.nil()? {
                return Ok(None);
            }
            let (mut restriction, mut seen) = (Restriction::default(), Seen::default());
            while let Some(member) = reader.member(&class::RESTRICTION, &mut seen)? {
                reader.note_carrier_member(CarrierKind::Restriction, member);
                let name = member.name();
                match member {
                    Member::FieldKey => restriction.field_key = reader.text(name)?,
                    Member::Operator => restriction.operator = reader.text(name)?,
                    Member::ScalarValue => restriction.scalar_value = reader.text(name)?,
                    Member::Values => restriction.values = reader.texts(name)?,
                    _ => reader.skip()?,
                }
            }
            reader.structure.end_carrier(CarrierKind::Restriction);
            Ok(Some(restriction))
        })
    }

    pub(super) fn fields(&mut self, member: &'static str) -> Result<Option<Vec<Field<'a>>>, Refusal> {
        let is_item = |names: &ItemNames, local: &str| has(&names.fields, local);
        self.array(member, ItemKind::Field, is_item, |reader, _| {
            if reader.nil()? {
                return Ok(None);
            }
            let (mut field, mut seen) = (Field::default(), Seen::default());
            while let Some(member) = reader.member(&class::FIELD, &mut seen)? {
                let name = member.name();
                match member {
                    Member::Access => {
                        let expected = || format!("one of {:?}", Access::ALL);
                        field.access =
                            reader.parsed(name, Access::Normal, expected, |text| text.parse().ok())?;
                    }
                    Member::DefaultValue => field.default_value = reader.text(name)?,
                    Member::DisplayDescription => field.display_description = reader.text(name)?,
                    Member::DisplayName => field.display_name = reader.text(name)?,
                    Member::FieldKey => field.field_key = reader.text(name)?,
                    Member::FieldType => {
                        let expected = || format!("one of {:?}", FieldType::ALL);
                        field.field_type =
                            reader.parsed(name, FieldType::Checkbox, expected, |text| text.parse().ok())?;
                    }
                    Member::ListName => field.list_name = reader.text(name)?,
                    Member::MaxLength => field.max_length = reader.int(name)?,
                    Member::Rank => field.rank = reader.int(name)?,
                    _ => reader.skip()?,
                }
            }
            Ok(Some(field))
        })
    }

    fn int(&mut self, member: &'static str) -> Result<i32, Refusal> {
        self.parsed(member, 0, || "a whole number of 32 bits".to_owned(), |text| text.parse().ok())
    }
}

fn has(names: &[Cow<'static, str>], local: &str) -> bool {
    names.iter().any(|name| name == local)
}

/// Whether an element of an entry is its key or its value. What is the key in one profile may be the value in another: the
/// first element of an entry decides, for every profile has the key first.
fn part_of_entry(all: &[EntryNames], entry: &str, first: &str, local: &str) -> Option<ItemKind> {
    let part = |names: &EntryNames| match local {
        _ if names.key == local => Some(ItemKind::Key),
        _ if names.value == local => Some(ItemKind::Value),
        _ => None,
    };
    // The usual case: all profiles have the same names.
    if let [names] = all {
        return part(names);
    }
    let of_entry = || all.iter().filter(|names| names.entry == entry);
    of_entry().filter(|names| names.key == first).find_map(part).or_else(|| of_entry().find_map(part))
}
