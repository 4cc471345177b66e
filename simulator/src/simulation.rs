//! Runs a simulation: all its connections from setup to deletion.

use std::sync::Arc;

use erp_host_client::Client;

use super::connection::SimulatedConnection;
use super::crm::Crm;
use super::demo::DemoHost;
use super::error::SimulateError;
use super::options::SimulationOptions;
use super::progress::Progress;
use super::report::Report;
use super::shared_state::SharedState;
use super::statistics::AnomalyKind;

/// Stops a running simulation.
#[derive(Debug, Clone)]
pub struct StopHandle(Arc<SharedState>);

impl StopHandle {
    /// Ends the edits. The simulation still synchronises, compares and reports.
    pub fn stop(&self) {
        self.0.stop();
    }

    /// Ends the retries of calls to a service that is unavailable, too.
    pub fn stop_now(&self) {
        self.0.stop_now();
    }
}

/// A simulation that is ready to run.
pub struct Simulation {
    options: Arc<SimulationOptions>,
    client: Client,
    progress: Arc<Progress>,
    shared: Arc<SharedState>,
    demo: Option<DemoHost>,
}

impl Simulation {
    /// A simulation against the service of this client. `demo` is the host of a demo, which is restarted from time to time.
    pub fn new(
        options: SimulationOptions,
        client: Client,
        progress: Progress,
        demo: Option<DemoHost>,
    ) -> Self {
        let shared = Arc::new(SharedState::new(options.rate, options.retry_timeout));
        Simulation { options: Arc::new(options), client, progress: Arc::new(progress), shared, demo }
    }

    /// Stops this simulation while it runs.
    pub fn stop_handle(&self) -> StopHandle {
        StopHandle(Arc::clone(&self.shared))
    }

    /// Runs the simulation to its end.
    ///
    /// # Errors
    /// The setup failed, or the CRM's file failed. Other failures are anomalies.
    pub async fn run(self) -> Result<Report, SimulateError> {
        let started = std::time::Instant::now();
        let Simulation { options, client, progress, shared, demo } = self;
        let crm = Crm::open(options.crm.as_deref()).await?;
        let mut connections = Vec::new();
        for number in 1..=options.connections.max(1) {
            let connection = SimulatedConnection::new(
                number,
                Arc::clone(&options),
                client.clone(),
                Arc::clone(&progress),
                Arc::clone(&shared),
                crm.clone(),
            );
            connections.push(connection.await?);
        }
        for at in 0..connections.len() {
            if let Err(error) = connections[at].begin().await {
                for connection in &connections[..=at] {
                    connection.abandon().await;
                }
                return Err(error);
            }
        }
        // Dropping the demo's host would stop it.
        let (mut connections, _demo) = run_rounds(connections, demo).await?;
        let interrupted = shared.is_stopping();
        synchronise_until_stable(&mut connections).await?;
        let mut converged = true;
        for connection in &mut connections {
            converged &= connection.compare().await?;
        }
        for connection in &mut connections {
            connection.end().await?;
        }
        crm.close().await;
        Ok(Report {
            statistics: Arc::clone(&shared.statistics),
            seed: options.seed,
            elapsed: started.elapsed(),
            interrupted,
            converged,
        })
    }
}

/// Runs the rounds of all connections in parallel. The rounds of the first one decide when the demo's host is restarted.
async fn run_rounds(
    connections: Vec<SimulatedConnection>,
    mut demo: Option<DemoHost>,
) -> Result<(Vec<SimulatedConnection>, Option<DemoHost>), SimulateError> {
    let mut running = tokio::task::JoinSet::new();
    for mut connection in connections {
        let mut demo = demo.take();
        running.spawn(async move {
            let result = connection.rounds(demo.as_mut()).await;
            (connection, demo, result)
        });
    }
    let mut finished = Vec::new();
    let mut outcome = Ok(());
    while let Some(done) = running.join_next().await {
        // A panic of one connection ends the simulation.
        let (connection, host, result) = done.map_err(|error| SimulateError::Lost(error.to_string()))?;
        finished.push(connection);
        demo = demo.or(host);
        outcome = outcome.and(result);
    }
    outcome?;
    finished.sort_by_key(SimulatedConnection::number);
    Ok((finished, demo))
}

/// Sync rounds without edits, until no connection has changes any more.
async fn synchronise_until_stable(connections: &mut [SimulatedConnection]) -> Result<(), SimulateError> {
    const MAX_ROUNDS: usize = 10;
    for _ in 0..MAX_ROUNDS {
        let mut has_changes = false;
        for connection in connections.iter_mut() {
            has_changes |= connection.synchronise().await?;
        }
        if !has_changes {
            return Ok(());
        }
    }
    if let Some(connection) = connections.first_mut() {
        let text = format!(
            "both sides still change after {MAX_ROUNDS} rounds without an edit: writes go in circles"
        );
        connection.anomaly(AnomalyKind::SyncLoop, "", text).await?;
    }
    Ok(())
}
