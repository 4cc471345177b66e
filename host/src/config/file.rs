//! The shape of the configuration file, and which part of the host each key configures. Defaults are those of the parts.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use contract::MemberOrder;
use ipnet::IpNet;
use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::{Config, Flags, Target};
use crate::access::{AccessConfig, networks};
use crate::logging::LogConfig;
use crate::quantity;
use crate::server::{self, ServerConfig, TlsConfig};
use erp_host_auth::{OnlineClient, OnlineConfig};
use erp_host_router::{ConnectorLimits, ContractConfig, RouterConfig};
use erp_host_runtime::isolation::Sandbox;
use erp_host_runtime::{ConnectorConfig, Isolation, Options, RuntimeConfig, Trust, WorkerConfig};
use erp_host_store::StoreLimits;

/// The configuration file. See docs/operators/install.md for the meaning of each key.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ConfigFile {
    listen: Option<String>,
    plugins: Option<PathBuf>,
    data: Option<PathBuf>,
    key_file: Option<PathBuf>,
    default_connector: Option<String>,
    #[serde(deserialize_with = "quantity::optional_duration")]
    call_deadline: Option<Duration>,
    concurrent_calls: Option<NonZeroU32>,
    calls_per_connection: Option<NonZeroU32>,
    max_timed_out_calls: Option<NonZeroU32>,
    queued_calls: Option<u32>,
    #[serde(deserialize_with = "quantity::optional_duration_or_never")]
    connection_idle_timeout: Option<Duration>,
    #[serde(deserialize_with = "quantity::optional_duration_or_never")]
    connection_max_age: Option<Duration>,
    isolation: Isolation,
    worker: WorkerSection,
    #[serde(deserialize_with = "networks")]
    trusted_proxies: Vec<IpNet>,
    trust: Trust,
    log: LogConfig,
    limits: LimitsSection,
    contract: ContractSection,
    connectors: BTreeMap<String, ConnectorSection>,
    online: OnlineSection,
    access: AccessConfig,
    tls: Option<TlsConfig>,
    targets: BTreeMap<String, Target>,
}

/// `[limits]`: those of HTTP are the server's, those of replies and messages the router's.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct LimitsSection {
    #[serde(deserialize_with = "quantity::optional_size")]
    body: Option<usize>,
    gzip_ratio: Option<NonZeroU32>,
    #[serde(deserialize_with = "quantity::optional_size")]
    total_body_memory: Option<usize>,
    #[serde(deserialize_with = "quantity::optional_size")]
    total_body_spool: Option<usize>,
    #[serde(deserialize_with = "quantity::optional_size")]
    reply_in_memory: Option<usize>,
    #[serde(deserialize_with = "quantity::optional_size")]
    total_reply_memory: Option<usize>,
    #[serde(deserialize_with = "quantity::optional_size")]
    total_reply_spool: Option<usize>,
    #[serde(deserialize_with = "quantity::optional_size")]
    reply: Option<usize>,
    #[serde(deserialize_with = "quantity::optional_size")]
    setting: Option<usize>,
    #[serde(deserialize_with = "quantity::optional_size")]
    settings_per_connection: Option<usize>,
    stored_connections: Option<NonZeroU32>,
    #[serde(deserialize_with = "state_value")]
    state_value: Option<usize>,
    #[serde(deserialize_with = "quantity::optional_size")]
    state_per_connection: Option<usize>,
    #[serde(deserialize_with = "quantity::optional_size")]
    header_size: Option<usize>,
    header_lines: Option<NonZeroU32>,
    xml: XmlSection,
    connections: Option<NonZeroU32>,
    connections_per_peer: Option<NonZeroU32>,
    requests_per_connection: Option<NonZeroU32>,
    calls: Option<NonZeroU32>,
    threads: Option<NonZeroU32>,
    #[serde(deserialize_with = "quantity::optional_duration")]
    queue_timeout: Option<Duration>,
    #[serde(deserialize_with = "quantity::optional_duration")]
    header_timeout: Option<Duration>,
    #[serde(deserialize_with = "quantity::optional_duration")]
    body_timeout: Option<Duration>,
    #[serde(deserialize_with = "quantity::optional_duration")]
    stall_timeout: Option<Duration>,
    #[serde(deserialize_with = "quantity::optional_size")]
    min_bytes_per_second: Option<usize>,
    #[serde(deserialize_with = "quantity::optional_duration")]
    idle_timeout: Option<Duration>,
}

/// `[limits.xml]`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct XmlSection {
    depth: Option<NonZeroU32>,
    elements: Option<NonZeroU32>,
    attributes: Option<NonZeroU32>,
    #[serde(deserialize_with = "quantity::optional_size")]
    text: Option<usize>,
}

/// `[contract]`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ContractSection {
    profiles: Vec<PathBuf>,
    #[serde(deserialize_with = "member_order")]
    reply_order: MemberOrder,
}

