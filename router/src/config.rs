//! The router's configuration: deadlines and concurrency limits of connectors, and the sizes of messages and replies.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use contract::MemberOrder;
use erp_host_store::{Lifetime, StoreLimits};

use super::threads::{RESERVED_THREADS, VERSIONS};

/// `limits.threads` by default: as in tokio, and not more than a service of systemd usually may have.
const LEAST_THREADS_BY_DEFAULT: usize = 512;
const MOST_THREADS_BY_DEFAULT: usize = 3072;
/// The least that can be configured.
const LEAST_THREADS: usize = 2 * RESERVED_THREADS;

/// The router's configuration.
#[derive(Debug, Clone)]
pub struct RouterConfig {
    /// The connector that serves a call which names none; `None`: the first by name.
    pub default_connector: Option<String>,
    /// How long a call may take before it is answered with an error.
    pub call_deadline: Duration,
    /// How many calls may run at once in each connector.
    pub concurrent_calls: NonZeroU32,
    /// How many of them may be calls of one connection, while no other connection has calls; `None`: half.
    pub calls_per_connection: Option<NonZeroU32>,
    /// How many calls may wait for their turn at each connector; one more is refused with 503.
    pub queued_calls: u32,
    /// How long a call may wait for its turn; then it is refused with 503.
    pub queue_timeout: Duration,
    /// With so many timed-out calls still running, a connector is out of service until fewer are; `None`: all that may run
    /// at once.
    pub max_timed_out_calls: Option<NonZeroU32>,
    /// The threads of the process for work that blocks; `None`: as many as the connectors need.
    pub threads: Option<NonZeroU32>,
    /// How long a connection stays open without a call, and how long in all.
    pub connection_lifetime: Lifetime,
    /// What differs for single connectors, by their names.
    pub connectors: BTreeMap<String, ConnectorLimits>,
    /// A reply of more bytes than this is kept in a file until it is sent.
    pub reply_in_memory: usize,
    /// How many bytes all replies may have in memory together, until they are sent. Beyond: in files.
    pub total_reply_memory: usize,
    /// How many bytes all replies may have in files together; beyond, a call gets an error.
    pub total_reply_spool: usize,
    /// The largest reply in bytes; a connector that answers with more is stopped, and the call gets an error.
    pub max_reply: usize,
    /// How messages of the contract are wrapped and ordered.
    pub contract: ContractConfig,
    /// Limits of a message's XML; beyond them: a fault.
    pub xml: contract::xml::Limits,
    /// Limits of what is stored; beyond them: State=Error.
    pub store: StoreLimits,
}

/// How messages are wrapped and ordered. The built-in profiles are always there.
#[derive(Debug, Clone, Default)]
pub struct ContractConfig {
    /// The contract files, whose profiles come before the built-in ones.
    pub profiles: Vec<PathBuf>,
    /// The order of reply members where neither the request nor earlier ones show it.
    pub reply_order: MemberOrder,
}

/// What differs for a single connector. `None`: as for all of them.
#[derive(Debug, Clone, Default)]
pub struct ConnectorLimits {
    /// How long a call may take.
    pub call_deadline: Option<Duration>,
    /// How many calls may run at once.
    pub concurrent_calls: Option<NonZeroU32>,
    /// How many of them may be calls of one connection.
    pub calls_per_connection: Option<NonZeroU32>,
    /// With so many timed-out calls still running, it is out of service.
    pub max_timed_out_calls: Option<NonZeroU32>,
    /// How long a connection stays open without a call.
    pub connection_idle_timeout: Option<Duration>,
    /// How long it stays open in all.
    pub connection_max_age: Option<Duration>,
}

impl Default for RouterConfig {
    fn default() -> Self {
        RouterConfig {
            default_connector: None,
            call_deadline: Duration::from_secs(100),
            concurrent_calls: NonZeroU32::MIN.saturating_add(31),
            calls_per_connection: None,
            queued_calls: 256,
            queue_timeout: Duration::from_secs(10),
            max_timed_out_calls: None,
            threads: None,
            connection_lifetime: Lifetime {
                idle: Duration::from_secs(30 * 60),
                age: Duration::from_secs(12 * 3600),
            },
            connectors: BTreeMap::new(),
            reply_in_memory: 4 << 20,
            total_reply_memory: 64 << 20,
            total_reply_spool: 8 << 30,
            max_reply: 1 << 30,
            contract: ContractConfig::default(),
            xml: contract::xml::Limits::default(),
            store: StoreLimits::default(),
        }
    }
}

impl RouterConfig {
    /// How long a call to this connector may take.
    pub fn call_deadline(&self, connector: &str) -> Duration {
        self.of(connector).and_then(|own| own.call_deadline).unwrap_or(self.call_deadline)
    }

    /// How many calls may run at once in this connector.
    pub fn concurrent_calls(&self, connector: &str) -> usize {
        let own = self.of(connector).and_then(|own| own.concurrent_calls);
        own.unwrap_or(self.concurrent_calls).get() as usize
    }

    /// How many calls of one connection may run at once in this connector, while no other connection has calls. By default
    /// half of all, and fewer than take the connector out of service when they time out: one connection alone must not.
    pub fn calls_per_connection(&self, connector: &str) -> usize {
        let own = self.of(connector).and_then(|own| own.calls_per_connection).or(self.calls_per_connection);
        let half = self.concurrent_calls(connector).div_ceil(2);
        let below = (self.max_timed_out_calls(connector) - 1).max(1);
        own.map_or(half.min(below), |most| most.get() as usize)
    }

