//! The state of one simulated connection, and what every step needs: calls, anomalies, events, progress output.

use std::collections::BTreeMap;
use std::sync::Arc;

use contract::{Guid, Payload, Request};
use values::FieldType;

use super::actor_type::ActorType;
use super::connection_client::{Answered, CallFailure, ConnectionClient, explanation};
use super::crm::{Crm, Event};
use super::error::SimulateError;
use super::options::SimulationOptions;
use super::progress::{Progress, Verbosity};
use super::shared_state::SharedState;
use super::statistics::{Anomaly, AnomalyKind};
use erp_host_client::Client;
use erp_host_client::form::FilledForm;

/// Who writes, in messages.
pub(super) const CRM: &str = "the CRM";
/// Who writes, in messages.
pub(super) const ERP_USER: &str = "the ERP user";

/// A write that the next fetch must return.
#[derive(Debug, Clone, Default)]
pub(super) struct ExpectedChange {
    /// Who wrote it last.
    pub(super) by: &'static str,
    /// The values in the reply to the write.
    pub(super) fields: BTreeMap<String, Option<String>>,
}

/// One simulated connection.
pub(super) struct SimulatedConnection {
    pub(super) number: usize,
    pub(super) options: Arc<SimulationOptions>,
    pub(super) progress: Arc<Progress>,
    pub(super) shared: Arc<SharedState>,
    pub(super) crm: Crm,
    /// The ID of the connection in the CRM.
    pub(super) connection: i64,
    pub(super) client: ConnectionClient,
    pub(super) erp_user: Option<ConnectionClient>,
    pub(super) random: fastrand::Rng,
    pub(super) types: Vec<ActorType>,
    /// Lists by name: keys and texts.
    pub(super) lists: BTreeMap<String, Vec<(String, String)>>,
    /// By actor type and key.
    pub(super) expected: BTreeMap<(String, String), ExpectedChange>,
    pub(super) round: u64,
    /// The service is unavailable, and the retries have ended.
    pub(super) is_over: bool,
    /// Anomalies that were printed: each kind once for each actor.
    printed_anomalies: std::collections::HashSet<(AnomalyKind, String)>,
}

impl SimulatedConnection {
    /// A connection that is not saved yet.
    pub(super) async fn new(
        number: usize,
        options: Arc<SimulationOptions>,
        client: Client,
        progress: Arc<Progress>,
        shared: Arc<SharedState>,
        crm: Crm,
    ) -> Result<SimulatedConnection, SimulateError> {
        let guid = new_guid()?;
        let connection_client =
            ConnectionClient::new(client.clone(), guid, FilledForm::default(), Arc::clone(&shared));
        let seed = options.seed.wrapping_add(u64::try_from(number).unwrap_or_default() - 1);
        let connection = crm.new_connection(&guid.to_string(), &client.address().to_string(), seed).await?;
        Ok(SimulatedConnection {
            number,
            options,
            progress,
            shared,
            crm,
            connection,
            client: connection_client,
            erp_user: None,
            random: fastrand::Rng::with_seed(seed),
            types: Vec::new(),
            lists: BTreeMap::new(),
            expected: BTreeMap::new(),
            round: 0,
            is_over: false,
            printed_anomalies: std::collections::HashSet::new(),
        })
    }

    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// Whether no other connection of this simulation changes the same data.
    pub(super) fn is_only_connection(&self) -> bool {
        self.options.connections <= 1
    }