/// `[worker]`, and `[connectors.NAME.worker]`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WorkerSection {
    #[serde(deserialize_with = "worker_memory")]
    memory: Option<u64>,
    #[serde(deserialize_with = "quantity::optional_duration")]
    cpu_time: Option<Duration>,
    #[serde(deserialize_with = "worker_open_files")]
    open_files: Option<u32>,
    #[serde(deserialize_with = "worker_tasks")]
    tasks: Option<u32>,
    user: Option<String>,
    #[serde(deserialize_with = "absolute_paths")]
    read: Option<Vec<PathBuf>>,
    #[serde(deserialize_with = "absolute_paths")]
    write: Option<Vec<PathBuf>>,
    sandbox: Option<Sandbox>,
    environment: Option<Vec<String>>,
    max_crashes_per_minute: Option<NonZeroU32>,
    #[serde(deserialize_with = "quantity::optional_duration")]
    crash_backoff: Option<Duration>,
}

/// `[online]`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct OnlineSection {
    issuer: Option<String>,
    #[serde(deserialize_with = "quantity::optional_duration")]
    clock_skew: Option<Duration>,
    #[serde(deserialize_with = "quantity::optional_duration")]
    token_lifetime: Option<Duration>,
    clients: BTreeMap<String, OnlineClient>,
}

/// `[connectors.NAME]`.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ConnectorSection {
    concurrent_calls: Option<NonZeroU32>,
    calls_per_connection: Option<NonZeroU32>,
    max_timed_out_calls: Option<NonZeroU32>,
    #[serde(deserialize_with = "quantity::optional_duration")]
    call_deadline: Option<Duration>,
    #[serde(deserialize_with = "quantity::optional_duration_or_never")]
    connection_idle_timeout: Option<Duration>,
    #[serde(deserialize_with = "quantity::optional_duration_or_never")]
    connection_max_age: Option<Duration>,
    isolation: Option<Isolation>,
    worker: WorkerSection,
    options: Options,
}

impl ConfigFile {
    /// Puts what the flags say above what the file says.
    pub(super) fn apply(&mut self, flags: &Flags) {
        let Flags { config: _, plugins, data, key_file, log_level, log_format } = flags.clone();
        self.plugins = plugins.or(self.plugins.take());
        self.data = data.or(self.data.take());
        self.key_file = key_file.or(self.key_file.take());
        set(&mut self.log.level, log_level);
        set(&mut self.log.format, log_format);
    }
}

impl From<ConfigFile> for Config {
    fn from(file: ConfigFile) -> Self {
        let mut server =
            ServerConfig { tls: file.tls, trusted_proxies: file.trusted_proxies, ..ServerConfig::default() };
        set(&mut server.listen, file.listen);

        let mut router =
            RouterConfig { default_connector: file.default_connector, ..RouterConfig::default() };
        set(&mut router.call_deadline, file.call_deadline);
        set(&mut router.concurrent_calls, file.concurrent_calls);
        set(&mut router.queued_calls, file.queued_calls);
        set(&mut router.connection_lifetime.idle, file.connection_idle_timeout);
        set(&mut router.connection_lifetime.age, file.connection_max_age);
        router.calls_per_connection = file.calls_per_connection;
        router.max_timed_out_calls = file.max_timed_out_calls;
        file.limits.apply(&mut server.limits, &mut router);
        let ContractSection { profiles, reply_order } = file.contract;
        router.contract = ContractConfig { profiles, reply_order };

        let mut runtime = RuntimeConfig {
            trust: file.trust,
            isolation: file.isolation,
            worker: file.worker.into(),
            call_deadline: router.call_deadline,
            log_filter: file.log.level.clone(),
            connectors: BTreeMap::new(),
        };
        for (name, section) in file.connectors {
            let (limits, connector) = section.into_parts();
            router.connectors.insert(name.clone(), limits);
            runtime.connectors.insert(name, connector);
        }

        Config {
            plugins: file.plugins.unwrap_or_else(|| PathBuf::from("plugins")),
            data: file.data.unwrap_or_else(|| PathBuf::from("data")),
            key_file: file.key_file,
            server,
            access: file.access,
            online: file.online.into(),
            router,
            runtime,
            log: file.log,
            targets: file.targets,
        }
    }
}

