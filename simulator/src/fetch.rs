//! Fetches changes of the ERP system since the newest stamp into the CRM.
//!
//! A field that was changed on one side takes the value of that side. A field that was changed on both sides is a
//! conflict, and takes the value of the [`ConflictWinner`]. The CRM stores the last known values of the ERP system. An
//! actor with the same values (an own write, or an actor with the same stamp as before) changes nothing, which prevents sync
//! loops.

use std::collections::BTreeMap;

use contract::Request;
use values::FieldType;

use super::actor::{self, ErpActor, shown, shown_fields};
use super::connection::{CRM, ExpectedChange, SimulatedConnection};
use super::connection_client::CallFailure;
use super::crm::{Card, Event};
use super::equality::is_equal;
use super::error::SimulateError;
use super::mapping;
use super::options::ConflictWinner;
use super::progress::Verbosity;
use super::statistics::{AnomalyKind, Counter};

impl SimulatedConnection {
    /// Fetches the changes of a type. Returns whether there were any.
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
            Ok(payload) => actor::actors(payload),
            Err(failed) => {
                if matches!(failed, CallFailure::Refused(_)) {
                    self.failed(&name, &failed).await?;
                }
                return Ok(false);
            }
        };
        let actors = self.valid_actors(&name, actors).await?;
        let cards = self
            .crm
            .cards_by_key(self.connection, &name, actors.iter().map(|actor| actor.key.as_str()))
            .await?;
        self.check_stamps(&name, newest.as_deref(), &actors, &cards).await?;
        self.check_expected(&name, &actors).await?;

        let mut uncertain: Vec<Card> = self
            .crm
            .new_cards(self.connection, &name)
            .await?
            .into_iter()
            .filter(|card| card.uncertain)
            .collect();
        let mut has_changes = false;
        for actor in &actors {
            self.map_list_items(at, actor).await?;
            match cards.get(&actor.key) {
                Some(card) => has_changes |= self.merge(at, card, actor).await?,
                None => {
                    has_changes = true;
                    self.add_new(at, actor, &mut uncertain).await?;
                }
            }
        }
        if let Some(newest) = actors.iter().filter_map(|actor| actor.stamp.clone()).max().max(newest) {
            let mut changes = self.crm.begin(self.connection).await?;
            changes.newest_stamp(&name, &newest).await?;
            changes.commit().await?;
        }
        Ok(has_changes)
    }

    async fn check_stamps(
        &mut self,
        name: &str,
        asked: Option<&str>,
        actors: &[ErpActor],
        cards: &BTreeMap<String, Card>,
    ) -> Result<(), SimulateError> {
        let Some(asked) = asked else { return Ok(()) };
        for actor in actors {
            // A connector may answer with a margin: what the CRM has with this stamp comes twice, which does no harm.
            let is_known = cards.get(&actor.key).is_some_and(|card| card.stamp == actor.stamp);
            if !is_known && actor.stamp.as_deref().is_some_and(|stamp| stamp < asked) {
                let stamp = actor.stamp.as_deref().unwrap_or_default();
                let text = format!(
                    "it has changed, and its stamp {stamp:?} is older than the newest one before, {asked:?}"
                );
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

    /// Checks that every expected change was fetched.
    async fn check_expected(&mut self, name: &str, actors: &[ErpActor]) -> Result<(), SimulateError> {
        let written: Vec<(String, String)> =
            self.expected.keys().filter(|(actor_type, _)| actor_type == name).cloned().collect();
        for of in written {
            let Some(ExpectedChange { by, fields }) = self.expected.remove(&of) else { continue };
            let who = format!("{name} {}", of.1);
            let Some(actor) = actors.iter().find(|actor| actor.key == of.1) else {
                let text = format!("{by} changed it, and it is missing from the changes since then");
                self.anomaly(AnomalyKind::LostChange, &who, text).await?;
                continue;
            };
            if by == CRM {
                self.shared.statistics.add(Counter::OwnWritesBack, 1);
            }
            // Another connection may have changed it again.
            if !self.is_only_connection() {
                continue;
            }
            for (field, expected) in fields {
                let found = actor.fields.get(&field).cloned().flatten();
                if actor.fields.contains_key(&field)
                    && !is_equal(self.type_of(name, &field), found.as_deref(), expected.as_deref())
                {
                    let text = format!("{by} left {field} as {expected:?}, and it came back as {found:?}");
                    self.anomaly(AnomalyKind::ChangedValue, &who, text).await?;
                }
            }
        }
        Ok(())
    }

    async fn map_list_items(&mut self, at: usize, actor: &ErpActor) -> Result<(), SimulateError> {
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
            self.map_list_item(&format!("{} {}", actor.actor_type, actor.key), &list, &key).await?;
        }
        Ok(())
    }

    /// Merges an actor into its card. Returns whether a value of the ERP system has changed.
    async fn merge(&mut self, at: usize, card: &Card, actor: &ErpActor) -> Result<bool, SimulateError> {
        let mut changes = self.crm.begin(self.connection).await?;
        let mut is_changed = false;
        let mut lines = Vec::new();
        for (key, now) in &actor.fields {
            let Some(field) = self.types[at].fields.iter().find(|field| &field.key == key) else { continue };
            let slot = card.values.get(key).cloned().unwrap_or_default();
            let is_same = |one: &Option<String>, other: &Option<String>| {
                is_equal(field.field_type, one.as_deref(), other.as_deref())
            };
            if is_same(now, &slot.erp_value) {
                continue;
            }
            is_changed = true;
            let edited = !is_same(&slot.value, &slot.erp_value);
            let conflict = edited && !is_same(&slot.value, now);
            let value =
                if conflict && self.options.winner == ConflictWinner::Crm { &slot.value } else { now };
            changes.set_value(card.id, key, value.as_deref(), now.as_deref()).await?;
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
            let wins = match (conflict, self.options.winner) {
                (false, _) => String::new(),
                (true, ConflictWinner::Erp) => format!(" (conflict with {}: the ERP wins)", shown(before)),
                (true, ConflictWinner::Crm) => format!(" (conflict: the CRM's {} wins)", shown(before)),
            };
            self.shared.statistics.add(Counter::Conflicts, u64::from(conflict));
            lines.push(format!("{key} = {}{wins}", shown(now.as_deref())));
        }
        changes.set_erp_state(card.id, actor).await?;
        changes.commit().await?;
        if is_changed {
            self.shared.statistics.add(Counter::Pulled, 1);
            let text = format!("{} {}: {}", actor.actor_type, actor.key, lines.join(", "));
            self.say(Verbosity::Everything, "<- ERP", &text);
        }
        Ok(is_changed)
    }

    /// Adds a card for a new actor, or completes the card whose creation got no response.
    async fn add_new(
        &mut self,
        at: usize,
        actor: &ErpActor,
        uncertain: &mut Vec<Card>,
    ) -> Result<(), SimulateError> {
        let is_same_actor = |card: &Card| {
            card.parent == actor.parent
                && card.values.iter().all(|(key, slot)| {
                    let field_type = self.type_of(&actor.actor_type, key);
                    is_equal(
                        field_type,
                        slot.value.as_deref(),
                        actor.fields.get(key).and_then(Option::as_deref),
                    )
                })
        };
        let mut changes = self.crm.begin(self.connection).await?;
        let what = if let Some(place) = uncertain.iter().position(is_same_actor) {
            let card = uncertain.swap_remove(place);
            for (key, value) in &actor.fields {
                changes.set_value(card.id, key, value.as_deref(), value.as_deref()).await?;
            }
            changes.set_erp_state(card.id, actor).await?;
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
        self.shared.statistics.add(Counter::Pulled, 1);
        let text = format!("{} {}: new {}", actor.actor_type, actor.key, shown_fields(&actor.fields));
        self.say(Verbosity::Everything, "<- ERP", &text);
        Ok(())
    }
}
