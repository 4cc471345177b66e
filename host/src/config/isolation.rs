//! Where connectors run, and what their worker processes may use.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::{Config, amount};
use erp_host_runtime::isolation::{Confinement, Limits};
use erp_host_runtime::{Rules, Trust};

/// Less memory than this is not enough to load anything.
const LEAST_MEMORY: usize = 64 << 20;
/// Fewer open files than this are not enough to serve calls.
const FEWEST_FILES: u32 = 16;
/// Crashes within a minute that take a connector out of service.
const CRASHES: u32 = 5;
/// For how long.
const CRASH_PAUSE: Duration = Duration::from_secs(30);

/// Where a connector runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// In the host's process: the fastest, and a crash of the connector is the host's.
    #[default]
    InProcess,
    /// In a worker process of its own.
    Process,
}

/// What a worker process may use. What is left out is not limited; for a connector, it is as for all.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkerConfig {
    /// Bytes of memory that it may write to.
    #[serde(deserialize_with = "memory")]
    pub memory: Option<usize>,
    /// Processor time that it may use, from the beginning of its latest call on. Whole seconds count.
    #[serde(deserialize_with = "amount::optional_duration")]
    pub cpu_time: Option<Duration>,
    /// Files and sockets that it may have open.
    #[serde(deserialize_with = "open_files")]
    pub open_files: Option<u32>,
    /// The user that it runs as.
    pub user: Option<String>,
    /// Environment variables that it sees besides the usual ones.
    pub environment: Option<Vec<String>>,
    /// So many crashes within a minute take the connector out of service.
    pub max_crashes_per_minute: Option<NonZeroU32>,
    /// For how long, the first time; twice as long each time after that.
    #[serde(deserialize_with = "amount::optional_duration")]
    pub crash_backoff: Option<Duration>,
    /// The program of a worker, for programs that are not `erp-host` itself.
    #[serde(skip)]
    pub program: Option<PathBuf>,
}

impl Config {
    /// Where this connector runs.
    pub fn isolation(&self, connector: &str) -> Isolation {
        self.own(connector).and_then(|own| own.isolation).unwrap_or(self.isolation)
    }

    fn confined(&self, own: Option<&WorkerConfig>, call_deadline: Duration) -> Confinement {
        let all = &self.worker;
        let own = own.unwrap_or(all);
        let cpu_time = own.cpu_time.or(all.cpu_time);
        Confinement {
            program: all.program.clone(),
            log: self.log.level.clone(),
            limits: Limits {
                memory: own.memory.or(all.memory).map(|bytes| bytes as u64),
                cpu_seconds: cpu_time.map(|time| time.as_secs().max(1)),
                open_files: own.open_files.or(all.open_files).map(u64::from),
            },
            user: own.user.clone().or_else(|| all.user.clone()),
            environment: own.environment.clone().or_else(|| all.environment.clone()).unwrap_or_default(),
            call_deadline,
            crashes: own
                .max_crashes_per_minute
                .or(all.max_crashes_per_minute)
                .map_or(CRASHES, NonZeroU32::get),
            crash_pause: own.crash_backoff.or(all.crash_backoff).unwrap_or(CRASH_PAUSE),
        }
    }
}

impl Config {
    /// How this connector runs in a worker process, if it does.
    pub(super) fn worker_of(&self, connector: &str) -> Option<Confinement> {
        let own = self.own(connector).map(|own| &own.worker);
        (self.isolation(connector) == Isolation::Process)
            .then(|| self.confined(own, self.call_deadline(connector)))
    }

    /// How a file is opened of which nobody knows yet whose it is, if any connector runs in a worker process.
    pub(super) fn first_worker(&self) -> Option<Confinement> {
        let is_any = self.isolation == Isolation::Process
            || self.connectors.values().any(|own| own.isolation == Some(Isolation::Process));
        // The user of all may not read the file before it is known whose connector it is.
        is_any.then(|| Confinement { user: None, ..self.confined(None, self.call_deadline) })
    }
}

impl Rules for Config {
    fn options(&self, connector: &str) -> Vec<(String, String)> {
        Config::options(self, connector).to_vec()
    }

    fn trust(&self) -> &Trust {
        &self.trust
    }

    fn confinement(&self, connector: &str) -> Option<Confinement> {
        self.worker_of(connector)
    }

    fn first_confinement(&self) -> Option<Confinement> {
        self.first_worker()
    }
}

fn memory<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    let bytes = amount::size(deserializer)?;
    if bytes < LEAST_MEMORY {
        let least = LEAST_MEMORY >> 20;
        return Err(D::Error::custom(format!(
            "{bytes} bytes of memory are too few, expected {least}MiB or more"
        )));
    }
    Ok(Some(bytes))
}

fn open_files<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let files = u32::deserialize(deserializer)?;
    if files < FEWEST_FILES {
        return Err(D::Error::custom(format!(
            "{files} open files are too few, expected {FEWEST_FILES} or more"
        )));
    }
    Ok(Some(files))
}
