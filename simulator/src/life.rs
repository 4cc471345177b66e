//! One connection, from its form to its deletion.

use std::collections::BTreeMap;
use std::sync::Arc;

use contract::{Guid, Payload, Request};
use values::{Access, FieldType};

use super::crm::{Crm, Event};
use super::demo::DemoHost;
use super::narration::{Detail, Narration};
use super::record::{Anomaly, AnomalyKind, Count};
use super::service::{Failed, Service, Shared, explanation};
use super::{SimulateError, Simulation};
use erp_host_client::Client;
use erp_host_client::form::FilledForm;

/// A type of actors, as the connector describes it.
#[derive(Debug, Clone)]
pub(super) struct ActorType {
    pub(super) name: String,
    pub(super) fields: Vec<SyncField>,
    /// Whether the connector has taken a change, or may take one.
    pub(super) saves: Willing,
    /// Whether the connector has created one, or may create one.
    pub(super) creates: Willing,
    /// Whether actors of this type stand below others.
    pub(super) has_parents: bool,
}

/// Whether a connector does something. Nothing but trying tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Willing {
    refusals: u32,
    worked: bool,
}

impl Willing {
    /// So many refusals in a row, and never once done, mean that it is not done at all.
    const ENOUGH: u32 = 3;

    pub(super) fn is(self) -> bool {
        self.worked || self.refusals < Willing::ENOUGH
    }

    pub(super) fn did(&mut self) {
        self.worked = true;
    }

    /// Whether this was the last try.
    pub(super) fn refused(&mut self) -> bool {
        self.refusals += 1;
        !self.worked && self.refusals == Willing::ENOUGH
    }
}

/// A field that is synchronised.
#[derive(Debug, Clone)]
pub(super) struct SyncField {
    pub(super) key: String,
    pub(super) field_type: FieldType,
    pub(super) access: Access,
    pub(super) list: Option<String>,
    pub(super) max_length: usize,
}

impl SyncField {
    pub(super) fn is_writable(&self) -> bool {
        self.access != Access::ReadOnly && self.field_type != FieldType::Label
    }
}

/// Who writes, in messages.
pub(super) const CRM: &str = "the CRM";
/// Who writes, in messages.
pub(super) const ERP_USER: &str = "the ERP user";

/// What was written, and is to come back by its stamp.
#[derive(Debug, Clone, Default)]
pub(super) struct Expectation {
    /// Who wrote it last.
    pub(super) by: &'static str,
    /// What the service said that the fields hold now.
    pub(super) fields: BTreeMap<String, Option<String>>,
}

/// One connection.
pub(super) struct Life {
    pub(super) number: usize,
    pub(super) simulation: Arc<Simulation>,
    pub(super) narration: Arc<Narration>,
    pub(super) shared: Arc<Shared>,
    pub(super) crm: Crm,
    /// The connection's number in the CRM's file.
    pub(super) connection: i64,
    pub(super) service: Service,
    pub(super) erp_user: Option<Service>,
    pub(super) random: fastrand::Rng,
    pub(super) types: Vec<ActorType>,
    /// Lists by name: keys and texts.
    pub(super) lists: BTreeMap<String, Vec<(String, String)>>,
    /// By actor type and key.
    pub(super) expected: BTreeMap<(String, String), Expectation>,
    pub(super) round: u64,
    /// The service is away for good: nothing more can be done.
    pub(super) is_over: bool,
    /// Anomalies of the same kind on the same actor are told once.
    told: std::collections::HashSet<(AnomalyKind, String)>,
}

impl Life {
    /// A connection that has not begun.
    pub(super) async fn new(
        number: usize,
        simulation: Arc<Simulation>,
        client: Client,
        narration: Arc<Narration>,
        shared: Arc<Shared>,
        crm: Crm,
    ) -> Result<Life, SimulateError> {
        let guid = new_guid()?;
        let service = Service::new(client.clone(), guid, FilledForm::default(), Arc::clone(&shared));
        let seed = simulation.seed.wrapping_add(u64::try_from(number).unwrap_or_default() - 1);
        let connection = crm.new_connection(&guid.to_string(), &client.address().to_string(), seed).await?;
        Ok(Life {
            number,
            simulation,
            narration,
            shared,
            crm,
            connection,
            service,
            erp_user: None,
            random: fastrand::Rng::with_seed(seed),
            types: Vec::new(),
            lists: BTreeMap::new(),
            expected: BTreeMap::new(),
            round: 0,
            is_over: false,
            told: std::collections::HashSet::new(),
        })
    }

