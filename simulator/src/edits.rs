//! Made-up edits, on the CRM's side and by an ERP user. The seed decides all of them.

use std::collections::BTreeMap;

use contract::Request;
use values::{Access, DateTime, FieldType, Value, actor_type};

use super::SimulateError;
use super::crm::{Card, Event};
use super::equality::same;
use super::fetch::shown_fields;
use super::life::{ERP_USER, Life, SyncField};
use super::mapping;
use super::narration::Detail;
use super::record::Count;
use super::service::{self, ErpActor, Service};
use super::write::{Change, Created, shown_changes};

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

/// One in so many edits makes a new actor.
const NEW_ONE_IN: usize = 6;
/// One in so many of the ERP user's edits hits what the CRM has just edited.
const CONFLICT_ONE_IN: usize = 4;
/// One in so many edits of a text empties it.
const EMPTY_ONE_IN: usize = 12;

/// Where an edit happens: actor type, key and field.
type Place = (usize, String, String);

impl Life {
    /// The edits of a round, on both sides.
    pub(super) async fn edit(&mut self) -> Result<(), SimulateError> {
        let mut edited: Vec<Place> = Vec::new();
        for _ in 0..self.simulation.edits {
            if !self.simulation.read_only && !self.is_over {
                edited.extend(self.edit_in_crm().await?);
            }
        }
        let Some(erp_user) = self.erp_user.clone() else { return Ok(()) };
        for _ in 0..self.simulation.edits {
            if !self.is_over {
                self.edit_in_erp(&erp_user, &edited).await?;
            }
        }
        Ok(())
    }

    async fn edit_in_crm(&mut self) -> Result<Option<Place>, SimulateError> {
        if self.random.usize(..NEW_ONE_IN) == 0 {
            if let Some((_, actor)) = self.new_actor().await? {
                let mut changes = self.crm.change(self.connection).await?;
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
                self.shared.record.add(Count::CrmCreations, 1);
                self.say(Detail::Everything, "CRM", &format!("new {name}: {}", shown_fields(&actor.fields)));
            }
            return Ok(None);
        }
        let Some((at, card, field, value)) = self.change_of_a_card().await? else { return Ok(None) };
        let slot = card.values.get(&field).cloned().unwrap_or_default();
        let key = card.key.unwrap_or_default();
        let mut changes = self.crm.change(self.connection).await?;
        changes.put(card.id, &field, value.as_deref(), slot.erp_value.as_deref()).await?;
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
        self.shared.record.add(Count::CrmEdits, 1);
        let change = Change {
            key: key.clone(),
            fields: BTreeMap::from([(field.clone(), value)]),
            before: BTreeMap::from([(field.clone(), slot.value)]),
            stamp: None,
        };
        self.say(Detail::Everything, "CRM", &format!("{name} {key}: {}", shown_changes(&change)));
        Ok(Some((at, key, field)))
    }

