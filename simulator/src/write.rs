//! From the CRM to the ERP system: new cards are created, changed ones saved.
//!
//! What a save sends is the fields that have changed. What the reply says that the fields hold counts from then on; a
//! refusal leaves the ERP system's values standing.

use std::collections::BTreeMap;

use contract::{Actor, Dictionary, Request};

use super::SimulateError;
use super::crm::{Card, Event};
use super::equality::same;
use super::fetch::{shown, shown_fields};
use super::life::{CRM, ERP_USER, Expectation, Life};
use super::narration::Detail;
use super::record::{AnomalyKind, Count};
use super::service::{self, ErpActor, Failed, Service};

/// So many actors are saved by one call.
const BATCH: usize = 20;

/// A change of an actor: the fields and their new values.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) key: String,
    pub(super) fields: BTreeMap<String, Option<String>>,
    /// What the fields held before, as far as is known.
    pub(super) before: BTreeMap<String, Option<String>>,
    /// The stamp before, where it is known.
    pub(super) stamp: Option<String>,
}

impl Life {
    /// Writes what has changed in the CRM. Whether anything was written.
    pub(super) async fn write(&mut self, at: usize) -> Result<bool, SimulateError> {
        if self.is_over || self.simulation.read_only {
            return Ok(false);
        }
        let created = self.create_new_cards(at).await?;
        let saved = self.save_changed_cards(at).await?;
        Ok(created || saved)
    }

