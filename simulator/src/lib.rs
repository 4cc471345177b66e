//! Simulates SuperOffice: the life of a connection as EIS drives it, against any connector service.
//!
//! [`Run::run`] begins each connection (`setup`: form, test, save, fields, mapping; `import`), lets edits appear
//! on both sides and synchronises them in rounds (`edits`, `fetch`, `write`), comes to rest, compares both sides field by
//! field (`convergence`), and deletes the connections. A [`Record`] keeps what was counted and what was not as it should
//! be; the CRM's own data are cards in a database (`crm`). One `life` goes through all that for one connection.

mod convergence;
mod crm;
mod demo;
mod edits;
mod equality;
mod fetch;
mod import;
mod life;
mod mapping;
mod narration;
mod record;
mod service;
mod setup;
mod write;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crm::Crm;
pub use crm::CrmError;
pub use demo::{DemoError, DemoHost};
use erp_host_client::form::{FormError, FormInput};
use erp_host_client::{CallError, Client};
use life::Life;
pub use narration::{Detail, Narration};
pub use record::{Anomaly, AnomalyKind, Count, Latency, Record};
use service::Shared;

/// What is to be simulated.
#[derive(Debug, Clone)]
pub struct Simulation {
    /// Decides every edit.
    pub seed: u64,
    /// How many rounds; 0 for no end.
    pub rounds: u64,
    /// How many edits a round has on each side.
    pub edits: usize,
    /// The most calls a second, of all connections together.
    pub rate: Option<f64>,
    /// How many connections live at once.
    pub connections: usize,
    /// The language that texts are shown in.
    pub language: String,
    /// What is filled into the form.
    pub settings: FormInput,
    /// Who wins when both sides have changed a field.
    pub winner: Winner,
    /// Through which connection the ERP user works.
    pub erp_user: ErpUser,
    /// Write nothing into the ERP system.
    pub read_only: bool,
    /// Leave the connections there.
    pub keep: bool,
    /// How long to wait for a service that does not answer.
    pub patience: Duration,
    /// The CRM's file; without one it is in memory.
    pub crm: Option<PathBuf>,
}

/// Who wins a conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Winner {
    /// The ERP system's value counts.
    Erp,
    /// The CRM's value counts.
    Crm,
}

/// Through which connection the made-up ERP user works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ErpUser {
    /// A connection of its own if it leads to the same data, else the CRM's.
    Auto,
    /// A connection of its own.
    Own,
    /// The CRM's connection.
    Same,
    /// There is none: edits come from elsewhere.
    None,
}