    /// The ERP user works in the ERP system: the CRM does not hear of it.
    async fn edit_in_erp(&mut self, erp_user: &Service, edited: &[Place]) -> Result<(), SimulateError> {
        if self.random.usize(..NEW_ONE_IN) == 0 {
            let Some((at, actor)) = self.new_actor().await? else { return Ok(()) };
            let Created::As(actor) = self.create_actor(erp_user, at, &actor, ERP_USER).await? else {
                return Ok(());
            };
            let (name, key) = (actor.actor_type.as_str(), Some(actor.key.as_str()));
            self.event(Event { side: "erp", what: "created", actor_type: name, key, ..Event::default() })
                .await?;
            self.shared.record.add(Count::ErpCreations, 1);
            let text = format!("new {name} {}: {}", actor.key, shown_fields(&actor.fields));
            self.say(Detail::Everything, "ERP user", &text);
            return Ok(());
        }
        let collides = !edited.is_empty() && self.random.usize(..CONFLICT_ONE_IN) == 0;
        let place = if collides { self.random.choice(edited).cloned() } else { self.any_place().await? };
        let Some((at, key, field)) = place else { return Ok(()) };
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
            self.shared.record.add(Count::ErpEdits, 1);
            let text = format!("{name} {}: {}", change.key, shown_changes(&change));
            self.say(Detail::Everything, "ERP user", &text);
        }
        Ok(())
    }

    /// A change in the ERP system's terms: what somebody has left there in this round is what it holds before.
    async fn erp_change(
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
            Some(left) => left.clone(),
            None => card.values.get(&field).and_then(|slot| slot.erp_value.clone()),
        };
        let Some(value) = self.made_up(at, &field, before.as_deref()) else { return Ok(None) };
        Ok(Some(Change {
            key,
            fields: BTreeMap::from([(field.clone(), value)]),
            before: BTreeMap::from([(field, before)]),
            stamp: None,
        }))
    }

    /// Another value for a field of some card.
    async fn change_of_a_card(
        &mut self,
    ) -> Result<Option<(usize, Card, String, Option<String>)>, SimulateError> {
        let Some((at, key, field)) = self.any_place().await? else { return Ok(None) };
        let name = self.types[at].name.clone();
        let cards = self.crm.cards_by_key(self.connection, &name, std::iter::once(key.as_str())).await?;
        let Some(card) = cards.into_values().next() else { return Ok(None) };
        let current = card.values.get(&field).and_then(|slot| slot.value.clone());
        let value = self.made_up(at, &field, current.as_deref());
        Ok(value.map(|value| (at, card, field, value)))
    }

    /// A field that may be written, of a card that the ERP system knows.
    async fn any_place(&mut self) -> Result<Option<Place>, SimulateError> {
        let able = self
            .types
            .iter()
            .enumerate()
            .filter(|(_, known)| known.saves.is() && known.fields.iter().any(SyncField::is_writable));
        let able: Vec<usize> = able.map(|(at, _)| at).collect();
        let Some(&at) = self.random.choice(&able) else { return Ok(None) };
        let name = self.types[at].name.clone();
        let count = self.crm.count(self.connection, &name).await?;
        if count == 0 {
            return Ok(None);
        }
        let place = self.random.usize(..count);
        let Some(card) = self.crm.card_at(self.connection, &name, place).await? else { return Ok(None) };
        let writable: Vec<&str> = self.types[at]
            .fields
            .iter()
            .filter(|field| field.is_writable())
            .map(|field| field.key.as_str())
            .collect();
        let field = self.random.choice(&writable).map(|key| (*key).to_owned());
        Ok(field.zip(card.key).map(|(field, key)| (at, key, field)))
    }

    /// A new actor of a type that the connector may create: mandatory fields, and some others.
    async fn new_actor(&mut self) -> Result<Option<(usize, ErpActor)>, SimulateError> {
        let able = self
            .types
            .iter()
            .enumerate()
            .filter(|(_, known)| known.creates.is() && known.fields.iter().any(SyncField::is_writable));
        let able: Vec<usize> = able.map(|(at, _)| at).collect();
        let Some(&at) = self.random.choice(&able) else { return Ok(None) };
        let actor_type = self.types[at].clone();
        let mut fields = BTreeMap::new();
        for field in actor_type.fields.iter().filter(|field| field.is_writable()) {
            let wanted = field.access == Access::Mandatory || self.random.bool();
            let value = if wanted { self.made_up(at, &field.key, None).flatten() } else { None };
            match value.filter(|value| !value.is_empty()) {
                Some(value) => drop(fields.insert(field.key.clone(), Some(value))),
                // Its list is empty: nobody could fill that in.
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

    /// The metadata do not say which actors stand below others; those that are there do. A person without an example
    /// stands below a company.
    async fn parent_for(&mut self, at: usize) -> Result<Option<(String, String)>, SimulateError> {
        let name = self.types[at].name.clone();
        if self.types[at].has_parents {
            let count = self.crm.count(self.connection, &name).await?;
            let place = self.random.usize(..count.max(1));
            let example = self.crm.card_at(self.connection, &name, place).await?;
            return Ok(example.and_then(|card| card.parent));
        }
        if name != actor_type::PERSON {
            return Ok(None);
        }
        for company in [actor_type::CUSTOMER, actor_type::SUPPLIER, actor_type::PARTNER] {
            let count = self.crm.count(self.connection, company).await?;
            if count > 0 {
                let place = self.random.usize(..count);
                let card = self.crm.card_at(self.connection, company, place).await?;
                return Ok(card.and_then(|card| card.key).map(|key| (company.to_owned(), key)));
            }
        }
        Ok(None)
    }

    /// A value that differs from the current one; `None` if there is no other.
    fn made_up(&mut self, at: usize, field: &str, current: Option<&str>) -> Option<Option<String>> {
        let field = self.types[at].fields.iter().find(|known| known.key == field)?.clone();
        let items = field.list.as_ref().and_then(|list| self.lists.get(list));
        for _ in 0..8 {
            let value = made_up(&mut self.random, &field, items.map_or(&[], Vec::as_slice), current)?;
            if !same(field.field_type, value.as_deref(), current) {
                return Some(value);
            }
        }
        None
    }

    /// Whether another connection with the same settings leads to the same data: an edit through it is seen.
    pub(super) async fn sees_edits_of(&mut self, other: &Service) -> Result<bool, SimulateError> {
        let Some((at, key, field)) = self.any_place().await? else { return Ok(false) };
        let Some(change) = self.erp_change(at, key, field).await? else { return Ok(false) };
        let Some(saved) = self.save_actors(other, at, std::slice::from_ref(&change), ERP_USER).await? else {
            return Ok(false);
        };
        let name = self.types[at].name.clone();
        let request = Request::GetActors {
            actor_type: Some(name.as_str().into()),
            erp_keys: Some(vec![Some(change.key.as_str().into())]),
            field_keys: None,
        };
        let found = self.in_connection("fetching an actor", request).await.map(service::actors)?;
        let held = |actors: &[ErpActor]| actors.first().map(|actor| actor.fields.clone());
        let sees = held(&found).is_some() && held(&found) == held(&saved);
        if !sees {
            // It was another's data: nothing of it is to come back.
            self.expected.remove(&(name, change.key));
        }
        Ok(sees)
    }
}

fn made_up(
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
        // Quarters are exact in every form.
        FieldType::Double => Value::Double(f64::from(random.i32(0..40_000)) / 4.0),
        FieldType::Datetime => {
            let (year, month, day) = (random.u16(1990..2035), random.u8(1..=12), random.u8(1..=28));
            Value::DateTime(DateTime::from_date(year, month, day)?)
        }
        FieldType::List => {
            let (key, _) = random.choice(items)?;
            return Some(Some(key.clone()));
        }
        FieldType::Text | FieldType::Password => return Some(Some(text(random, field))),
        // A label holds no value; of a type that is not known no value is known.
        _ => return None,
    };
    Some(value.to_wire().map(std::borrow::Cow::into_owned))
}

/// A text that suits the field's key, where that says something; with what needs escaping now and then.
fn text(random: &mut fastrand::Rng, field: &SyncField) -> String {
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
    // The number at the end tells texts apart.
    let length = text.chars().count();
    match field.max_length {
        0 => text,
        most if length <= most => text,
        most => text.chars().skip(length - most).collect::<String>().trim().to_owned(),
    }
}
