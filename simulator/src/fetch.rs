//! From the ERP system to the CRM: what has changed since the newest stamp.
//!
//! Rules: a field that has changed on one side only takes that side's value. Changed on both sides, the winner's value
//! counts. An actor that comes with what the CRM knows of the ERP system already (an own write, or one that was fetched
//! before, as equal stamps are included) changes nothing, so nothing is written back because of it.

use std::collections::BTreeMap;

use contract::Request;
use values::FieldType;

use super::crm::{Card, Event};
use super::equality::same;
use super::life::{CRM, Expectation, Life};
use super::narration::Detail;
use super::record::{AnomalyKind, Count};
use super::service::{self, ErpActor};
use super::{SimulateError, Winner, mapping};

/// What becomes of a fetched actor.
enum Fate {
    /// The CRM knew it all.
    Known,
    /// Fields of the card that take another value.
    Changed,
}

impl Life {
    /// Fetches the changes of a type. Whether there were any.
    pub(super) async fn fetch(&mut self, at: usize) -> Result<bool, SimulateError> {
        if self.is_over {
            return Ok(false);
        }
        let name = self.types[at].name.clone();
        let newest = self.crm.newest_stamp(self.connection, &name).await?;
        let request = Request::GetActorsByTimestamp {
            updated_on_or_after: Some(newest.clone().unwrap_or_default().into()),
            actor_type: Some(name.as_str().into()),
            field_keys: Some(
                self.types[at].fields.iter().map(|field| Some(field.key.clone().into())).collect(),
            ),
        };
        let actors = match self.call(&name, request).await? {
            Ok(payload) => service::actors(payload),
            Err(failed) => {
                if matches!(failed, service::Failed::Refused(_)) {
                    self.failed(&name, &failed).await?;
                }
                return Ok(false);
            }
        };
        let actors = self.sound(&name, actors).await?;
        self.check_stamps(&name, newest.as_deref(), &actors).await?;
        self.check_expected(&name, &actors).await?;

        let cards = self
            .crm
            .cards_by_key(self.connection, &name, actors.iter().map(|actor| actor.key.as_str()))
            .await?;
        let mut uncertain: Vec<Card> = self
            .crm
            .new_cards(self.connection, &name)
            .await?
            .into_iter()
            .filter(|card| card.uncertain)
            .collect();
        let mut moved = false;
        for actor in &actors {
            self.know_list_items(at, actor).await?;
            match cards.get(&actor.key) {
                Some(card) => match self.merge(at, card, actor).await? {
                    Fate::Known => {}
                    Fate::Changed => moved = true,
                },
                None => {
                    moved = true;
                    self.take_new(at, actor, &mut uncertain).await?;
                }
            }
        }
        if let Some(newest) = actors.iter().filter_map(|actor| actor.stamp.clone()).max().max(newest) {
            let mut changes = self.crm.change(self.connection).await?;
            changes.newest_stamp(&name, &newest).await?;
            changes.commit().await?;
        }
        Ok(moved)
    }

    async fn check_stamps(
        &mut self,
        name: &str,
        asked: Option<&str>,
        actors: &[ErpActor],
    ) -> Result<(), SimulateError> {
        let Some(asked) = asked else { return Ok(()) };
        for actor in actors {
            if actor.stamp.as_deref().is_some_and(|stamp| stamp < asked) {
                let stamp = actor.stamp.as_deref().unwrap_or_default();
                let text = format!("asked for changes on or after {asked:?}, got one of {stamp:?}");
                self.anomaly(AnomalyKind::Stamp, &format!("{name} {}", actor.key), text).await?;
            }
        }
        for key in self.crm.keys_stamped(self.connection, name, asked).await? {
            if !actors.iter().any(|actor| actor.key == key) {
                let text = format!(
                    "its stamp is {asked:?}, and it is missing from the changes on or after that stamp"
                );
                self.anomaly(AnomalyKind::Stamp, &format!("{name} {key}"), text).await?;
            }
        }
        Ok(())
    }

