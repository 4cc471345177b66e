//! The life cycle of a simulated connection: setup, import, rounds of edits and synchronisation, deletion.

use contract::Request;

use super::connection::SimulatedConnection;
use super::connection_client::{CallFailure, ConnectionClient};
use super::demo::DemoHost;
use super::error::SimulateError;
use super::progress::Verbosity;
use super::statistics::{AnomalyKind, Counter};

impl SimulatedConnection {
    /// Sets the connection up, and imports the existing actors.
    pub(super) async fn begin(&mut self) -> Result<(), SimulateError> {
        self.set_up().await?;
        self.import().await?;
        self.find_erp_user().await
    }

    /// Deletes what a failed setup may have saved. Errors are ignored.
    pub(super) async fn abandon(&self) {
        self.shared.stop_now();
        for service in self.erp_user.iter().chain([&self.client]) {
            let _ = service.call_without_resend(Request::DeleteConnection).await;
        }
    }

    /// The rounds: edits on both sides, then a synchronisation.
    pub(super) async fn rounds(&mut self, mut demo: Option<&mut DemoHost>) -> Result<(), SimulateError> {
        let endless = self.options.rounds == 0;
        while (endless || self.round < self.options.rounds) && !self.shared.is_stopping() && !self.is_over {
            self.round += 1;
            // A restart blocks; other connections continue on other threads.
            if let Some(demo) = &mut demo
                && let Some(what) = tokio::task::block_in_place(|| demo.restart_if_due(self.round))?
            {
                self.say(Verbosity::Rounds, "host", what);
            }
            let before = RoundCounters::of(self);
            self.edit().await?;
            self.synchronise().await?;
            self.shared.statistics.add(Counter::Rounds, 1);
            let text = RoundCounters::of(self).since(&before);
            let round = format!("round {}", self.round);
            self.say(Verbosity::Rounds, &round, &text);
        }
        Ok(())
    }

    /// One sync round: fetches changes from the ERP system, and writes changes of the CRM. Returns whether there were any.
    pub(super) async fn synchronise(&mut self) -> Result<bool, SimulateError> {
        let mut has_changes = false;
        for at in 0..self.types.len() {
            has_changes |= self.fetch(at).await?;
        }
        for at in 0..self.types.len() {
            has_changes |= self.write(at).await?;
        }
        Ok(has_changes)
    }

    /// Deletes the connections.
    pub(super) async fn end(&mut self) -> Result<(), SimulateError> {
        if self.options.keep || self.is_over {
            let guid = self.client.guid;
            self.say(Verbosity::Rounds, "end", &format!("the connection {guid} is left there"));
            return Ok(());
        }
        let services = self.erp_user.take().into_iter().filter(|own| own.guid != self.client.guid);
        let services: Vec<ConnectionClient> = services.chain([self.client.clone()]).collect();
        for service in services {
            if let Err(failed) = service.call_without_resend(Request::DeleteConnection).await {
                self.failed("", &failed).await?;
                continue;
            }
            match service.call_without_resend(Request::TestConnection).await {
                Err(CallFailure::Refused(error)) if error.is_unknown_connection() => {}
                _ => {
                    let text = "a deleted connection is still known: expected the code UNKNOWN_CONNECTION_ID";
                    self.anomaly(AnomalyKind::Lifecycle, "", text.to_owned()).await?;
                }
            }
        }
        self.crm.set_deleted(self.connection).await?;
        self.say(
            Verbosity::Rounds,
            "end",
            "deleted the connection, and the service does not know it any more",
        );
        Ok(())
    }
}

/// The counters of the line about a round.
struct RoundCounters([u64; 9]);

impl RoundCounters {
    const LABELS: [(Counter, &'static str); 9] = [
        (Counter::CrmEdits, "CRM edits"),
        (Counter::CrmCreations, "CRM creations"),
        (Counter::ErpEdits, "ERP edits"),
        (Counter::ErpCreations, "ERP creations"),
        (Counter::Pulled, "fetched"),
        (Counter::OwnWritesBack, "own writes back"),
        (Counter::Conflicts, "conflicts"),
        (Counter::Pushed, "written"),
        (Counter::Refused, "refused"),
    ];

    fn of(connection: &SimulatedConnection) -> Self {
        RoundCounters(RoundCounters::LABELS.map(|(count, _)| connection.shared.statistics.counter(count)))
    }

    /// Such as `3 CRM edits, 2 fetched`. The counters are those of all connections together.
    fn since(&self, before: &RoundCounters) -> String {
        let grown = self.0.iter().zip(before.0).map(|(now, before)| now.saturating_sub(before));
        let parts: Vec<String> = grown
            .zip(RoundCounters::LABELS)
            .filter(|(number, _)| *number > 0)
            .map(|(number, (_, label))| format!("{number} {label}"))
            .collect();
        if parts.is_empty() { "nothing happened".to_owned() } else { parts.join(", ") }
    }
}
