//! The initial import: every actor of the ERP system, through advanced search.

use contract::Request;

use super::actor::{self, ErpActor};
use super::connection::{SimulatedConnection, failed_step};
use super::connection_client::CallFailure;
use super::error::SimulateError;
use super::mapping;
use super::progress::Verbosity;
use super::statistics::{AnomalyKind, Counter};

impl SimulatedConnection {
    /// Creates a card for every actor.
    pub(super) async fn import(&mut self) -> Result<(), SimulateError> {
        for at in 0..self.types.len() {
            let name = self.types[at].name.clone();
            let actors = match self.search_all(at).await? {
                Ok(actors) => actors,
                Err(failed) => return Err(failed_step("the initial import", failed)),
            };
            let actors = self.valid_actors(&name, actors).await?;
            let newest = actors.iter().filter_map(|actor| actor.stamp.clone()).max();
            let mut changes = self.crm.begin(self.connection).await?;
            for actor in &actors {
                changes.import(mapping::entity(&name), actor).await?;
            }
            if let Some(newest) = &newest {
                changes.newest_stamp(&name, newest).await?;
            }
            changes.commit().await?;
            self.types[at].has_parents = actors.iter().any(|actor| actor.parent.is_some());
            self.shared.statistics.add(Counter::Imported, u64::try_from(actors.len()).unwrap_or_default());
            let newest = newest.map_or("no stamp".to_owned(), |newest| format!("newest stamp {newest}"));
            self.say(Verbosity::Rounds, "import", &format!("{} {name}, {newest}", actors.len()));
        }
        Ok(())
    }

    /// All actors of a type, by an advanced search without restrictions. If that finds none, a text search for the empty
    /// text is used: some connectors return nothing without a restriction.
    pub(super) async fn search_all(
        &mut self,
        at: usize,
    ) -> Result<Result<Vec<ErpActor>, CallFailure>, SimulateError> {
        let name = self.types[at].name.clone();
        let request = Request::SearchActorsAdvanced {
            actor_type: Some(name.as_str().into()),
            restrictions: Some(Vec::new()),
            field_keys: None,
        };
        let first = self.call(&name, request).await?.map(actor::actors);
        match first {
            Ok(actors) if !actors.is_empty() => return Ok(Ok(actors)),
            Err(failed @ (CallFailure::Broken(_) | CallFailure::Unreachable(_))) => return Ok(Err(failed)),
            _ => {}
        }
        let request = Request::SearchActors {
            actor_type: Some(name.as_str().into()),
            search_text: Some("".into()),
            field_keys: None,
        };
        match self.call(&name, request).await?.map(actor::actors) {
            Ok(actors) => Ok(Ok(actors)),
            Err(_) => Ok(first),
        }
    }

    /// The actors with the requested type and a unique key. The others are anomalies.
    pub(super) async fn valid_actors(
        &mut self,
        actor_type: &str,
        actors: Vec<ErpActor>,
    ) -> Result<Vec<ErpActor>, SimulateError> {
        let mut seen = std::collections::HashSet::new();
        let mut valid = Vec::with_capacity(actors.len());
        for actor in actors {
            let problem = if actor.key.is_empty() {
                Some("an actor without ErpKey".to_owned())
            } else if actor.actor_type != actor_type {
                Some(format!("an actor of type {:?}, asked for {actor_type}", actor.actor_type))
            } else if !seen.insert(actor.key.clone()) {
                Some("the same ErpKey twice in an answer".to_owned())
            } else {
                None
            };
            match problem {
                Some(problem) => {
                    self.anomaly(AnomalyKind::Reply, &format!("{actor_type} {}", actor.key), problem).await?;
                }
                None => {
                    if actor.stamp.is_none() {
                        let text = "no LastModified: changes cannot be fetched by it".to_owned();
                        self.anomaly(AnomalyKind::Stamp, actor_type, text).await?;
                    }
                    valid.push(actor);
                }
            }
        }
        Ok(valid)
    }
}
