//! Simulates SuperOffice: the life cycle of a connection as EIS drives it, against any connector service.
//!
//! Each connection is set up and imported. Then rounds follow: random edits on both sides, and a synchronisation. After the
//! last round the connections synchronise until nothing changes any more, a convergence check compares both sides field by
//! field, and the connections are deleted. What a correct connector would not do is an [`Anomaly`].
//!
//! ```no_run
//! use erp_host_client::{Client, Options};
//! use erp_host_simulator::{Progress, Simulation, SimulationOptions, Verbosity};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::new("http://localhost:8080".parse()?, &Options::default())?.detect_dialect().await?;
//! let options = SimulationOptions { seed: 7, rounds: 10, ..SimulationOptions::default() };
//! let progress = Progress::new(Box::new(std::io::stdout()), Verbosity::Rounds, false);
//! let report = Simulation::new(options, client, progress, None).run().await?;
//! assert!(report.is_success());
//! # Ok(())
//! # }
//! ```
//!
//! - [`SimulationOptions`], [`Simulation`], [`Report`]: what to run, the run, its result.
//! - `connection`: the state of one simulated connection; `lifecycle`: its steps in order. The steps: `setup`, `lists`,
//!   `import`, `edits`, `erp_user`, `fetch`, `write`, `convergence`.
//! - `connection_client`: calls with retries; `actor`, `actor_type`, `payload`, `mapping`, `equality`: the data.
//! - `crm`: the database of the CRM's side; `statistics`, `progress`: what is recorded and printed.
//! - `demo`: a host of its own to simulate against.

mod actor;
mod actor_type;
mod connection;
mod connection_client;
mod convergence;
mod crm;
mod demo;
mod edits;
mod equality;
mod erp_user;
mod error;
mod fetch;
mod import;
mod lifecycle;
mod lists;
mod mapping;
mod options;
mod payload;
mod progress;
mod report;
mod setup;
mod shared_state;
mod simulation;
mod statistics;
mod write;

#[cfg(test)]
mod tests;

pub use crm::CrmError;
pub use demo::{DemoError, DemoHost};
pub use error::SimulateError;
pub use options::{ConflictWinner, ErpUser, SimulationOptions};
pub use progress::{Progress, Verbosity};
pub use report::Report;
pub use simulation::{Simulation, StopHandle};
pub use statistics::{Anomaly, AnomalyKind, Counter, Latency, Statistics};
