//! Writes changes of the CRM to the ERP system: creates new cards, saves changed ones.
//!
//! A save sends the changed fields. Afterwards both sides hold the values of the reply; after a refusal, the former values
//! of the ERP system.

use std::collections::BTreeMap;

use contract::{Actor, Request};

use super::actor::{self, Change, ErpActor, shown, shown_fields};
use super::connection::{CRM, ERP_USER, ExpectedChange, SimulatedConnection};
use super::connection_client::{CallFailure, ConnectionClient};
use super::crm::{Card, Event};
use super::equality::is_equal;
use super::error::SimulateError;
use super::progress::Verbosity;
use super::statistics::{AnomalyKind, Counter};

/// Number of actors in one call.
const BATCH: usize = 20;

impl SimulatedConnection {
    /// Writes the changes of a type. Returns whether there were any.
    pub(super) async fn write(&mut self, at: usize) -> Result<bool, SimulateError> {
        if self.is_over || self.options.read_only {
            return Ok(false);
        }
        let created = self.create_new_cards(at).await?;
        let saved = self.save_changed_cards(at).await?;
        Ok(created || saved)
    }

    async fn create_new_cards(&mut self, at: usize) -> Result<bool, SimulateError> {
        let name = self.types[at].name.clone();
        let mut has_changes = false;
        for card in self.crm.new_cards(self.connection, &name).await? {
            if self.is_over {
                return Ok(has_changes);
            }
            let fields = card.values.iter().map(|(key, slot)| (key.clone(), slot.value.clone())).collect();
            let wanted = ErpActor {
                actor_type: name.clone(),
                parent: card.parent.clone(),
                fields,
                ..ErpActor::default()
            };
            let service = self.client.clone();
            has_changes |= match self.create_actor(&service, at, &wanted, CRM).await? {
                Created::As(actor) => {
                    let mut changes = self.crm.begin(self.connection).await?;
                    for (key, value) in &actor.fields {
                        changes.set_value(card.id, key, value.as_deref(), value.as_deref()).await?;
                    }
                    // Fields that are missing in the reply have the values that were sent.
                    for (key, value) in
                        wanted.fields.iter().filter(|(key, _)| !actor.fields.contains_key(*key))
                    {
                        changes.set_value(card.id, key, value.as_deref(), value.as_deref()).await?;
                    }
                    changes.set_erp_state(card.id, &actor).await?;
                    changes.event(&self.written(&actor, "created")).await?;
                    changes.commit().await?;
                    self.shared.statistics.add(Counter::Pushed, 1);
                    let text = format!("{name} {}: created {}", actor.key, shown_fields(&actor.fields));
                    self.say(Verbosity::Everything, "-> ERP", &text);
                    true
                }
                Created::Uncertain if card.uncertain => {
                    // The second attempt without a response. If it was carried out, the next fetch returns a new actor.
                    self.remove_card(&card).await?;
                    false
                }
                Created::Uncertain => {
                    let mut changes = self.crm.begin(self.connection).await?;
                    changes.set_uncertain(card.id).await?;
                    changes.commit().await?;
                    true
                }
                Created::Not => {
                    self.remove_card(&card).await?;
                    false
                }
            };
        }
        Ok(has_changes)
    }

    async fn remove_card(&mut self, card: &Card) -> Result<(), SimulateError> {
        let mut changes = self.crm.begin(self.connection).await?;
        changes.remove(card.id).await?;
        Ok(changes.commit().await?)
    }

    fn written<'a>(&self, actor: &'a ErpActor, what: &'static str) -> Event<'a> {
        Event {
            round: self.round,
            side: "sync",
            what,
            actor_type: &actor.actor_type,
            key: Some(&actor.key),
            ..Event::default()
        }
    }

