//! From the definitions and schemas of a WSDL to a layout.

use std::borrow::Cow;

use super::definitions::{Definitions, MessageParts};
use super::schema::{Content, SchemaMember, Schemas};
use super::{LearnError, Learned, Name, missing, place, unknown};
use crate::class::{self, Class, Kind, Member};
use crate::profile::{
    Accepts, CarrierLayout, Carriers, ElementName, EntryLayout, Layout, MemberLayout, MessageLayout,
    Namespace, OperationLayout, Profile,
};
use crate::{Dialect, MemberOrder, Operation, namespace};
use values::{Access, FieldType, State};

pub(super) fn layout(
    name: &str,
    definitions: &Definitions,
    schemas: &Schemas<'_>,
) -> Result<Learned, LearnError> {
    let mut learner = Learner { schemas, namespaces: Namespaces::default(), carriers: Found::default() };
    learner.namespaces.place(&definitions.namespace);
    let mut operations = Vec::new();
    for described in &definitions.operations {
        let operation = described.operation;
        operations.push(OperationLayout {
            operation,
            action: Cow::Owned(described.action.clone()),
            request: learner.message(operation, "request", operation.request(), &described.request)?,
            reply: learner.message(operation, "reply", Some(operation.reply()), &described.reply)?,
        });
    }
    let carriers = learner.carriers.complete(&mut learner.namespaces);
    let layout = Layout { name: name.to_owned(), namespaces: learner.namespaces.all, operations, carriers };
    let mut unknown = unknown(&layout);
    unknown.extend(definitions.others.iter().map(|name| format!("the operation {name}")));
    Ok(Learned { missing: missing(&layout), layout, unknown })
}

/// The namespaces so far.
#[derive(Debug, Default)]
struct Namespaces {
    all: Vec<Namespace>,
}

impl Namespaces {
    fn place(&mut self, uri: &str) -> usize {
        if let Some(place) = self.all.iter().position(|namespace| namespace.uri == uri) {
            return place;
        }
        let place = self.all.len();
        let prefix = match uri {
            _ if place == 0 => Cow::Borrowed("c"),
            namespace::ARRAYS => Cow::Borrowed("a"),
            _ => Cow::Owned(format!("n{place}")),
        };
        self.all.push(Namespace { prefix, uri: Cow::Owned(uri.to_owned()), accepts: Accepts::Exact });
        place
    }

    fn element(&mut self, name: &Name) -> ElementName {
        ElementName { namespace: self.place(&name.namespace), local: Cow::Owned(name.local.clone()) }
    }
}

/// The carriers, as far as some message has them.
#[derive(Debug, Default)]
struct Found {
    text: Option<ElementName>,
    entry: Option<EntryLayout>,
    actor: Option<CarrierLayout>,
    field: Option<CarrierLayout>,
    restriction: Option<CarrierLayout>,
}

impl Found {
    /// With the built-in form of what no message has.
    fn complete(self, namespaces: &mut Namespaces) -> Carriers {
        let builtin = Profile::builtin(Dialect::Message, MemberOrder::Name).layout();
        let mut element = |element: &ElementName| {
            let uri = &builtin.namespaces[element.namespace].uri;
            // The contract's namespace is the first one here too.
            let namespace = if element.namespace == 0 { 0 } else { namespaces.place(uri) };
            ElementName { namespace, local: element.local.clone() }
        };
        let Carriers { text, entry, actor, field, restriction } = &builtin.carriers;
        let mut carrier = |carrier: &CarrierLayout| CarrierLayout {
            item: element(&carrier.item),
            members: carrier
                .members
                .iter()
                .map(|member| MemberLayout { element: element(&member.element), ..member.clone() })
                .collect(),
        };
        let (actor, field, restriction) = (
            self.actor.unwrap_or_else(|| carrier(actor)),
            self.field.unwrap_or_else(|| carrier(field)),
            self.restriction.unwrap_or_else(|| carrier(restriction)),
        );
        Carriers {
            text: self.text.unwrap_or_else(|| element(text)),
            entry: self.entry.unwrap_or_else(|| EntryLayout {
                entry: element(&entry.entry),
                key: element(&entry.key),
                value: element(&entry.value),
            }),
            actor,
            field,
            restriction,
        }
    }
}

struct Learner<'s, 'd> {
    schemas: &'s Schemas<'d>,
    namespaces: Namespaces,
    carriers: Found,
}

