//! Random edits in the CRM and by the ERP user. The seed decides all of them.

use std::collections::BTreeMap;

use values::{Access, DateTime, FieldType, Value, actor_type};

use super::actor::{Change, ErpActor, shown_fields};
use super::actor_type::SyncField;
use super::connection::{ERP_USER, SimulatedConnection};
use super::connection_client::ConnectionClient;
use super::crm::{Card, Event};
use super::equality::is_equal;
use super::error::SimulateError;
use super::mapping;
use super::progress::Verbosity;
use super::statistics::Counter;
use super::write::Created;

const WORDS: [&str; 12] = [
    "Fjord",
    "Møbler",
    "Nordlys",
    "Ærlig",
    "Kaffe",
    "Łódź",
    "東京",
    "O'Brien",
    "R&D",
    "\"Best\"",
    "<Gruppen>",
    "Ελιά",
];

/// One of this many edits creates an actor.
const NEW_ONE_IN: usize = 6;
/// One of this many edits of the ERP user is in a field that the CRM has just edited.
const CONFLICT_ONE_IN: usize = 4;
/// One of this many edits of a text empties it.
const EMPTY_ONE_IN: usize = 12;

/// A field of an actor: index of the actor type, key of the actor, key of the field.
type FieldOfActor = (usize, String, String);

impl SimulatedConnection {
    /// The edits of a round, on both sides.
    pub(super) async fn edit(&mut self) -> Result<(), SimulateError> {
        let mut edited: Vec<FieldOfActor> = Vec::new();
        for _ in 0..self.options.edits {
            if !self.options.read_only && !self.is_over {
                edited.extend(self.edit_in_crm().await?);
            }
        }
        let Some(erp_user) = self.erp_user.clone() else { return Ok(()) };
        for _ in 0..self.options.edits {
            if !self.is_over {
                self.edit_in_erp(&erp_user, &edited).await?;
            }
        }
        Ok(())
    }

    async fn edit_in_crm(&mut self) -> Result<Option<FieldOfActor>, SimulateError> {
        if self.random.usize(..NEW_ONE_IN) == 0 {
            if let Some((_, actor)) = self.new_actor().await? {
                let mut changes = self.crm.begin(self.connection).await?;
                changes.create(mapping::entity(&actor.actor_type), &actor).await?;
                let (round, name) = (self.round, actor.actor_type.as_str());
                changes
                    .event(&Event {
                        round,
                        side: "crm",
                        what: "created",
                        actor_type: name,
                        ..Event::default()
                    })
                    .await?;
                changes.commit().await?;
                self.shared.statistics.add(Counter::CrmCreations, 1);
                self.say(
                    Verbosity::Everything,
                    "CRM",
                    &format!("new {name}: {}", shown_fields(&actor.fields)),
                );
            }
            return Ok(None);
        }
        let Some((at, card, field, value)) = self.random_change().await? else { return Ok(None) };
        let slot = card.values.get(&field).cloned().unwrap_or_default();
        let key = card.key.unwrap_or_default();
        let mut changes = self.crm.begin(self.connection).await?;
        changes.set_value(card.id, &field, value.as_deref(), slot.erp_value.as_deref()).await?;
        let name = self.types[at].name.clone();
        let event = Event {
            round: self.round,
            side: "crm",
            what: "edited",
            actor_type: &name,
            key: Some(&key),
            field: Some(&field),
            before: slot.value.as_deref(),
            after: value.as_deref(),
        };
        changes.event(&event).await?;
        changes.commit().await?;
        self.shared.statistics.add(Counter::CrmEdits, 1);
        let change = Change {
            key: key.clone(),
            fields: BTreeMap::from([(field.clone(), value)]),
            before: BTreeMap::from([(field.clone(), slot.value)]),
            stamp: None,
        };
        self.say(Verbosity::Everything, "CRM", &format!("{name} {key}: {}", change));
        Ok(Some((at, key, field)))
    }

