//! The initial import: everything that the ERP system has, through advanced search.

use contract::Request;

use super::SimulateError;
use super::life::Life;
use super::mapping;
use super::narration::Detail;
use super::record::{AnomalyKind, Count};
use super::service::{self, ErpActor, Failed};

impl Life {
    /// A card for every actor.
    pub(super) async fn import(&mut self) -> Result<(), SimulateError> {
        for at in 0..self.types.len() {
            let name = self.types[at].name.clone();
            let actors = match self.search_all(at).await? {
                Ok(actors) => actors,
                Err(failed) => return Err(super::setup::failed_step("the initial import", failed)),
            };
            let actors = self.sound(&name, actors).await?;
            let newest = actors.iter().filter_map(|actor| actor.stamp.clone()).max();
            let mut changes = self.crm.change(self.connection).await?;
            for actor in &actors {
                changes.import(mapping::entity(&name), actor).await?;
            }
            if let Some(newest) = &newest {
                changes.newest_stamp(&name, newest).await?;
            }
            changes.commit().await?;
            self.types[at].has_parents = actors.iter().any(|actor| actor.parent.is_some());
            self.shared.record.add(Count::Imported, u64::try_from(actors.len()).unwrap_or_default());
            let newest = newest.map_or("no stamp".to_owned(), |newest| format!("newest stamp {newest}"));
            self.say(Detail::Rounds, "import", &format!("{} {name}, {newest}", actors.len()));
        }
        Ok(())
    }

    /// All actors of a type: by a search without restrictions. Connectors that take none as "nothing" are asked by a text
    /// search for the empty text.
    pub(super) async fn search_all(
        &mut self,
        at: usize,
    ) -> Result<Result<Vec<ErpActor>, Failed>, SimulateError> {
        let name = self.types[at].name.clone();
        let request = Request::SearchActorsAdvanced {
            actor_type: Some(name.as_str().into()),
            restrictions: Some(Vec::new()),
            field_keys: None,
        };
        let first = self.call(&name, request).await?.map(service::actors);
        match first {
            Ok(actors) if !actors.is_empty() => return Ok(Ok(actors)),
            Err(failed @ (Failed::Broken(_) | Failed::Unreachable(_))) => return Ok(Err(failed)),
            _ => {}
        }
        let request = Request::SearchActors {
            actor_type: Some(name.as_str().into()),
            search_text: Some("".into()),
            field_keys: None,
        };
        match self.call(&name, request).await?.map(service::actors) {
            Ok(actors) => Ok(Ok(actors)),
            Err(_) => Ok(first),
        }
    }

    /// Actors that can be worked with: of the type asked for, with a key that comes once.
    pub(super) async fn sound(
        &mut self,
        actor_type: &str,
        actors: Vec<ErpActor>,
    ) -> Result<Vec<ErpActor>, SimulateError> {
        let mut seen = std::collections::HashSet::new();
        let mut sound = Vec::with_capacity(actors.len());
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
                    sound.push(actor);
                }
            }
        }
        Ok(sound)
    }
}