    /// Everything that was written must come back.
    async fn check_expected(&mut self, name: &str, actors: &[ErpActor]) -> Result<(), SimulateError> {
        let mine: Vec<(String, String)> =
            self.expected.keys().filter(|(actor_type, _)| actor_type == name).cloned().collect();
        for of in mine {
            let Some(Expectation { by, fields }) = self.expected.remove(&of) else { continue };
            let who = format!("{name} {}", of.1);
            let Some(actor) = actors.iter().find(|actor| actor.key == of.1) else {
                let text = format!("{by} changed it, and it is missing from the changes since then");
                self.anomaly(AnomalyKind::LostChange, &who, text).await?;
                continue;
            };
            if by == CRM {
                self.shared.record.add(Count::OwnWritesBack, 1);
            }
            // With several connections another one may have changed it again.
            if !self.is_alone() {
                continue;
            }
            for (field, expected) in fields {
                let found = actor.fields.get(&field).cloned().flatten();
                if actor.fields.contains_key(&field)
                    && !same(self.type_of(name, &field), found.as_deref(), expected.as_deref())
                {
                    let text = format!("{by} left {field} as {expected:?}, and it came back as {found:?}");
                    self.anomaly(AnomalyKind::ChangedValue, &who, text).await?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn type_of(&self, actor_type: &str, field: &str) -> FieldType {
        let known = self.types.iter().find(|known| known.name == actor_type);
        let field = known.and_then(|known| known.fields.iter().find(|known| known.key == field));
        field.map_or(FieldType::Text, |field| field.field_type)
    }

    async fn know_list_items(&mut self, at: usize, actor: &ErpActor) -> Result<(), SimulateError> {
        let named: Vec<(String, String)> = self.types[at]
            .fields
            .iter()
            .filter(|field| field.field_type == FieldType::List)
            .filter_map(|field| {
                let key = actor.fields.get(&field.key)?.as_deref().filter(|key| !key.is_empty())?;
                Some((field.list.clone()?, key.to_owned()))
            })
            .collect();
        for (list, key) in named {
            self.know_list_item(&format!("{} {}", actor.actor_type, actor.key), &list, &key).await?;
        }
        Ok(())
    }

    /// Brings what the ERP system has into a card.
    async fn merge(&mut self, at: usize, card: &Card, actor: &ErpActor) -> Result<Fate, SimulateError> {
        let mut changes = self.crm.change(self.connection).await?;
        let mut fate = Fate::Known;
        let mut lines = Vec::new();
        for (key, now) in &actor.fields {
            let Some(field) = self.types[at].fields.iter().find(|field| &field.key == key) else { continue };
            let slot = card.values.get(key).cloned().unwrap_or_default();
            let is_same = |one: &Option<String>, other: &Option<String>| {
                same(field.field_type, one.as_deref(), other.as_deref())
            };
            if is_same(now, &slot.erp_value) {
                continue;
            }
            fate = Fate::Changed;
            let edited = !is_same(&slot.value, &slot.erp_value);
            let conflict = edited && !is_same(&slot.value, now);
            let value = if conflict && self.simulation.winner == Winner::Crm { &slot.value } else { now };
            changes.put(card.id, key, value.as_deref(), now.as_deref()).await?;
            let what = if conflict { "conflict" } else { "fetched" };
            let before = slot.value.as_deref();
            changes
                .event(&Event {
                    round: self.round,
                    side: "sync",
                    what,
                    actor_type: &actor.actor_type,
                    key: Some(&actor.key),
                    field: Some(key),
                    before,
                    after: value.as_deref(),
                })
                .await?;
            let wins = match (conflict, self.simulation.winner) {
                (false, _) => String::new(),
                (true, Winner::Erp) => format!(" (conflict with {}: the ERP wins)", shown(before)),
                (true, Winner::Crm) => format!(" (conflict: the CRM's {} wins)", shown(before)),
            };
            self.shared.record.add(Count::Conflicts, u64::from(conflict));
            lines.push(format!("{key} = {}{wins}", shown(now.as_deref())));
        }
        changes.know(card.id, actor).await?;
        changes.commit().await?;
        if matches!(fate, Fate::Changed) {
            self.shared.record.add(Count::Pulled, 1);
            let text = format!("{} {}: {}", actor.actor_type, actor.key, lines.join(", "));
            self.say(Detail::Everything, "<- ERP", &text);
        }
        Ok(fate)
    }

    /// An actor that the CRM does not know: a new card, unless it is one whose creation got no answer.
    async fn take_new(
        &mut self,
        at: usize,
        actor: &ErpActor,
        uncertain: &mut Vec<Card>,
    ) -> Result<(), SimulateError> {
        let is_that = |card: &Card| {
            card.parent == actor.parent
                && card.values.iter().all(|(key, slot)| {
                    let field_type = self.type_of(&actor.actor_type, key);
                    same(field_type, slot.value.as_deref(), actor.fields.get(key).and_then(Option::as_deref))
                })
        };
        let mut changes = self.crm.change(self.connection).await?;
        let what = if let Some(place) = uncertain.iter().position(is_that) {
            let card = uncertain.swap_remove(place);
            for (key, value) in &actor.fields {
                changes.put(card.id, key, value.as_deref(), value.as_deref()).await?;
            }
            changes.know(card.id, actor).await?;
            "recognised"
        } else {
            changes.import(mapping::entity(&actor.actor_type), actor).await?;
            "fetched"
        };
        let event = Event {
            round: self.round,
            side: "sync",
            what,
            actor_type: &actor.actor_type,
            key: Some(&actor.key),
            ..Event::default()
        };
        changes.event(&event).await?;
        changes.commit().await?;
        self.types[at].has_parents |= actor.parent.is_some();
        self.shared.record.add(Count::Pulled, 1);
        let text = format!("{} {}: new {}", actor.actor_type, actor.key, shown_fields(&actor.fields));
        self.say(Detail::Everything, "<- ERP", &text);
        Ok(())
    }
}

/// A value for people.
pub(super) fn shown(value: Option<&str>) -> String {
    value.map_or_else(|| "null".to_owned(), |value| format!("{value:?}"))
}

/// The fields that hold something.
pub(super) fn shown_fields(fields: &BTreeMap<String, Option<String>>) -> String {
    let filled = fields.iter().filter(|(_, value)| value.as_deref().is_some_and(|value| !value.is_empty()));
    let texts: Vec<String> =
        filled.take(4).map(|(key, value)| format!("{key} = {}", shown(value.as_deref()))).collect();
    texts.join(", ")
}