    /// An edit of the ERP user, which the CRM fetches later.
    async fn edit_in_erp(
        &mut self,
        erp_user: &ConnectionClient,
        edited: &[FieldOfActor],
    ) -> Result<(), SimulateError> {
        if self.random.usize(..NEW_ONE_IN) == 0 {
            let Some((at, actor)) = self.new_actor().await? else { return Ok(()) };
            let Created::As(actor) = self.create_actor(erp_user, at, &actor, ERP_USER).await? else {
                return Ok(());
            };
            let (name, key) = (actor.actor_type.as_str(), Some(actor.key.as_str()));
            self.event(Event { side: "erp", what: "created", actor_type: name, key, ..Event::default() })
                .await?;
            self.shared.statistics.add(Counter::ErpCreations, 1);
            let text = format!("new {name} {}: {}", actor.key, shown_fields(&actor.fields));
            self.say(Verbosity::Everything, "ERP user", &text);
            return Ok(());
        }
        let is_conflict = !edited.is_empty() && self.random.usize(..CONFLICT_ONE_IN) == 0;
        let target =
            if is_conflict { self.random.choice(edited).cloned() } else { self.random_field().await? };
        let Some((at, key, field)) = target else { return Ok(()) };
        let Some(change) = self.erp_change(at, key, field).await? else { return Ok(()) };
        let saved = self.save_actors(erp_user, at, std::slice::from_ref(&change), ERP_USER).await?;
        if saved.is_some_and(|saved| !saved.is_empty()) {
            let name = self.types[at].name.clone();
            for (field, value) in &change.fields {
                let event = Event {
                    side: "erp",
                    what: "edited",
                    actor_type: &name,
                    key: Some(&change.key),
                    field: Some(field),
                    before: change.before.get(field).and_then(Option::as_deref),
                    after: value.as_deref(),
                    ..Event::default()
                };
                self.event(event).await?;
            }
            self.shared.statistics.add(Counter::ErpEdits, 1);
            let text = format!("{name} {}: {}", change.key, change);
            self.say(Verbosity::Everything, "ERP user", &text);
        }
        Ok(())
    }

    /// A change of the current value in the ERP system, including edits of this round.
    pub(super) async fn erp_change(
        &mut self,
        at: usize,
        key: String,
        field: String,
    ) -> Result<Option<Change>, SimulateError> {
        let name = self.types[at].name.clone();
        let cards = self.crm.cards_by_key(self.connection, &name, std::iter::once(key.as_str())).await?;
        let Some(card) = cards.into_values().next() else { return Ok(None) };
        let expected = self.expected.get(&(name, key.clone()));
        let before = match expected.and_then(|expected| expected.fields.get(&field)) {
            Some(value) => value.clone(),
            None => card.values.get(&field).and_then(|slot| slot.erp_value.clone()),
        };
        let Some(value) = self.new_value(at, &field, before.as_deref()) else { return Ok(None) };
        Ok(Some(Change {
            key,
            fields: BTreeMap::from([(field.clone(), value)]),
            before: BTreeMap::from([(field, before)]),
            stamp: None,
        }))
    }

    /// A new value for a random field of a random card.
    async fn random_change(
        &mut self,
    ) -> Result<Option<(usize, Card, String, Option<String>)>, SimulateError> {
        let Some((at, key, field)) = self.random_field().await? else { return Ok(None) };
        let name = self.types[at].name.clone();
        let cards = self.crm.cards_by_key(self.connection, &name, std::iter::once(key.as_str())).await?;
        let Some(card) = cards.into_values().next() else { return Ok(None) };
        let current = card.values.get(&field).and_then(|slot| slot.value.clone());
        let value = self.new_value(at, &field, current.as_deref());
        Ok(value.map(|value| (at, card, field, value)))
    }

    /// A random writable field of a random card that has an ERP key.
    pub(super) async fn random_field(&mut self) -> Result<Option<FieldOfActor>, SimulateError> {
        let writable_types = self.types.iter().enumerate().filter(|(_, known)| {
            known.saves.is_possible() && known.fields.iter().any(SyncField::is_writable)
        });
        let indexes: Vec<usize> = writable_types.map(|(at, _)| at).collect();
        let Some(&at) = self.random.choice(&indexes) else { return Ok(None) };
        let name = self.types[at].name.clone();
        let count = self.crm.count(self.connection, &name).await?;
        if count == 0 {
            return Ok(None);
        }
        let index = self.random.usize(..count);
        let Some(card) = self.crm.card_at(self.connection, &name, index).await? else { return Ok(None) };
        let writable: Vec<&str> = self.types[at]
            .fields
            .iter()
            .filter(|field| field.is_writable())
            .map(|field| field.key.as_str())
            .collect();
        let field = self.random.choice(&writable).map(|key| (*key).to_owned());
        Ok(field.zip(card.key).map(|(field, key)| (at, key, field)))
    }

    /// A new actor of a type that the connector creates, with all mandatory fields and some others.
    async fn new_actor(&mut self) -> Result<Option<(usize, ErpActor)>, SimulateError> {
        let writable_types = self.types.iter().enumerate().filter(|(_, known)| {
            known.creates.is_possible() && known.fields.iter().any(SyncField::is_writable)
        });
        let indexes: Vec<usize> = writable_types.map(|(at, _)| at).collect();
        let Some(&at) = self.random.choice(&indexes) else { return Ok(None) };
        let actor_type = self.types[at].clone();
        let mut fields = BTreeMap::new();
        for field in actor_type.fields.iter().filter(|field| field.is_writable()) {
            let wanted = field.access == Access::Mandatory || self.random.bool();
            let value = if wanted { self.new_value(at, &field.key, None).flatten() } else { None };
            match value.filter(|value| !value.is_empty()) {
                Some(value) => drop(fields.insert(field.key.clone(), Some(value))),
                // Its list is empty.
                None if field.access == Access::Mandatory => return Ok(None),
                None => {}
            }
        }
        if fields.is_empty() {
            return Ok(None);
        }
        let parent = self.parent_for(at).await?;
        if parent.is_none() && actor_type.has_parents {
            return Ok(None);
        }
        let actor = ErpActor { actor_type: actor_type.name, parent, fields, ..ErpActor::default() };
        Ok(Some((at, actor)))
    }

