//! The simulated ERP user, who edits through a connection of their own or through the CRM's.

use contract::Request;

use super::actor::{self, ErpActor};
use super::connection::{ERP_USER, SimulatedConnection, failed_step, new_guid};
use super::connection_client::ConnectionClient;
use super::error::SimulateError;
use super::options::ErpUser;
use super::progress::Verbosity;

impl SimulatedConnection {
    /// Chooses the connection of the ERP user.
    pub(super) async fn find_erp_user(&mut self) -> Result<(), SimulateError> {
        let wanted = if self.options.read_only { ErpUser::None } else { self.options.erp_user };
        let own = match wanted {
            ErpUser::None => return Ok(()),
            ErpUser::Same => None,
            ErpUser::Own | ErpUser::Auto => {
                let own = self.client.with_guid(new_guid()?);
                own.save().await.map_err(|failed| failed_step("saving the ERP user's connection", failed))?;
                let shares = wanted == ErpUser::Own || self.sees_edits_of(&own).await?;
                if !shares {
                    let _ = own.call_without_resend(Request::DeleteConnection).await;
                }
                shares.then_some(own)
            }
        };
        let text = match &own {
            Some(own) => format!("works through a connection of its own, {}", own.guid),
            None => "works through the CRM's connection".to_owned(),
        };
        self.say(Verbosity::Rounds, "ERP user", &text);
        let erp_user = own.unwrap_or_else(|| self.client.clone());
        self.crm.set_erp_user(self.connection, &erp_user.guid.to_string()).await?;
        self.erp_user = Some(erp_user);
        Ok(())
    }

    /// Whether another connection with the same settings accesses the same data: an edit through it is visible here.
    async fn sees_edits_of(&mut self, other: &ConnectionClient) -> Result<bool, SimulateError> {
        let Some((at, key, field)) = self.random_field().await? else { return Ok(false) };
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
        let found = self.in_connection("fetching an actor", request).await.map(actor::actors)?;
        let held = |actors: &[ErpActor]| actors.first().map(|actor| actor.fields.clone());
        let sees = held(&found).is_some() && held(&found) == held(&saved);
        if !sees {
            // The edit was in other data, so no fetch returns it.
            self.expected.remove(&(name, change.key));
        }
        Ok(sees)
    }
}