    /// Sets the connection up and imports what is there.
    pub(super) async fn begin(&mut self) -> Result<(), SimulateError> {
        self.set_up().await?;
        self.import().await?;
        self.find_erp_user().await
    }

    /// Deletes what a beginning that failed may have saved, as well as that goes.
    pub(super) async fn abandon(&self) {
        self.shared.stop_now();
        for service in self.erp_user.iter().chain([&self.service]) {
            let _ = service.call_as_it_is(Request::DeleteConnection).await;
        }
    }

    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// Whether nobody else of this simulation changes the same data.
    pub(super) fn is_alone(&self) -> bool {
        self.simulation.connections <= 1
    }

    /// Edits and synchronises, round by round.
    pub(super) async fn rounds(&mut self, mut demo: Option<&mut DemoHost>) -> Result<(), SimulateError> {
        let endless = self.simulation.rounds == 0;
        while (endless || self.round < self.simulation.rounds) && !self.shared.stops() && !self.is_over {
            self.round += 1;
            // A restart takes a while; other connections go on meanwhile.
            if let Some(demo) = &mut demo
                && let Some(what) = tokio::task::block_in_place(|| demo.disturb(self.round))?
            {
                self.say(Detail::Rounds, "host", what);
            }
            let before = Counted::of(self);
            self.edit().await?;
            self.synchronise().await?;
            self.shared.record.add(Count::Rounds, 1);
            let text = Counted::of(self).since(&before);
            let round = format!("round {}", self.round);
            self.say(Detail::Rounds, &round, &text);
        }
        Ok(())
    }

    /// Fetches what has changed in the ERP system, and writes what has changed in the CRM. Whether anything moved.
    pub(super) async fn synchronise(&mut self) -> Result<bool, SimulateError> {
        let mut moved = false;
        for at in 0..self.types.len() {
            moved |= self.fetch(at).await?;
        }
        for at in 0..self.types.len() {
            moved |= self.write(at).await?;
        }
        Ok(moved)
    }

    /// Deletes the connections.
    pub(super) async fn end(&mut self) -> Result<(), SimulateError> {
        if self.simulation.keep || self.is_over {
            let guid = self.service.guid;
            self.say(Detail::Rounds, "end", &format!("the connection {guid} is left there"));
            return Ok(());
        }
        let services = self.erp_user.take().into_iter().filter(|own| own.guid != self.service.guid);
        let services: Vec<Service> = services.chain([self.service.clone()]).collect();
        for service in services {
            if let Err(failed) = service.call_as_it_is(Request::DeleteConnection).await {
                self.failed("", &failed).await?;
                continue;
            }
            match service.call_as_it_is(Request::TestConnection).await {
                Err(Failed::Refused(error)) if error.is_unknown_connection() => {}
                _ => {
                    let text = "a deleted connection is still known: expected the code UNKNOWN_CONNECTION_ID";
                    self.anomaly(AnomalyKind::Lifecycle, "", text.to_owned()).await?;
                }
            }
        }
        self.crm.set_deleted(self.connection).await?;
        self.say(Detail::Rounds, "end", "deleted the connection, and the service does not know it any more");
        Ok(())
    }

