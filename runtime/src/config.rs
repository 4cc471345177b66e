//! The runtime's configuration: which plugin files are trusted, where connectors run, what their worker processes may use,
//! and the options of each connector.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};

use crate::isolation::{Confinement, FileAccess, Limits, Sandbox};
use crate::policy::PluginPolicy;
use crate::trust::Trust;

/// The runtime's configuration.
#[derive(Debug, Clone)]
pub struct RuntimeConfig {
    /// Which plugin files are loaded.
    pub trust: Trust,
    /// Where connectors run.
    pub isolation: Isolation,
    /// What their worker processes may use.
    pub worker: WorkerConfig,
    /// How long a call may take before it is given up, and its worker process retired.
    pub call_deadline: Duration,
    /// The filter of log records in worker processes.
    pub log_filter: String,
    /// What differs for single connectors, by their names.
    pub connectors: BTreeMap<String, ConnectorConfig>,
}

/// Where a connector runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// In the host's process: the fastest, but a crash of the connector ends the host.
    #[default]
    InProcess,
    /// In a worker process of its own.
    Process,
}

/// What a worker process may use. `None`: not limited; for a single connector: as for all of them.
#[derive(Debug, Clone, Default)]
pub struct WorkerConfig {
    /// Memory in bytes that it may write to, at least [`WorkerConfig::MIN_MEMORY`].
    pub memory: Option<u64>,
    /// Processor time that it may use, from the beginning of its latest call on. Whole seconds count.
    pub cpu_time: Option<Duration>,
    /// Files and sockets that it may have open, at least [`WorkerConfig::MIN_OPEN_FILES`].
    pub open_files: Option<u32>,
    /// The user that it runs as.
    pub user: Option<String>,
    /// Processes and threads that it and the processes that it starts may have, at least [`WorkerConfig::MIN_TASKS`].
    pub tasks: Option<u32>,
    /// Files and folders that it may read besides the usual ones.
    pub read: Option<Vec<PathBuf>>,
    /// Files and folders that it may write to besides its data folder.
    pub write: Option<Vec<PathBuf>>,
    /// Whether it runs where the system cannot restrict it.
    pub sandbox: Option<Sandbox>,
    /// Environment variables that it sees besides the usual ones.
    pub environment: Option<Vec<String>>,
    /// So many crashes within a minute open the circuit breaker: the connector is out of service.
    pub max_crashes_per_minute: Option<NonZeroU32>,
    /// How long it stays out of service the first time; twice as long each time after that.
    pub crash_backoff: Option<Duration>,
    /// The program of a worker; `None`: the one that runs.
    pub program: Option<PathBuf>,
}

/// What differs for a single connector.
#[derive(Debug, Clone, Default)]
pub struct ConnectorConfig {
    /// Where it runs.
    pub isolation: Option<Isolation>,
    /// What its worker process may use.
    pub worker: WorkerConfig,
    /// How long a call may take.
    pub call_deadline: Option<Duration>,
    /// What the connector itself reads: see its documentation.
    pub options: Options,
}

/// Names and values that are handed to a connector. A name may have several values. `Debug` shows the names only, because
/// a value may be a secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Options(Vec<(String, String)>);

impl WorkerConfig {
    /// The least memory that is enough to load a plugin.
    pub const MIN_MEMORY: u64 = 64 << 20;
    /// The fewest open files that are enough to serve calls.
    pub const MIN_OPEN_FILES: u32 = 16;

    /// The fewest processes and threads that are enough to serve calls.
    pub const MIN_TASKS: u32 = 64;

    const TASKS: u32 = 1024;
    const MAX_CRASHES_PER_MINUTE: u32 = 5;
    const CRASH_BACKOFF: Duration = Duration::from_secs(30);
}

impl Default for RuntimeConfig {
    fn default() -> Self {
        RuntimeConfig {
            trust: Trust::default(),
            isolation: Isolation::default(),
            worker: WorkerConfig::default(),
            call_deadline: Duration::from_secs(100),
            log_filter: "info".to_owned(),
            connectors: BTreeMap::new(),
        }
    }
}

