//! The options of a simulation.

use std::path::PathBuf;
use std::time::Duration;

use erp_host_client::form::FormInput;

/// The options of a simulation.
#[derive(Debug, Clone)]
pub struct SimulationOptions {
    /// The seed of the random edits.
    pub seed: u64,
    /// Number of rounds; 0 for no limit.
    pub rounds: u64,
    /// Number of edits in a round, on each side.
    pub edits: usize,
    /// Limit of calls a second, for all connections together.
    pub rate: Option<f64>,
    /// Number of simultaneous connections.
    pub connections: usize,
    /// The language of labels and messages.
    pub language: String,
    /// The input for the settings form.
    pub settings: FormInput,
    /// Which value a field takes that both sides have changed.
    pub winner: ConflictWinner,
    /// The connection of the simulated ERP user.
    pub erp_user: ErpUser,
    /// The actor types to synchronise; all if there are none.
    pub only: Vec<String>,
    /// Write nothing to the ERP system.
    pub read_only: bool,
    /// Do not delete the connections at the end.
    pub keep: bool,
    /// How long to retry calls to a service that is unavailable.
    pub retry_timeout: Duration,
    /// The file of the CRM; without one it is in memory.
    pub crm: Option<PathBuf>,
}

/// The side that wins a conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ConflictWinner {
    /// The ERP system.
    Erp,
    /// The CRM.
    Crm,
}

/// The connection of the simulated ERP user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ErpUser {
    /// A connection of their own if it accesses the same data, else the connection of the CRM.
    Auto,
    /// A connection of their own.
    Own,
    /// The connection of the CRM.
    Same,
    /// There is no ERP user.
    None,
}

impl Default for SimulationOptions {
    /// Ten rounds of four edits with one connection.
    fn default() -> Self {
        SimulationOptions {
            seed: 0,
            rounds: 10,
            edits: 4,
            rate: None,
            connections: 1,
            language: "US".to_owned(),
            settings: FormInput::default(),
            winner: ConflictWinner::Erp,
            erp_user: ErpUser::Auto,
            only: Vec::new(),
            read_only: false,
            keep: false,
            retry_timeout: Duration::from_secs(60),
            crm: None,
        }
    }
}
