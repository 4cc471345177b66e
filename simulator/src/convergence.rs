//! In the end both sides must be equal, field by field.

use std::collections::BTreeSet;

use contract::Request;

use super::SimulateError;
use super::crm::Card;
use super::equality::same;
use super::fetch::shown;
use super::life::Life;
use super::narration::Detail;
use super::record::{AnomalyKind, Count};
use super::service::{self, ErpActor};

/// So many actors are fetched by one call.
const BATCH: u32 = 100;

impl Life {
    /// Compares everything. Whether both sides are equal.
    pub(super) async fn compare(&mut self) -> Result<bool, SimulateError> {
        if self.is_over {
            return Ok(false);
        }
        let (mut actors, mut fields, mut differences) = (0, 0, 0);
        for at in 0..self.types.len() {
            let counted = self.compare_type(at).await?;
            actors += counted.actors;
            fields += counted.fields;
            differences += counted.differences;
        }
        self.shared.record.add(Count::ActorsCompared, actors);
        self.shared.record.add(Count::FieldsCompared, fields);
        let verdict = if differences == 0 { "both sides are equal" } else { "the two sides differ" };
        let text = format!("{actors} actors, {fields} fields, {differences} differences: {verdict}");
        self.say(Detail::Rounds, "compared", &text);
        Ok(differences == 0)
    }

    async fn compare_type(&mut self, at: usize) -> Result<Counted, SimulateError> {
        let name = self.types[at].name.clone();
        let mut counted = Counted::default();
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
                Ok(payload) => service::actors(payload),
                Err(failed) => {
                    counted.differences += 1;
                    if matches!(failed, service::Failed::Refused(_)) {
                        self.failed(&name, &failed).await?;
                    }
                    if self.is_over {
                        return Ok(counted);
                    }
                    continue;
                }
            };
            for card in cards {
                let key = card.key.clone().unwrap_or_default();
                self.compare_card(at, &card, found.iter().find(|actor| actor.key == key), &mut counted)
                    .await?;
                known.insert(key);
            }
        }
        for card in self.crm.new_cards(self.connection, &name).await? {
            let text = format!("card {} of the CRM was never created in the ERP system", card.id);
            self.differs(&name, text, &mut counted).await?;
        }
        // Another way of asking, so that what the keys do not find is found.
        match self.search_all(at).await? {
            Ok(actors) => {
                for actor in actors.iter().filter(|actor| !known.contains(&actor.key)) {
                    let text = "it is in the ERP system, and its change was never reported".to_owned();
                    self.differs(&format!("{name} {}", actor.key), text, &mut counted).await?;
                }
            }
            Err(failed) => self.failed(&name, &failed).await?,
        }
        Ok(counted)
    }

    async fn compare_card(
        &mut self,
        at: usize,
        card: &Card,
        actor: Option<&ErpActor>,
        counted: &mut Counted,
    ) -> Result<(), SimulateError> {
        counted.actors += 1;
        let name = self.types[at].name.clone();
        let who = format!("{name} {}", card.key.clone().unwrap_or_default());
        let Some(actor) = actor else {
            let text = "the CRM has it, and the ERP system does not (any more)".to_owned();
            return self.differs(&who, text, counted).await;
        };
        for field in self.types[at].fields.clone() {
            counted.fields += 1;
            let in_crm = card.values.get(&field.key).and_then(|slot| slot.value.as_deref());
            let in_erp = actor.fields.get(&field.key).and_then(Option::as_deref);
            if !same(field.field_type, in_crm, in_erp) {
                let text = format!(
                    "{} is {} in the CRM and {} in the ERP system",
                    field.key,
                    shown(in_crm),
                    shown(in_erp)
                );
                self.differs(&who, text, counted).await?;
            }
        }
        if card.parent != actor.parent {
            let text = format!(
                "its parent is {:?} in the CRM and {:?} in the ERP system",
                card.parent, actor.parent
            );
            self.differs(&who, text, counted).await?;
        }
        Ok(())
    }

    async fn differs(&mut self, who: &str, text: String, counted: &mut Counted) -> Result<(), SimulateError> {
        counted.differences += 1;
        self.anomaly(AnomalyKind::Diverged, who, text).await
    }
}

#[derive(Debug, Default)]
struct Counted {
    actors: u64,
    fields: u64,
    differences: u64,
}