    /// Creates an actor. The next fetch is expected to return the values of the reply.
    pub(super) async fn create_actor(
        &mut self,
        service: &ConnectionClient,
        at: usize,
        wanted: &ErpActor,
        by: &'static str,
    ) -> Result<Created, SimulateError> {
        let name = wanted.actor_type.clone();
        let request = Request::CreateActor { actor: Some(actor::to_contract(wanted)) };
        let created = match self.call_through(service, &name, request).await? {
            Ok(answered) => actor::actors(answered.payload).into_iter().next(),
            Err(CallFailure::Uncertain(_)) => return Ok(Created::Uncertain),
            Err(failed @ CallFailure::Refused(_)) => {
                let reason = self.reason(&failed);
                self.refused(by, &name, None, &reason).await?;
                if self.types[at].creates.add_refusal() {
                    self.say(Verbosity::Rounds, &name, "the connector creates none: no more are made up");
                }
                return Ok(Created::Not);
            }
            Err(_) => return Ok(Created::Not),
        };
        let Some(mut actor) = created.filter(|actor| !actor.key.is_empty()) else {
            let text = "WSCreateActor worked, and its reply has no actor with an ErpKey".to_owned();
            self.anomaly(AnomalyKind::Reply, &name, text).await?;
            return Ok(Created::Not);
        };
        self.types[at].creates.add_success();
        // A reply may omit values of the request.
        actor.actor_type.clone_from(&name);
        actor.parent = actor.parent.or_else(|| wanted.parent.clone());
        let who = format!("{name} {}", actor.key);
        if !self
            .crm
            .cards_by_key(self.connection, &name, std::iter::once(actor.key.as_str()))
            .await?
            .is_empty()
        {
            let text = "WSCreateActor gave a key that an actor has already".to_owned();
            self.anomaly(AnomalyKind::Reply, &who, text).await?;
            return Ok(Created::Not);
        }
        let fields =
            self.values_after_write(&name, &who, &wanted.fields, &BTreeMap::new(), &actor.fields).await?;
        self.expected.insert((name, actor.key.clone()), ExpectedChange { by, fields });
        Ok(Created::As(actor))
    }

    async fn save_changed_cards(&mut self, at: usize) -> Result<bool, SimulateError> {
        let name = self.types[at].name.clone();
        let cards = self.crm.unsaved_cards(self.connection, &name).await?;
        let mut has_changes = false;
        for batch in cards.chunks(BATCH) {
            let changes: Vec<Change> = batch.iter().map(change_of).collect();
            let service = self.client.clone();
            let mut saved = self.save_actors(&service, at, &changes, CRM).await?;
            // A change that is refused may fail the whole call, or be missing from the reply. Saved alone, it has a reply of its
            // own, and the others succeed.
            if changes.len() > 1 && !self.is_over {
                let mut each = saved.unwrap_or_default();
                for change in &changes {
                    if !each.iter().any(|actor| actor.key == change.key) {
                        let alone = self.save_actors(&service, at, std::slice::from_ref(change), CRM).await?;
                        each.extend(alone.unwrap_or_default());
                    }
                }
                saved = Some(each);
            }
            if self.is_over {
                return Ok(has_changes);
            }
            let saved = saved.unwrap_or_default();
            for (card, change) in batch.iter().zip(&changes) {
                has_changes |= self
                    .apply_saved(card, change, saved.iter().find(|actor| actor.key == change.key))
                    .await?;
            }
        }
        Ok(has_changes)
    }

    /// Updates a card after its save or refusal.
    async fn apply_saved(
        &mut self,
        card: &Card,
        change: &Change,
        saved: Option<&ErpActor>,
    ) -> Result<bool, SimulateError> {
        let mut changes = self.crm.begin(self.connection).await?;
        for (key, sent) in &change.fields {
            let value = match saved {
                Some(actor) => actor.fields.get(key).unwrap_or(sent),
                // Refused: the card takes the value of the ERP system.
                None => change.before.get(key).unwrap_or(&None),
            };
            changes.set_value(card.id, key, value.as_deref(), value.as_deref()).await?;
        }
        let Some(actor) = saved else {
            changes.commit().await?;
            return Ok(false);
        };
        changes.set_erp_state(card.id, &ErpActor { parent: card.parent.clone(), ..actor.clone() }).await?;
        changes.event(&self.written(actor, "written")).await?;
        changes.commit().await?;
        self.shared.statistics.add(Counter::Pushed, 1);
        let text = format!("{} {}: {}", actor.actor_type, actor.key, change);
        self.say(Verbosity::Everything, "-> ERP", &text);
        Ok(true)
    }