    async fn create_new_cards(&mut self, at: usize) -> Result<bool, SimulateError> {
        let name = self.types[at].name.clone();
        let mut moved = false;
        for card in self.crm.new_cards(self.connection, &name).await? {
            if self.is_over {
                return Ok(moved);
            }
            let fields = card.values.iter().map(|(key, slot)| (key.clone(), slot.value.clone())).collect();
            let wanted = ErpActor {
                actor_type: name.clone(),
                parent: card.parent.clone(),
                fields,
                ..ErpActor::default()
            };
            let service = self.service.clone();
            moved |= match self.create_actor(&service, at, &wanted, CRM).await? {
                Created::As(actor) => {
                    let mut changes = self.crm.change(self.connection).await?;
                    for (key, value) in &actor.fields {
                        changes.put(card.id, key, value.as_deref(), value.as_deref()).await?;
                    }
                    // Fields that the reply leaves out hold what was sent.
                    for (key, value) in
                        wanted.fields.iter().filter(|(key, _)| !actor.fields.contains_key(*key))
                    {
                        changes.put(card.id, key, value.as_deref(), value.as_deref()).await?;
                    }
                    changes.know(card.id, &actor).await?;
                    changes.event(&self.written(&actor, "created")).await?;
                    changes.commit().await?;
                    self.shared.record.add(Count::Pushed, 1);
                    let text = format!("{name} {}: created {}", actor.key, shown_fields(&actor.fields));
                    self.say(Detail::Everything, "-> ERP", &text);
                    true
                }
                Created::Uncertain if card.uncertain => {
                    // Once more without an answer: it is fetched as somebody else's, if it is there.
                    self.remove_card(&card).await?;
                    false
                }
                Created::Uncertain => {
                    let mut changes = self.crm.change(self.connection).await?;
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
        Ok(moved)
    }

    async fn remove_card(&mut self, card: &Card) -> Result<(), SimulateError> {
        let mut changes = self.crm.change(self.connection).await?;
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

    /// Creates an actor. What the reply says is what is expected to come back.
    pub(super) async fn create_actor(
        &mut self,
        service: &Service,
        at: usize,
        wanted: &ErpActor,
        by: &'static str,
    ) -> Result<Created, SimulateError> {
        let name = wanted.actor_type.clone();
        let request = Request::CreateActor { actor: Some(carrier(wanted)) };
        let created = match self.call_through(service, &name, request).await? {
            Ok(payload) => service::actors(payload).into_iter().next(),
            Err(Failed::Uncertain(_)) => return Ok(Created::Uncertain),
            Err(failed @ Failed::Refused(_)) => {
                let reason = self.reason(&failed);
                self.refused(by, &name, None, &reason).await?;
                if self.types[at].creates.refused() {
                    self.say(Detail::Rounds, &name, "the connector creates none: no more are made up");
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
        self.types[at].creates.did();
        // A reply may leave out what the request said.
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
        let fields = self.held(&name, &who, &wanted.fields, &BTreeMap::new(), &actor.fields).await?;
        self.expected.insert((name, actor.key.clone()), Expectation { by, fields });
        Ok(Created::As(actor))
    }

    async fn save_changed_cards(&mut self, at: usize) -> Result<bool, SimulateError> {
        let name = self.types[at].name.clone();
        let cards = self.crm.unsaved_cards(self.connection, &name).await?;
        let mut moved = false;
        for batch in cards.chunks(BATCH) {
            let changes: Vec<Change> = batch.iter().map(change_of).collect();
            let service = self.service.clone();
            let mut saved = self.save_actors(&service, at, &changes, CRM).await?;
            // One bad change spoils a call: which one shows when each is saved for itself.
            if saved.is_none() && changes.len() > 1 && !self.is_over {
                let mut each = Vec::new();
                for change in &changes {
                    each.extend(
                        self.save_actors(&service, at, std::slice::from_ref(change), CRM)
                            .await?
                            .unwrap_or_default(),
                    );
                }
                saved = Some(each);
            }
            if self.is_over {
                return Ok(moved);
            }
            let saved = saved.unwrap_or_default();
            for (card, change) in batch.iter().zip(&changes) {
                moved |=
                    self.take_saved(card, change, saved.iter().find(|actor| actor.key == change.key)).await?;
            }
        }
        Ok(moved)
    }

    /// What a card holds after its save, or after its refusal.
    async fn take_saved(
        &mut self,
        card: &Card,
        change: &Change,
        saved: Option<&ErpActor>,
    ) -> Result<bool, SimulateError> {
        let mut changes = self.crm.change(self.connection).await?;
        for (key, sent) in &change.fields {
            let value = match saved {
                Some(actor) => actor.fields.get(key).unwrap_or(sent),
                // The ERP system's value stands.
                None => change.before.get(key).unwrap_or(&None),
            };
            changes.put(card.id, key, value.as_deref(), value.as_deref()).await?;
        }
        let Some(actor) = saved else {
            changes.commit().await?;
            return Ok(false);
        };
        changes.know(card.id, &ErpActor { parent: card.parent.clone(), ..actor.clone() }).await?;
        changes.event(&self.written(actor, "written")).await?;
        changes.commit().await?;
        self.shared.record.add(Count::Pushed, 1);
        let text = format!("{} {}: {}", actor.actor_type, actor.key, shown_changes(change));
        self.say(Detail::Everything, "-> ERP", &text);
        Ok(true)
    }

    /// Saves actors, all by one call. `None` if that did not work.
    pub(super) async fn save_actors(
        &mut self,
        service: &Service,
        at: usize,
        wanted: &[Change],
        by: &'static str,
    ) -> Result<Option<Vec<ErpActor>>, SimulateError> {
        let name = self.types[at].name.clone();
        let actors = wanted.iter().map(|change| Actor {
            actor_type: Some(name.as_str().into()),
            erp_key: Some(change.key.as_str().into()),
            field_values: Some(values(&change.fields)),
            ..Actor::default()
        });
        let request = Request::SaveActors { actors: Some(actors.collect()) };
        let who = match wanted {
            [one] => format!("{name} {}", one.key),
            _ => name.clone(),
        };
        let saved = match self.call_through(service, &who, request).await? {
            Ok(payload) => service::actors(payload),
            Err(failed @ Failed::Refused(_)) if wanted.len() == 1 => {
                let reason = self.reason(&failed);
                self.refused(by, &name, wanted.first(), &reason).await?;
                if self.types[at].saves.refused() {
                    self.say(Detail::Rounds, &name, "the connector takes no changes: no more are made up");
                }
                return Ok(None);
            }
            Err(_) => return Ok(None),
        };
        let mut kept = Vec::new();
        for change in wanted {
            let who = format!("{name} {}", change.key);
            let Some(actor) = saved.iter().find(|actor| actor.key == change.key) else {
                let text = "WSSaveActors worked, and its reply lacks the actor".to_owned();
                self.anomaly(AnomalyKind::Reply, &who, text).await?;
                continue;
            };
            self.types[at].saves.did();
            if let (Some(before), Some(now)) = (&change.stamp, &actor.stamp)
                && now <= before
            {
                let text = format!("saved, and its stamp did not grow: {before:?} before, {now:?} after");
                self.anomaly(AnomalyKind::Stamp, &who, text).await?;
            }
            let held = self.held(&name, &who, &change.fields, &change.before, &actor.fields).await?;
            let expectation = self.expected.entry((name.clone(), change.key.clone())).or_default();
            expectation.by = by;
            expectation.fields.extend(held);
            kept.push(ErpActor { actor_type: name.clone(), ..actor.clone() });
        }
        Ok(Some(kept))
    }

    /// What fields hold after a write, as its reply says. An ERP system may adjust a value; but one that still holds what
    /// it held before has not been saved.
    async fn held(
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
            let is = |other: &Option<String>| same(self.type_of(name, key), now.as_deref(), other.as_deref());
            if !is(sent) {
                if before.get(key).is_some_and(is) {
                    let text = format!(
                        "{key} was saved as {}, and the reply says that it still holds {}",
                        shown(sent.as_deref()),
                        shown(now.as_deref())
                    );
                    self.anomaly(AnomalyKind::ChangedValue, who, text).await?;
                } else {
                    self.shared.record.add(Count::Adjusted, 1);
                    let text = format!(
                        "{who}: the ERP made {key} {} of {}",
                        shown(now.as_deref()),
                        shown(sent.as_deref())
                    );
                    self.say(Detail::Everything, "adjusted", &text);
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
        self.shared.record.add(Count::Refused, 1);
        let side = if by == ERP_USER { "erp" } else { "crm" };
        let key = change.map(|change| change.key.as_str());
        let event =
            Event { side, what: "refused", actor_type: name, key, after: Some(reason), ..Event::default() };
        self.event(event).await?;
        let what = change.map_or_else(
            || "a new one".to_owned(),
            |change| format!("{}: {}", change.key, shown_changes(change)),
        );
        self.say(Detail::Everything, "refused", &format!("{name} {what}: {reason}"));
        Ok(())
    }
}

/// What came of a creation.
pub(super) enum Created {
    /// The actor.
    As(ErpActor),
    /// No answer: it may be there.
    Uncertain,
    /// Nothing.
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

pub(super) fn shown_changes(change: &Change) -> String {
    let change = change.fields.iter().map(|(key, value)| {
        let before = change.before.get(key).map(|before| format!("{} -> ", shown(before.as_deref())));
        format!("{key} {}{}", before.unwrap_or_default(), shown(value.as_deref()))
    });
    change.collect::<Vec<_>>().join(", ")
}

fn carrier(actor: &ErpActor) -> Actor<'_> {
    let (parent_type, parent_key) = match &actor.parent {
        Some((actor_type, key)) => (Some(actor_type.as_str()), Some(key.as_str())),
        None => (None, None),
    };
    Actor {
        actor_type: Some(actor.actor_type.as_str().into()),
        field_values: Some(values(&actor.fields)),
        parent_actor_type: parent_type.map(Into::into),
        parent_erp_key: parent_key.map(Into::into),
        ..Actor::default()
    }
}

fn values(fields: &BTreeMap<String, Option<String>>) -> Dictionary<'_> {
    fields.iter().map(|(key, value)| (key.as_str(), value.as_deref())).collect()
}