impl RuntimeConfig {
    /// All paths in it.
    pub fn paths_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let of_connectors = self.connectors.values_mut().filter_map(|own| own.worker.program.as_mut());
        self.worker.program.iter_mut().chain(of_connectors)
    }

    /// What differs for this connector. Names of connectors are compared without regard to case.
    fn of(&self, connector: &str) -> Option<&ConnectorConfig> {
        self.connectors.iter().find(|(name, _)| name.eq_ignore_ascii_case(connector)).map(|(_, own)| own)
    }

    /// Where this connector runs.
    pub fn isolation(&self, connector: &str) -> Isolation {
        self.of(connector).and_then(|own| own.isolation).unwrap_or(self.isolation)
    }

    /// What is handed to this connector.
    pub fn options(&self, connector: &str) -> &[(String, String)] {
        self.of(connector).map_or(&[], |own| own.options.as_slice())
    }

    fn confined(&self, own: Option<&ConnectorConfig>) -> Confinement {
        let all = &self.worker;
        let worker = own.map_or(all, |own| &own.worker);
        let cpu_time = worker.cpu_time.or(all.cpu_time);
        let max_crashes = worker.max_crashes_per_minute.or(all.max_crashes_per_minute);
        Confinement {
            program: all.program.clone(),
            log: self.log_filter.clone(),
            limits: Limits {
                memory: worker.memory.or(all.memory),
                cpu_seconds: cpu_time.map(|time| time.as_secs().max(1)),
                open_files: worker.open_files.or(all.open_files).map(u64::from),
                tasks: Some(worker.tasks.or(all.tasks).unwrap_or(WorkerConfig::TASKS).into()),
            },
            files: FileAccess {
                read: worker.read.clone().or_else(|| all.read.clone()).unwrap_or_default(),
                write: worker.write.clone().or_else(|| all.write.clone()).unwrap_or_default(),
            },
            sandbox: worker.sandbox.or(all.sandbox).unwrap_or_default(),
            user: worker.user.clone().or_else(|| all.user.clone()),
            environment: worker.environment.clone().or_else(|| all.environment.clone()).unwrap_or_default(),
            call_deadline: own.and_then(|own| own.call_deadline).unwrap_or(self.call_deadline),
            max_crashes_per_minute: max_crashes.map_or(WorkerConfig::MAX_CRASHES_PER_MINUTE, NonZeroU32::get),
            crash_backoff: worker.crash_backoff.or(all.crash_backoff).unwrap_or(WorkerConfig::CRASH_BACKOFF),
        }
    }
}

impl PluginPolicy for RuntimeConfig {
    fn options(&self, connector: &str) -> Vec<(String, String)> {
        RuntimeConfig::options(self, connector).to_vec()
    }

    fn trust(&self) -> &Trust {
        &self.trust
    }

    fn confinement(&self, connector: &str) -> Option<Confinement> {
        (self.isolation(connector) == Isolation::Process).then(|| self.confined(self.of(connector)))
    }

    fn isolates_any(&self) -> bool {
        self.isolation == Isolation::Process
            || self.connectors.values().any(|own| own.isolation == Some(Isolation::Process))
    }
}

impl Options {
    /// Names and values, a name once for each of its values.
    pub fn as_slice(&self) -> &[(String, String)] {
        &self.0
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl<'de> Deserialize<'de> for Options {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let named = BTreeMap::<String, OneOrMore>::deserialize(deserializer)?;
        let pairs = named.into_iter().flat_map(|(name, OneOrMore(values))| {
            values.into_iter().map(move |value| (name.clone(), value)).collect::<Vec<_>>()
        });
        Ok(Options(pairs.collect()))
    }
}

/// A text, or an array of texts.
struct OneOrMore(Vec<String>);

impl<'de> Deserialize<'de> for OneOrMore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;

        impl<'de> Visitor<'de> for Texts {
            type Value = OneOrMore;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or an array of texts")
            }

            fn visit_str<E>(self, text: &str) -> Result<OneOrMore, E> {
                Ok(OneOrMore(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<OneOrMore, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = items.next_element()? {
                    texts.push(text);
                }
                Ok(OneOrMore(texts))
            }
        }

        deserializer.deserialize_any(Texts)
    }
}