/// The simulation could not be carried through.
#[derive(Debug, Error)]
pub enum SimulateError {
    /// The service does not do what is needed to begin.
    #[error("{step} does not work: {error}")]
    Service {
        /// What was tried.
        step: &'static str,
        /// What happened.
        error: Box<CallError>,
    },
    /// The settings do not fit the form.
    #[error(transparent)]
    Form(#[from] FormError),
    /// There is nothing to synchronise.
    #[error("the connector supports no actor types, so there is nothing to synchronise")]
    NoActorTypes,
    /// The CRM's file does not work.
    #[error(transparent)]
    Crm(#[from] CrmError),
    /// No random number for a GUID.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
    /// The demo's host.
    #[error(transparent)]
    Demo(#[from] DemoError),
    /// A task of the simulation has ended by itself.
    #[error("a connection of the simulation is lost: {0}")]
    Lost(String),
}

/// How a simulation ended.
#[derive(Debug)]
pub struct Ended {
    /// What was counted and seen.
    pub record: Arc<Record>,
    /// How long it took.
    pub elapsed: Duration,
    /// Whether somebody stopped it.
    pub interrupted: bool,
    /// Whether both sides were compared, and are equal.
    pub converged: bool,
}

/// Stops a simulation.
#[derive(Debug, Clone)]
pub struct Stop(Arc<Shared>);

impl Stop {
    /// No more edits: come to rest, compare and report.
    pub fn soon(&self) {
        self.0.stop();
    }

    /// Do not wait for a service that is away either.
    pub fn now(&self) {
        self.0.stop_now();
    }
}

/// A simulation that is ready to run.
pub struct Run {
    simulation: Arc<Simulation>,
    client: Client,
    narration: Arc<Narration>,
    shared: Arc<Shared>,
    demo: Option<DemoHost>,
}

impl Simulation {
    /// Makes it ready, for this service. `demo` is the host of a demo, which is restarted now and then.
    pub fn prepare(self, client: Client, narration: Narration, demo: Option<DemoHost>) -> Run {
        let shared = Arc::new(Shared::new(self.rate, self.patience));
        Run { simulation: Arc::new(self), client, narration: Arc::new(narration), shared, demo }
    }
}

impl Run {
    /// What stops it.
    pub fn stop(&self) -> Stop {
        Stop(Arc::clone(&self.shared))
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// It could not begin, or the CRM's file stopped working. What goes wrong later is an anomaly.
    pub async fn run(self) -> Result<Ended, SimulateError> {
        let started = std::time::Instant::now();
        let Run { simulation, client, narration, shared, demo } = self;
        let crm = Crm::open(simulation.crm.as_deref()).await?;
        let mut lives = Vec::new();
        for number in 1..=simulation.connections.max(1) {
            let life = Life::new(
                number,
                Arc::clone(&simulation),
                client.clone(),
                Arc::clone(&narration),
                Arc::clone(&shared),
                crm.clone(),
            );
            lives.push(life.await?);
        }
        for at in 0..lives.len() {
            if let Err(error) = lives[at].begin().await {
                for life in &lives[..=at] {
                    life.abandon().await;
                }
                return Err(error);
            }
        }
        // The demo's host lives until the end.
        let (mut lives, _demo) = run_rounds(lives, demo).await?;
        let interrupted = shared.stops();
        settle(&mut lives).await?;
        let mut converged = true;
        for life in &mut lives {
            converged &= life.compare().await?;
        }
        for life in &mut lives {
            life.end().await?;
        }
        crm.close().await;
        Ok(Ended { record: Arc::clone(&shared.record), elapsed: started.elapsed(), interrupted, converged })
    }
}

/// The rounds of all connections, each at its own speed. The first one's rounds decide when a demo's host is disturbed.
async fn run_rounds(
    lives: Vec<Life>,
    mut demo: Option<DemoHost>,
) -> Result<(Vec<Life>, Option<DemoHost>), SimulateError> {
    let mut running = tokio::task::JoinSet::new();
    for mut life in lives {
        let mut demo = demo.take();
        running.spawn(async move {
            let result = life.rounds(demo.as_mut()).await;
            (life, demo, result)
        });
    }
    let mut lives = Vec::new();
    let mut outcome = Ok(());
    while let Some(done) = running.join_next().await {
        // What panics in one life is a mistake of ours; it ends the simulation like any other.
        let (life, host, result) = done.map_err(|error| SimulateError::Lost(error.to_string()))?;
        lives.push(life);
        demo = demo.or(host);
        outcome = outcome.and(result);
    }
    outcome?;
    lives.sort_by_key(Life::number);
    Ok((lives, demo))
}

/// Rounds without edits, all connections side by side, until nothing moves any more.
async fn settle(lives: &mut [Life]) -> Result<(), SimulateError> {
    const MOST: usize = 10;
    for _ in 0..MOST {
        let mut moved = false;
        for life in lives.iter_mut() {
            moved |= life.synchronise().await?;
        }
        if !moved {
            return Ok(());
        }
    }
    if let Some(life) = lives.first_mut() {
        let text =
            format!("both sides still change after {MOST} rounds without an edit: writes go in circles");
        life.anomaly(AnomalyKind::Restless, "", text).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
