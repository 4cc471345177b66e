//! The convergence check: at the end both sides must be equal, field by field.

use std::collections::BTreeSet;

use contract::Request;

use super::actor::{self, ErpActor, shown};
use super::connection::SimulatedConnection;
use super::connection_client::CallFailure;
use super::crm::Card;
use super::equality::is_equal;
use super::error::SimulateError;
use super::progress::Verbosity;
use super::statistics::{AnomalyKind, Counter};

/// Number of actors in one call.
const BATCH: u32 = 100;

impl SimulatedConnection {
    /// Compares all actors. Returns whether both sides are equal.
    pub(super) async fn compare(&mut self) -> Result<bool, SimulateError> {
        if self.is_over {
            return Ok(false);
        }
        let (mut actors, mut fields, mut differences) = (0, 0, 0);
        for at in 0..self.types.len() {
            let totals = self.compare_type(at).await?;
            actors += totals.actors;
            fields += totals.fields;
            differences += totals.differences;
        }
        self.shared.statistics.add(Counter::ActorsCompared, actors);
        self.shared.statistics.add(Counter::FieldsCompared, fields);
        let verdict = if differences == 0 { "both sides are equal" } else { "the two sides differ" };
        let text = format!("{actors} actors, {fields} fields, {differences} differences: {verdict}");
        self.say(Verbosity::Rounds, "compared", &text);
        Ok(differences == 0)
    }

    async fn compare_type(&mut self, at: usize) -> Result<Totals, SimulateError> {
        let name = self.types[at].name.clone();
        let mut totals = Totals::default();
        let mut known = BTreeSet::new();
        let mut after = String::new();
        loop {
            let cards = self.crm.cards_after(self.connection, &name, &after, BATCH).await?;
            let Some(last) = cards.last().and_then(|card| card.key.clone()) else { break };
            after = last;
            let keys = cards.iter().map(|card| card.key.clone().map(Into::into)).collect();
            let request = Request::GetActors {
                actor_type: Some(name.as_str().into()),
                erp_keys: Some(keys),
                field_keys: None,
            };
            let found = match self.call(&name, request).await? {
                Ok(payload) => actor::actors(payload),
                Err(failed) => {
                    totals.differences += 1;
                    if matches!(failed, CallFailure::Refused(_)) {
                        self.failed(&name, &failed).await?;
                    }
                    if self.is_over {
                        return Ok(totals);
                    }
                    continue;
                }
            };
            for card in cards {
                let key = card.key.clone().unwrap_or_default();
                self.compare_card(at, &card, found.iter().find(|actor| actor.key == key), &mut totals)
                    .await?;
                known.insert(key);
            }
        }
        for card in self.crm.new_cards(self.connection, &name).await? {
            let text = format!("card {} of the CRM was never created in the ERP system", card.id);
            self.differs(&name, text, &mut totals).await?;
        }
        // The search finds actors that the CRM does not have.
        match self.search_all(at).await? {
            Ok(actors) => {
                for actor in actors.iter().filter(|actor| !known.contains(&actor.key)) {
                    let text = "it is in the ERP system, and its change was never reported".to_owned();
                    self.differs(&format!("{name} {}", actor.key), text, &mut totals).await?;
                }
            }
            Err(failed) => self.failed(&name, &failed).await?,
        }
        Ok(totals)
    }

    async fn compare_card(
        &mut self,
        at: usize,
        card: &Card,
        actor: Option<&ErpActor>,
        totals: &mut Totals,
    ) -> Result<(), SimulateError> {
        totals.actors += 1;
        let name = self.types[at].name.clone();
        let who = format!("{name} {}", card.key.clone().unwrap_or_default());
        let Some(actor) = actor else {
            let text = "the CRM has it, and the ERP system does not (any more)".to_owned();
            return self.differs(&who, text, totals).await;
        };
        for field in self.types[at].fields.clone() {
            totals.fields += 1;
            let in_crm = card.values.get(&field.key).and_then(|slot| slot.value.as_deref());
            let in_erp = actor.fields.get(&field.key).and_then(Option::as_deref);
            if !is_equal(field.field_type, in_crm, in_erp) {
                let text = format!(
                    "{} is {} in the CRM and {} in the ERP system",
                    field.key,
                    shown(in_crm),
                    shown(in_erp)
                );
                self.differs(&who, text, totals).await?;
            }
        }
        if card.parent != actor.parent {
            let text = format!(
                "its parent is {:?} in the CRM and {:?} in the ERP system",
                card.parent, actor.parent
            );
            self.differs(&who, text, totals).await?;
        }
        Ok(())
    }

    async fn differs(&mut self, who: &str, text: String, totals: &mut Totals) -> Result<(), SimulateError> {
        totals.differences += 1;
        self.anomaly(AnomalyKind::Diverged, who, text).await
    }
}

#[derive(Debug, Default)]
struct Totals {
    actors: u64,
    fields: u64,
    differences: u64,
}