    /// Makes a call. What goes wrong is recorded; a refusal is given to the caller to judge.
    pub(super) async fn call(
        &mut self,
        actor: &str,
        request: Request<'_>,
    ) -> Result<Result<Payload<'static>, Failed>, SimulateError> {
        let service = self.service.clone();
        self.call_through(&service, actor, request).await
    }

    /// The same, through another connection.
    pub(super) async fn call_through(
        &mut self,
        service: &Service,
        actor: &str,
        request: Request<'_>,
    ) -> Result<Result<Payload<'static>, Failed>, SimulateError> {
        let answered = service.call(request).await;
        if let Err(Failed::Refused(error)) = &answered
            && error.is_unknown_connection()
        {
            let text = "the settings were sent again, and the connection is still unknown".to_owned();
            self.anomaly(AnomalyKind::Lifecycle, actor, text).await?;
        }
        if let Err(failed) = &answered
            && !matches!(failed, Failed::Refused(_))
        {
            self.failed(actor, failed).await?;
        }
        Ok(answered)
    }

    /// Records a call that failed.
    pub(super) async fn failed(&mut self, actor: &str, failed: &Failed) -> Result<(), SimulateError> {
        let text = failed.error().to_string();
        match failed {
            Failed::Refused(_) => self.anomaly(AnomalyKind::Reply, actor, text).await,
            Failed::Broken(_) => self.anomaly(AnomalyKind::Broken, actor, text).await,
            // Whether it was created shows when the changes are fetched next.
            Failed::Uncertain(_) => Ok(()),
            Failed::Unreachable(_) => {
                self.is_over = true;
                self.shared.stop();
                self.anomaly(AnomalyKind::Unreachable, actor, text).await
            }
        }
    }

    /// What a refusal says.
    pub(super) fn reason(&self, failed: &Failed) -> String {
        explanation(failed.error(), &self.simulation.language)
    }

    /// Records something that should not be.
    pub(super) async fn anomaly(
        &mut self,
        kind: AnomalyKind,
        actor: &str,
        text: String,
    ) -> Result<(), SimulateError> {
        let anomaly =
            Anomaly { kind, connection: self.number, round: self.round, actor: actor.to_owned(), text };
        let mut changes = self.crm.change(self.connection).await?;
        changes.anomaly(&anomaly).await?;
        changes.commit().await?;
        if self.told.insert((kind, actor.to_owned())) {
            let what = if actor.is_empty() { String::new() } else { format!("{actor}: ") };
            self.say(Detail::Quiet, "ANOMALY", &format!("{}: {what}{}", kind.as_str(), anomaly.text));
        }
        self.shared.record.anomaly(anomaly);
        Ok(())
    }

    /// Remembers an event in the CRM's file.
    pub(super) async fn event(&self, event: Event<'_>) -> Result<(), SimulateError> {
        let mut changes = self.crm.change(self.connection).await?;
        changes.event(&Event { round: self.round, ..event }).await?;
        changes.commit().await?;
        Ok(())
    }

    pub(super) fn say(&self, detail: Detail, topic: &str, text: &str) {
        self.narration.say(detail, self.number, topic, text);
    }
}

/// A GUID like any other of version 4.
pub(super) fn new_guid() -> Result<Guid, SimulateError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| SimulateError::Random(error.to_string()))?;
    let bits = u128::from_be_bytes(bytes);
    let versioned = (bits & !(0xf << 76)) | (0x4 << 76);
    Ok(Guid::from_u128((versioned & !(0x3 << 62)) | (0x2 << 62)))
}

/// The counts that a line about a round is made of.
struct Counted([u64; 9]);

impl Counted {
    const LABELS: [(Count, &'static str); 9] = [
        (Count::CrmEdits, "CRM edits"),
        (Count::CrmCreations, "CRM creations"),
        (Count::ErpEdits, "ERP edits"),
        (Count::ErpCreations, "ERP creations"),
        (Count::Pulled, "fetched"),
        (Count::OwnWritesBack, "own writes back"),
        (Count::Conflicts, "conflicts"),
        (Count::Pushed, "written"),
        (Count::Refused, "refused"),
    ];

    fn of(life: &Life) -> Self {
        Counted(Counted::LABELS.map(|(count, _)| life.shared.record.count(count)))
    }

    /// `3 CRM edits, 2 fetched`. With several connections the counts are those of all.
    fn since(&self, before: &Counted) -> String {
        let grown = self.0.iter().zip(before.0).map(|(now, before)| now.saturating_sub(before));
        let parts: Vec<String> = grown
            .zip(Counted::LABELS)
            .filter(|(number, _)| *number > 0)
            .map(|(number, (_, label))| format!("{number} {label}"))
            .collect();
        if parts.is_empty() { "nothing happened".to_owned() } else { parts.join(", ") }
    }
}