impl LimitsSection {
    fn apply(self, server: &mut server::Limits, router: &mut RouterConfig) {
        set(&mut server.body, self.body);
        set(&mut server.gzip_ratio, self.gzip_ratio);
        set(&mut server.total_body_memory, self.total_body_memory);
        set(&mut server.total_body_spool, self.total_body_spool);
        set(&mut server.header_size, self.header_size);
        set(&mut server.header_lines, self.header_lines);
        set(&mut server.connections, self.connections);
        set(&mut server.connections_per_peer, self.connections_per_peer);
        set(&mut server.requests_per_connection, self.requests_per_connection);
        set(&mut server.calls, self.calls);
        set(&mut server.header_timeout, self.header_timeout);
        set(&mut server.body_timeout, self.body_timeout);
        set(&mut server.stall_timeout, self.stall_timeout);
        set(&mut server.min_bytes_per_second, self.min_bytes_per_second);
        set(&mut server.idle_timeout, self.idle_timeout);

        router.threads = self.threads;
        set(&mut router.queue_timeout, self.queue_timeout);
        set(&mut router.reply_in_memory, self.reply_in_memory);
        set(&mut router.total_reply_memory, self.total_reply_memory);
        set(&mut router.total_reply_spool, self.total_reply_spool);
        set(&mut router.max_reply, self.reply);
        let number = |number: NonZeroU32| number.get() as usize;
        set(&mut router.store.setting, self.setting);
        set(&mut router.store.settings, self.settings_per_connection);
        set(&mut router.store.connections, self.stored_connections.map(number));
        set(&mut router.store.state_value, self.state_value);
        set(&mut router.store.state_per_connection, self.state_per_connection.map(|bytes| bytes as u64));
        set(&mut router.xml.depth, self.xml.depth.map(number));
        set(&mut router.xml.elements, self.xml.elements.map(number));
        set(&mut router.xml.attributes, self.xml.attributes.map(number));
        set(&mut router.xml.text, self.xml.text);
    }
}

impl ConnectorSection {
    fn into_parts(self) -> (ConnectorLimits, ConnectorConfig) {
        let ConnectorSection {
            concurrent_calls,
            calls_per_connection,
            max_timed_out_calls,
            call_deadline,
            connection_idle_timeout,
            connection_max_age,
            isolation,
            worker,
            options,
        } = self;
        (
            ConnectorLimits {
                call_deadline,
                concurrent_calls,
                calls_per_connection,
                max_timed_out_calls,
                connection_idle_timeout,
                connection_max_age,
            },
            ConnectorConfig { isolation, worker: worker.into(), call_deadline, options },
        )
    }
}

impl From<OnlineSection> for OnlineConfig {
    fn from(section: OnlineSection) -> Self {
        let mut online = OnlineConfig { clients: section.clients, ..OnlineConfig::default() };
        set(&mut online.issuer, section.issuer);
        set(&mut online.clock_skew, section.clock_skew);
        set(&mut online.token_lifetime, section.token_lifetime);
        online
    }
}

impl From<WorkerSection> for WorkerConfig {
    fn from(section: WorkerSection) -> Self {
        WorkerConfig {
            memory: section.memory,
            cpu_time: section.cpu_time,
            open_files: section.open_files,
            tasks: section.tasks,
            user: section.user,
            read: section.read,
            write: section.write,
            sandbox: section.sandbox,
            environment: section.environment,
            max_crashes_per_minute: section.max_crashes_per_minute,
            crash_backoff: section.crash_backoff,
            program: None,
        }
    }
}

/// A key that is left out keeps its default.
fn set<T>(setting: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *setting = value;
    }
}

fn member_order<'de, D: Deserializer<'de>>(deserializer: D) -> Result<MemberOrder, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

fn worker_memory<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let bytes = quantity::size(deserializer)? as u64;
    if bytes < WorkerConfig::MIN_MEMORY {
        let least = WorkerConfig::MIN_MEMORY >> 20;
        return Err(D::Error::custom(format!(
            "{bytes} bytes of memory are too few, expected {least}MiB or more"
        )));
    }
    Ok(Some(bytes))
}

fn state_value<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    let bytes = quantity::size(deserializer)?;
    if bytes > StoreLimits::LARGEST_STATE_VALUE {
        let most = StoreLimits::LARGEST_STATE_VALUE >> 20;
        return Err(D::Error::custom(format!(
            "{bytes} bytes for a value of a connection's state are too many, expected {most}MiB or less"
        )));
    }
    Ok(Some(bytes))
}

fn worker_open_files<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let files = u32::deserialize(deserializer)?;
    if files < WorkerConfig::MIN_OPEN_FILES {
        return Err(D::Error::custom(format!(
            "{files} open files are too few, expected {} or more",
            WorkerConfig::MIN_OPEN_FILES
        )));
    }
    Ok(Some(files))
}

fn worker_tasks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let tasks = u32::deserialize(deserializer)?;
    if tasks < WorkerConfig::MIN_TASKS {
        return Err(D::Error::custom(format!(
            "{tasks} processes and threads are too few, expected {} or more",
            WorkerConfig::MIN_TASKS
        )));
    }
    Ok(Some(tasks))
}

fn absolute_paths<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<PathBuf>>, D::Error> {
    let paths = Vec::<PathBuf>::deserialize(deserializer)?;
    match paths.iter().find(|path| !path.is_absolute()) {
        Some(path) => Err(D::Error::custom(format!(
            "{} is no absolute path, expected one like /srv/workbooks",
            path.display()
        ))),
        None => Ok(Some(paths)),
    }
}