    /// With so many timed-out calls still running, this connector is out of service: by default all that may run at once.
    pub fn max_timed_out_calls(&self, connector: &str) -> usize {
        let own = self.of(connector).and_then(|own| own.max_timed_out_calls).or(self.max_timed_out_calls);
        own.map_or_else(|| self.concurrent_calls(connector), |most| most.get() as usize)
    }

    /// With so many timed-out calls still running, a connection of this connector is out of service: half of those that it
    /// may run at once, but at least two unless it may run only one.
    pub fn max_timed_out_calls_per_connection(&self, connector: &str) -> usize {
        let running = self.calls_per_connection(connector);
        (running / 2).max(running.min(2))
    }

    /// How long a connection of this connector stays open.
    pub fn connection_lifetime(&self, connector: &str) -> Lifetime {
        let own = self.of(connector);
        Lifetime {
            idle: own.and_then(|own| own.connection_idle_timeout).unwrap_or(self.connection_lifetime.idle),
            age: own.and_then(|own| own.connection_max_age).unwrap_or(self.connection_lifetime.age),
        }
    }

    /// The threads for work that blocks, of a process with these connectors: by default enough for a version of each
    /// whose calls hang and for the next one.
    pub fn blocking_threads<'c>(&self, connectors: impl IntoIterator<Item = &'c str>) -> usize {
        let calls: usize = connectors.into_iter().map(|name| VERSIONS * self.concurrent_calls(name)).sum();
        let needed = (calls + RESERVED_THREADS).clamp(LEAST_THREADS_BY_DEFAULT, MOST_THREADS_BY_DEFAULT);
        self.threads.map_or(needed, |threads| threads.get() as usize)
    }

    /// How many of so many threads can run calls.
    pub fn call_threads(blocking_threads: usize) -> usize {
        blocking_threads.saturating_sub(RESERVED_THREADS)
    }

    /// Finds limits that contradict each other.
    ///
    /// # Errors
    /// Which, and what to do.
    pub fn check(&self) -> Result<(), String> {
        if let Some(threads) = self.threads.filter(|threads| (threads.get() as usize) < LEAST_THREADS) {
            return Err(format!(
                "limits.threads = {threads} is too few, expected {LEAST_THREADS} or more: {RESERVED_THREADS} are for other \
                 work than calls"
            ));
        }
        let too_many = |most: Option<NonZeroU32>, of: usize, section: &str| {
            let most = most.map_or(0, |most| most.get() as usize);
            let remedy = format!("give calls_per_connection a number from 1 to {of}, or leave it out");
            let why = format!(
                "calls_per_connection = {most}{section} is more than concurrent_calls = {of}; {remedy}"
            );
            if most > of { Err(why) } else { Ok(()) }
        };
        too_many(self.calls_per_connection, self.concurrent_calls.get() as usize, "")?;
        self.connectors.iter().try_for_each(|(name, own)| {
            let section = format!(" in [connectors.{name}]");
            too_many(own.calls_per_connection, self.concurrent_calls(name), &section)
        })
    }

    /// What differs for this connector. Names of connectors are compared without regard to case.
    fn of(&self, connector: &str) -> Option<&ConnectorLimits> {
        self.connectors.iter().find(|(name, _)| name.eq_ignore_ascii_case(connector)).map(|(_, own)| own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_a_connection_are_a_half_and_never_enough_for_the_whole_connector() {
        for (concurrent, timed_out, per_connection, per_connection_timed_out) in [
            (1, None, 1, 1),
            (2, None, 1, 1),
            (3, None, 2, 2),
            (4, None, 2, 2),
            (32, None, 16, 8),
            (32, Some(10), 9, 4),
            (32, Some(2), 1, 1),
            (32, Some(1), 1, 1),
        ] {
            let config = RouterConfig {
                concurrent_calls: NonZeroU32::new(concurrent).unwrap(),
                max_timed_out_calls: timed_out.and_then(NonZeroU32::new),
                ..RouterConfig::default()
            };
            assert_eq!(
                (config.calls_per_connection("Any"), config.max_timed_out_calls_per_connection("Any")),
                (per_connection, per_connection_timed_out),
                "{concurrent}, {timed_out:?}"
            );
            assert_eq!(config.max_timed_out_calls("Any"), timed_out.unwrap_or(concurrent) as usize);
        }
    }

    #[test]
    fn threads_are_enough_for_two_versions_of_each_connector() {
        let config = RouterConfig::default();
        assert_eq!(config.blocking_threads(["Excel"]), 512);
        assert_eq!(config.blocking_threads(["A"; 20]), 20 * 2 * 32 + RESERVED_THREADS);
        assert_eq!(config.blocking_threads(["A"; 1000]), 3072);
        let config = RouterConfig { threads: NonZeroU32::new(200), ..config };
        assert_eq!(config.blocking_threads(["A"; 20]), 200);
        assert_eq!(RouterConfig::call_threads(200), 104);
    }

    #[test]
    fn limits_of_a_connector_replace_those_of_all() {
        let own = ConnectorLimits { concurrent_calls: Some(NonZeroU32::MIN), ..ConnectorLimits::default() };
        let connectors = BTreeMap::from([("Excel".to_owned(), own)]);
        let config = RouterConfig { connectors, ..RouterConfig::default() };
        assert_eq!((config.concurrent_calls("EXCEL"), config.concurrent_calls("Other")), (1, 32));
        assert_eq!(config.max_timed_out_calls("excel"), 1);
        assert_eq!(config.call_deadline("Excel"), Duration::from_secs(100));
    }
}