    /// Saves actors by one call. `None` if the call failed.
    pub(super) async fn save_actors(
        &mut self,
        service: &ConnectionClient,
        at: usize,
        wanted: &[Change],
        by: &'static str,
    ) -> Result<Option<Vec<ErpActor>>, SimulateError> {
        let name = self.types[at].name.clone();
        let actors = wanted.iter().map(|change| Actor {
            actor_type: Some(name.as_str().into()),
            erp_key: Some(change.key.as_str().into()),
            field_values: Some(actor::field_values(&change.fields)),
            ..Actor::default()
        });
        let request = Request::SaveActors { actors: Some(actors.collect()) };
        let who = match wanted {
            [one] => format!("{name} {}", one.key),
            _ => name.clone(),
        };
        let (saved, warning) = match self.call_through(service, &who, request).await? {
            Ok(answered) => {
                let warning = answered.warning(&self.options.language);
                (actor::actors(answered.payload), warning)
            }
            Err(failed @ CallFailure::Refused(_)) if wanted.len() == 1 => {
                let reason = self.reason(&failed);
                self.refused(by, &name, wanted.first(), &reason).await?;
                if self.types[at].saves.add_refusal() {
                    self.say(Verbosity::Rounds, &name, "the connector takes no changes: no more are made up");
                }
                return Ok(None);
            }
            Err(_) => return Ok(None),
        };
        let mut kept = Vec::new();
        for change in wanted {
            let who = format!("{name} {}", change.key);
            let Some(actor) = saved.iter().find(|actor| actor.key == change.key) else {
                if let Some(reason) = &warning {
                    if wanted.len() == 1 {
                        self.refused(by, &name, Some(change), reason).await?;
                    }
                    continue;
                }
                let text = "WSSaveActors worked, and its reply lacks the actor".to_owned();
                self.anomaly(AnomalyKind::Reply, &who, text).await?;
                continue;
            };
            self.types[at].saves.add_success();
            if let (Some(before), Some(now)) = (&change.stamp, &actor.stamp)
                && now <= before
            {
                let text = format!("saved, and its stamp did not grow: {before:?} before, {now:?} after");
                self.anomaly(AnomalyKind::Stamp, &who, text).await?;
            }
            let held =
                self.values_after_write(&name, &who, &change.fields, &change.before, &actor.fields).await?;
            let expectation = self.expected.entry((name.clone(), change.key.clone())).or_default();
            expectation.by = by;
            expectation.fields.extend(held);
            kept.push(ErpActor { actor_type: name.clone(), ..actor.clone() });
        }
        Ok(Some(kept))
    }

    /// The values of fields after a write, according to its reply. An ERP system may adjust a value, but the former value
    /// means that it was not saved.
    async fn values_after_write(
        &mut self,
        name: &str,
        who: &str,
        sent: &BTreeMap<String, Option<String>>,
        before: &BTreeMap<String, Option<String>>,
        replied: &BTreeMap<String, Option<String>>,
    ) -> Result<BTreeMap<String, Option<String>>, SimulateError> {
        let mut held = BTreeMap::new();
        for (key, sent) in sent {
            let now = replied.get(key).unwrap_or(sent);
            let is =
                |other: &Option<String>| is_equal(self.type_of(name, key), now.as_deref(), other.as_deref());
            if !is(sent) {
                if before.get(key).is_some_and(is) {
                    let text = format!(
                        "{key} was saved as {}, and the reply says that it still holds {}",
                        shown(sent.as_deref()),
                        shown(now.as_deref())
                    );
                    self.anomaly(AnomalyKind::ChangedValue, who, text).await?;
                } else {
                    self.shared.statistics.add(Counter::Adjusted, 1);
                    let text = format!(
                        "{who}: the ERP made {key} {} of {}",
                        shown(now.as_deref()),
                        shown(sent.as_deref())
                    );
                    self.say(Verbosity::Everything, "adjusted", &text);
                }
            }
            held.insert(key.clone(), now.clone());
        }
        Ok(held)
    }

    async fn refused(
        &mut self,
        by: &'static str,
        name: &str,
        change: Option<&Change>,
        reason: &str,
    ) -> Result<(), SimulateError> {
        self.shared.statistics.add(Counter::Refused, 1);
        let side = if by == ERP_USER { "erp" } else { "crm" };
        let key = change.map(|change| change.key.as_str());
        let event =
            Event { side, what: "refused", actor_type: name, key, after: Some(reason), ..Event::default() };
        self.event(event).await?;
        let what =
            change.map_or_else(|| "a new one".to_owned(), |change| format!("{}: {}", change.key, change));
        self.say(Verbosity::Everything, "refused", &format!("{name} {what}: {reason}"));
        Ok(())
    }
}

/// The result of a creation.
pub(super) enum Created {
    /// The actor was created.
    As(ErpActor),
    /// There was no response: the actor may have been created.
    Uncertain,
    /// The actor was not created.
    Not,
}

fn change_of(card: &Card) -> Change {
    let changed = || card.values.iter().filter(|(_, slot)| slot.value != slot.erp_value);
    Change {
        key: card.key.clone().unwrap_or_default(),
        fields: changed().map(|(key, slot)| (key.clone(), slot.value.clone())).collect(),
        before: changed().map(|(key, slot)| (key.clone(), slot.erp_value.clone())).collect(),
        stamp: card.stamp.clone(),
    }
}