    /// Makes a call. Failures are recorded as anomalies, except for refusals, which the caller judges.
    pub(super) async fn call(
        &mut self,
        actor: &str,
        request: Request<'_>,
    ) -> Result<Result<Payload<'static>, CallFailure>, SimulateError> {
        let service = self.client.clone();
        Ok(self.call_through(&service, actor, request).await?.map(|answered| answered.payload))
    }

    /// The same, through another connection.
    pub(super) async fn call_through(
        &mut self,
        service: &ConnectionClient,
        actor: &str,
        request: Request<'_>,
    ) -> Result<Result<Answered, CallFailure>, SimulateError> {
        let answered = service.call_with_outcome(request).await;
        if let Err(CallFailure::Refused(error)) = &answered
            && error.is_unknown_connection()
        {
            let text = "the settings were sent again, and the connection is still unknown".to_owned();
            self.anomaly(AnomalyKind::Lifecycle, actor, text).await?;
        }
        if let Err(failed) = &answered
            && !matches!(failed, CallFailure::Refused(_))
        {
            self.failed(actor, failed).await?;
        }
        Ok(answered)
    }

    /// Makes a call of a step that must work, before the connection is saved.
    pub(super) async fn in_setup(
        &self,
        step: &'static str,
        guid: Option<Guid>,
        request: Request<'_>,
    ) -> Result<Payload<'static>, SimulateError> {
        self.client.call_in_setup(guid, request).await.map_err(|failed| failed_step(step, failed))
    }

    /// Makes a call of a step that must work.
    pub(super) async fn in_connection(
        &self,
        step: &'static str,
        request: Request<'_>,
    ) -> Result<Payload<'static>, SimulateError> {
        self.client.call(request).await.map_err(|failed| failed_step(step, failed))
    }

    /// The type of a field; text if the field is unknown.
    pub(super) fn type_of(&self, actor_type: &str, field: &str) -> FieldType {
        let known = self.types.iter().find(|known| known.name == actor_type);
        let field = known.and_then(|known| known.fields.iter().find(|known| known.key == field));
        field.map_or(FieldType::Text, |field| field.field_type)
    }

    /// Records a failed call.
    pub(super) async fn failed(&mut self, actor: &str, failed: &CallFailure) -> Result<(), SimulateError> {
        let text = failed.error().to_string();
        match failed {
            CallFailure::Refused(_) => self.anomaly(AnomalyKind::Reply, actor, text).await,
            CallFailure::Broken(_) => self.anomaly(AnomalyKind::Broken, actor, text).await,
            // The next fetch shows whether it was carried out.
            CallFailure::Uncertain(_) => Ok(()),
            CallFailure::Unreachable(_) => {
                self.is_over = true;
                self.shared.stop();
                self.anomaly(AnomalyKind::Unreachable, actor, text).await
            }
        }
    }

    /// The explanation of a refusal.
    pub(super) fn reason(&self, failed: &CallFailure) -> String {
        explanation(failed.error(), &self.options.language)
    }

    /// Records an anomaly, and prints it if it is new.
    pub(super) async fn anomaly(
        &mut self,
        kind: AnomalyKind,
        actor: &str,
        text: String,
    ) -> Result<(), SimulateError> {
        let anomaly =
            Anomaly { kind, connection: self.number, round: self.round, actor: actor.to_owned(), text };
        let mut changes = self.crm.begin(self.connection).await?;
        changes.anomaly(&anomaly).await?;
        changes.commit().await?;
        if self.printed_anomalies.insert((kind, actor.to_owned())) {
            let what = if actor.is_empty() { String::new() } else { format!("{actor}: ") };
            self.say(Verbosity::Quiet, "ANOMALY", &format!("{}: {what}{}", kind.as_str(), anomaly.text));
        }
        self.shared.statistics.add_anomaly(anomaly);
        Ok(())
    }

    /// Writes an event of the current round to the CRM's file.
    pub(super) async fn event(&self, event: Event<'_>) -> Result<(), SimulateError> {
        let mut changes = self.crm.begin(self.connection).await?;
        changes.event(&Event { round: self.round, ..event }).await?;
        changes.commit().await?;
        Ok(())
    }

    pub(super) fn say(&self, detail: Verbosity, topic: &str, text: &str) {
        self.progress.line(detail, self.number, topic, text);
    }
}

/// A random GUID (version 4).
pub(super) fn new_guid() -> Result<Guid, SimulateError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| SimulateError::Random(error.to_string()))?;
    let bits = u128::from_be_bytes(bytes);
    let versioned = (bits & !(0xf << 76)) | (0x4 << 76);
    Ok(Guid::from_u128((versioned & !(0x3 << 62)) | (0x2 << 62)))
}

/// The error of a step that must work.
pub(super) fn failed_step(step: &'static str, failed: CallFailure) -> SimulateError {
    let (CallFailure::Refused(error)
    | CallFailure::Broken(error)
    | CallFailure::Unreachable(error)
    | CallFailure::Uncertain(error)) = failed;
    SimulateError::Service { step, error: Box::new(error) }
}