    /// A parent for a new actor. The metadata do not say which types have parents, so it is like that of an existing actor.
    /// The first person gets a company.
    async fn parent_for(&mut self, at: usize) -> Result<Option<(String, String)>, SimulateError> {
        let name = self.types[at].name.clone();
        if self.types[at].has_parents {
            let count = self.crm.count(self.connection, &name).await?;
            let index = self.random.usize(..count.max(1));
            let example = self.crm.card_at(self.connection, &name, index).await?;
            return Ok(example.and_then(|card| card.parent));
        }
        if name != actor_type::PERSON {
            return Ok(None);
        }
        for company in [actor_type::CUSTOMER, actor_type::SUPPLIER, actor_type::PARTNER] {
            let count = self.crm.count(self.connection, company).await?;
            if count > 0 {
                let index = self.random.usize(..count);
                let card = self.crm.card_at(self.connection, company, index).await?;
                return Ok(card.and_then(|card| card.key).map(|key| (company.to_owned(), key)));
            }
        }
        Ok(None)
    }

    /// A value that differs from the current one; `None` if there is no other.
    fn new_value(&mut self, at: usize, field: &str, current: Option<&str>) -> Option<Option<String>> {
        let field = self.types[at].fields.iter().find(|known| known.key == field)?.clone();
        let items = field.list.as_ref().and_then(|list| self.lists.get(list));
        for _ in 0..8 {
            let value = random_value(&mut self.random, &field, items.map_or(&[], Vec::as_slice), current)?;
            if !is_equal(field.field_type, value.as_deref(), current) {
                return Some(value);
            }
        }
        None
    }
}

fn random_value(
    random: &mut fastrand::Rng,
    field: &SyncField,
    items: &[(String, String)],
    current: Option<&str>,
) -> Option<Option<String>> {
    let value = match field.field_type {
        FieldType::Checkbox => {
            let is_on = matches!(
                current.map(|current| Value::parse(current, FieldType::Checkbox)),
                Some(Ok(Value::Checkbox(true)))
            );
            Value::Checkbox(!is_on)
        }
        FieldType::Integer => Value::Integer(random.i64(0..10_000)),
        // Quarters have an exact binary form.
        FieldType::Double => Value::Double(f64::from(random.i32(0..40_000)) / 4.0),
        FieldType::Datetime => {
            let (year, month, day) = (random.u16(1990..2035), random.u8(1..=12), random.u8(1..=28));
            Value::DateTime(DateTime::from_date(year, month, day)?)
        }
        FieldType::List => {
            let (key, _) = random.choice(items)?;
            return Some(Some(key.clone()));
        }
        FieldType::Text | FieldType::Password => return Some(Some(random_text(random, field))),
        // A label has no value, and the values of unknown types are unknown.
        _ => return None,
    };
    Some(value.to_wire().map(std::borrow::Cow::into_owned))
}

/// A text that fits the key of the field, sometimes with characters that XML must escape.
fn random_text(random: &mut fastrand::Rng, field: &SyncField) -> String {
    if field.access != Access::Mandatory && random.usize(..EMPTY_ONE_IN) == 0 {
        return String::new();
    }
    let number = random.u32(100..100_000);
    let key = field.key.as_str();
    let text = if key.contains("EMAIL") {
        format!("post{number}@kunde.example")
    } else if key.contains("PHONE") || key.contains("FAX") {
        format!("+47 22 {number:06}")
    } else if key.contains("ZIP") {
        format!("{:04}", number % 10_000)
    } else if key == "URL" {
        format!("https://www{number}.kunde.example")
    } else if key.contains("NUMBER") || key.contains("VATNO") {
        number.to_string()
    } else {
        let word = |random: &mut fastrand::Rng| random.choice(WORDS).unwrap_or_default();
        format!("{} {} {number}", word(random), word(random))
    };
    // Keep the end: its number makes the text unique.
    let length = text.chars().count();
    match field.max_length {
        0 => text,
        most if length <= most => text,
        most => text.chars().skip(length - most).collect::<String>().trim().to_owned(),
    }
}