impl<'d> Learner<'_, 'd> {
    fn message(
        &mut self,
        operation: Operation,
        direction: &str,
        class: Option<&'static Class>,
        parts: &MessageParts,
    ) -> Result<MessageLayout, LearnError> {
        let place = place(direction, operation);
        let mut layout = MessageLayout { wrappers: Vec::new(), members: Vec::new(), headers: Vec::new() };
        for header in &parts.headers {
            let member = self.schemas.element(header, &place)?;
            layout.headers.push(self.member(&member, class, &place)?);
        }
        let element = match &parts.body[..] {
            [] => None,
            [element] => Some(self.schemas.element(element, &place)?),
            many => {
                let problem = format!("its body has {} parts, expected one", many.len());
                return Err(LearnError::Unsupported { place, problem });
            }
        };
        if let Some(element) = element {
            let is_member = class.is_some_and(|class| class.find(&element.name.local).is_some());
            let members =
                if is_member { vec![element] } else { self.unwrap(&mut layout, element, class, &place)? };
            for member in &members {
                let member = self.member(member, class, &place)?;
                layout.members.push(member);
            }
        }
        Ok(layout)
    }

    /// Takes the wrapping elements off: one, or two where the first one holds nothing but the second.
    fn unwrap(
        &mut self,
        layout: &mut MessageLayout,
        element: SchemaMember<'d>,
        class: Option<&'static Class>,
        place: &str,
    ) -> Result<Vec<SchemaMember<'d>>, LearnError> {
        let names = |members: &[SchemaMember<'_>]| {
            members.iter().map(|member| member.name.local.clone()).collect::<Vec<_>>().join(", ")
        };
        let is_of_class = |local: &str| class.is_some_and(|class| class.find(local).is_some());
        let is_known = |member: &SchemaMember<'_>| is_of_class(&member.name.local);
        let is_in_header = layout.headers.iter().any(|header| is_of_class(&header.element.local));
        let name = self.namespaces.element(&element.name);
        layout.wrappers.push(name);
        let members = self.schemas.members(&element.content, place)?;
        if members.is_empty() || members.iter().any(is_known) {
            return Ok(members);
        }
        if let [inner] = &members[..]
            && self.schemas.simple(&inner.content, place)?.is_none()
        {
            let inner_members = self.schemas.members(&inner.content, place)?;
            if inner_members.is_empty() || class.is_none() || inner_members.iter().any(is_known) {
                let name = self.namespaces.element(&inner.name);
                layout.wrappers.push(name);
                return Ok(inner_members);
            }
        }
        match class {
            // The operation has no parameter on the contract page.
            None => Ok(members),
            Some(_) if is_in_header => Ok(members),
            Some(class) => Err(LearnError::Unsupported {
                place: place.to_owned(),
                problem: format!(
                    "<{}> has the members {}, expected those of {}",
                    element.name.local,
                    names(&members),
                    class.name
                ),
            }),
        }
    }

    /// A member of a message or a carrier, whose type is checked if the contract page has it.
    fn member(
        &mut self,
        member: &SchemaMember<'d>,
        class: Option<&'static Class>,
        place: &str,
    ) -> Result<MemberLayout, LearnError> {
        let local = &member.name.local;
        if let Some(known) = class.and_then(|class| class.find(local)) {
            self.check(known, member, &format!("{place}: {local}"))?;
        }
        Ok(MemberLayout {
            element: self.namespaces.element(&member.name),
            schema_type: Cow::Owned(member.content.type_name()),
            nillable: member.nillable,
            optional: member.optional,
        })
    }

    fn check(&mut self, known: Member, member: &SchemaMember<'d>, place: &str) -> Result<(), LearnError> {
        let content = &member.content;
        if member.repeated {
            let problem = "it may come more than once, expected an element with the items in it".to_owned();
            return Err(LearnError::Unsupported { place: place.to_owned(), problem });
        }
        let wrong = |expected: &str| LearnError::Unsupported {
            place: place.to_owned(),
            problem: format!("its type is {}, expected {expected}", content.type_name()),
        };
        let simple = self.schemas.simple(content, place)?;
        let names = |names: Vec<&'static str>, what: &str| match &simple {
            Some((_, values)) if values.is_empty() => Ok(()),
            Some((_, values)) => match names.iter().find(|name| !values.iter().any(|value| value == *name)) {
                Some(name) => Err(LearnError::Unsupported {
                    place: place.to_owned(),
                    problem: format!("its values are {}, expected {name} among them", values.join(", ")),
                }),
                None => Ok(()),
            },
            None => Err(wrong(what)),
        };
        match known.kind() {
            Kind::Text if simple.is_some() => Ok(()),
            Kind::Text => Err(wrong("a text")),
            Kind::Boolean => match simple {
                Some((base, _)) if base == "boolean" => Ok(()),
                _ => Err(wrong("boolean")),
            },
            Kind::Int => match simple {
                Some((base, _)) if is_whole_number(&base) => Ok(()),
                _ => Err(wrong("int")),
            },
            Kind::State => names(State::ALL.iter().map(|state| state.as_str()).collect(), "a state"),
            Kind::Access => names(Access::ALL.iter().map(|access| access.as_str()).collect(), "an access"),
            Kind::FieldType => names(FieldType::ALL.iter().map(|of| of.as_str()).collect(), "a field type"),
            Kind::Texts => {
                let item = self.array(content, place)?;
                if self.schemas.simple(&item.content, place)?.is_none() {
                    return Err(wrong("an array of texts"));
                }
                let item = self.namespaces.element(&item.name);
                settle(&mut self.carriers.text, item, place, "arrays of texts")
            }
            Kind::Dictionary => {
                let item = self.array(content, place)?;
                let members = self.schemas.members(&item.content, place)?;
                let [key, value] = &members[..] else { return Err(wrong("a dictionary of keys and values")) };
                for of_entry in [key, value] {
                    if self.schemas.simple(&of_entry.content, place)?.is_none() {
                        return Err(wrong("a dictionary of texts"));
                    }
                }
                if value.name.local.eq_ignore_ascii_case("key") {
                    return Err(LearnError::Unsupported {
                        place: place.to_owned(),
                        problem: format!("an entry has {} before {}", key.name.local, value.name.local)
                            + ", expected the key first",
                    });
                }
                let entry = EntryLayout {
                    entry: self.namespaces.element(&item.name),
                    key: self.namespaces.element(&key.name),
                    value: self.namespaces.element(&value.name),
                };
                settle(&mut self.carriers.entry, entry, place, "dictionaries")
            }
            Kind::Actor => {
                let members = self.carrier(content, &class::ACTOR, place)?;
                let item = self.carriers.actor.as_ref().map_or_else(
                    || ElementName { namespace: 0, local: Cow::Borrowed(class::ACTOR.name) },
                    |actor| actor.item.clone(),
                );
                settle(&mut self.carriers.actor, CarrierLayout { item, members }, place, "actors")
            }
            Kind::Actors => {
                let carrier = self.carrier_array(content, &class::ACTOR, place)?;
                settle(&mut self.carriers.actor, carrier, place, "actors")
            }
            Kind::Fields => {
                let carrier = self.carrier_array(content, &class::FIELD, place)?;
                settle(&mut self.carriers.field, carrier, place, "fields")
            }
            Kind::Restrictions => {
                let carrier = self.carrier_array(content, &class::RESTRICTION, place)?;
                settle(&mut self.carriers.restriction, carrier, place, "restrictions")
            }
        }
    }

    /// The item of an array: a type with one element that may come many times.
    fn array(&self, content: &Content<'d>, place: &str) -> Result<SchemaMember<'d>, LearnError> {
        let mut members = self.schemas.members(content, place)?;
        match (members.pop(), members.len()) {
            (Some(item), 0) if item.repeated => Ok(item),
            _ => Err(LearnError::Unsupported {
                place: place.to_owned(),
                problem: format!("its type is {}, expected an array", content.type_name()),
            }),
        }
    }

    fn carrier_array(
        &mut self,
        content: &Content<'d>,
        class: &'static Class,
        place: &str,
    ) -> Result<CarrierLayout, LearnError> {
        let item = self.array(content, place)?;
        let members = self.carrier(&item.content, class, place)?;
        Ok(CarrierLayout { item: self.namespaces.element(&item.name), members })
    }

    fn carrier(
        &mut self,
        content: &Content<'d>,
        class: &'static Class,
        place: &str,
    ) -> Result<Vec<MemberLayout>, LearnError> {
        let members = self.schemas.members(content, place)?;
        let known = |member: &SchemaMember<'_>| class.find(&member.name.local).is_some();
        if !members.iter().any(known) {
            return Err(LearnError::Unsupported {
                place: place.to_owned(),
                problem: format!("its type {} has no member of {}", content.type_name(), class.name),
            });
        }
        members.iter().map(|member| self.member(member, Some(class), class.name)).collect()
    }
}

/// Keeps the form of a carrier, which is the same in every message.
fn settle<T: PartialEq>(kept: &mut Option<T>, found: T, place: &str, what: &str) -> Result<(), LearnError> {
    match kept {
        Some(kept) if *kept != found => Err(LearnError::Unsupported {
            place: place.to_owned(),
            problem: format!("{what} have another form there than in other messages"),
        }),
        _ => {
            *kept = Some(found);
            Ok(())
        }
    }
}

fn is_whole_number(base: &str) -> bool {
    matches!(
        base,
        "int"
            | "short"
            | "long"
            | "byte"
            | "integer"
            | "unsignedInt"
            | "unsignedShort"
            | "unsignedLong"
            | "unsignedByte"
            | "nonNegativeInteger"
            | "positiveInteger"
    )
}
