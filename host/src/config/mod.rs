//! What the operator configures: defaults, under the file, under the environment, under the flags.

mod access;
mod amount;
mod isolation;
mod limits;
mod online;
mod renamed;
mod tls;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use ipnet::IpNet;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};

pub use self::access::AccessConfig;
pub use self::isolation::{Isolation, WorkerConfig};
pub use self::limits::{Limits, XmlLimits};
pub use self::online::{OnlineClient, OnlineConfig};
pub use self::tls::TlsConfig;
use crate::logging::refusal;
use crate::router::{ConnectorLimits, RouterConfig};
use erp_host_runtime::Trust;

/// The file that is read when it exists and no other one is named.
pub const DEFAULT_FILE: &str = "erp-host.toml";

/// The flags that every command has. Each one is also an environment variable; a flag counts over its variable.
#[derive(Debug, Clone, Default, Args)]
pub struct Flags {
    /// Configuration file (TOML) [default: erp-host.toml, if it exists]
    #[arg(long, value_name = "FILE", env = "ERP_HOST_CONFIG")]
    pub config: Option<PathBuf>,
    /// Folder with the plugin files [default: ./plugins]
    #[arg(long, value_name = "DIR", env = "ERP_HOST_PLUGINS")]
    pub plugins: Option<PathBuf>,
    /// Folder for what the host and its connectors keep [default: ./data]
    #[arg(long, value_name = "DIR", env = "ERP_HOST_DATA")]
    pub data: Option<PathBuf>,
    /// File with the key that encrypts stored secrets [default: made in the data folder at the first start]
    #[arg(long, value_name = "FILE", env = "ERP_HOST_KEY_FILE")]
    pub key_file: Option<PathBuf>,
    /// What goes to the log: error, warn, info, debug, trace, or a filter like info,erp_host::server=debug
    /// [default: info]
    #[arg(long = "log", value_name = "LEVEL", env = "ERP_HOST_LOG")]
    pub log_level: Option<String>,
    /// How the log is written [default: text]
    #[arg(long, value_name = "FORMAT", env = "ERP_HOST_LOG_FORMAT")]
    pub log_format: Option<LogFormat>,
}

/// What the host does, where the operator may choose. Relative paths are below the working directory, wherever they
/// were given. `Debug` shows no value of a connector's option, because it may be a secret.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address and port to listen on; port 0 takes a free one.
    pub listen: String,
    /// Folder with the plugin files.
    pub plugins: PathBuf,
    /// Folder for what the host and its connectors keep.
    pub data: PathBuf,
    /// File with the key that encrypts stored secrets; `None`: the store's own, in the data folder.
    pub key_file: Option<PathBuf>,
    /// The connector that serves a call which names none; `None`: the first by name.
    pub default_connector: Option<String>,
    /// How long a call may take before it is answered with an error.
    #[serde(deserialize_with = "amount::duration")]
    pub call_deadline: Duration,
    /// How many calls may run at once in each connector.
    pub concurrent_calls: NonZeroU32,
    /// With so many calls that have not come back by their deadline, a connector is out of service until fewer have
    /// not; `None`: half of those that may run at once.
    pub max_timed_out_calls: Option<NonZeroU32>,
    /// How many calls may wait for their turn at each connector; one more is refused with 503.
    pub queued_calls: u32,
    /// Where connectors run.
    pub isolation: Isolation,
    /// What their worker processes may use.
    pub worker: WorkerConfig,
    /// The proxies whose `Forwarded` and `X-Forwarded-*` headers are believed: addresses or networks.
    #[serde(deserialize_with = "networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// Which plugin files are loaded.
    pub trust: Trust,
    /// The log.
    pub log: LogConfig,
    /// Limits of what callers may do.
    pub limits: Limits,
    /// What is special to a connector, by its name.
    pub connectors: BTreeMap<String, ConnectorConfig>,
    /// Online authentication.
    pub online: OnlineConfig,
    /// Who may call.
    pub access: AccessConfig,
    /// HTTPS of the host's own; `None`: plain HTTP.
    pub tls: Option<TlsConfig>,
}

/// The log.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// A level, or a filter as `tracing_subscriber::EnvFilter` reads it.
    pub level: String,
    /// How it is written.
    pub format: LogFormat,
    /// How many lines a second each cause has for which requests are refused; of more only the number is told.
    pub rejection_lines_per_second: u32,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// A JSON object a line.
    Json,
}

/// What is special to a connector.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConnectorConfig {
    /// How many calls may run at once in this connector.
    pub concurrent_calls: Option<NonZeroU32>,
    /// With so many late calls this connector is out of service.
    pub max_timed_out_calls: Option<NonZeroU32>,
    /// How long a call to this connector may take.
    #[serde(deserialize_with = "amount::optional_duration")]
    pub call_deadline: Option<Duration>,
    /// Where this connector runs.
    pub isolation: Option<Isolation>,
    /// What its worker process may use.
    pub worker: WorkerConfig,
    /// What the connector itself reads: see its documentation.
    pub options: Options,
}

/// Names and values that are handed to a connector. A name may have several values. `Debug` shows the names only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Options(Vec<(String, String)>);

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file {} cannot be read: {cause}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// The file says something that is not understood.
    #[error("{}, line {line}: {reason}", file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// Where, counted from 1.
        line: usize,
        /// What is wrong and what is expected.
        reason: String,
    },
}

impl Default for Config {
    fn default() -> Self {
        Config {
            listen: "127.0.0.1:8080".to_owned(),
            plugins: PathBuf::from("plugins"),
            data: PathBuf::from("data"),
            key_file: None,
            default_connector: None,
            call_deadline: Duration::from_secs(100),
            concurrent_calls: NonZeroU32::MIN.saturating_add(31),
            max_timed_out_calls: None,
            queued_calls: 256,
            isolation: Isolation::default(),
            worker: WorkerConfig::default(),
            trusted_proxies: Vec::new(),
            trust: Trust::default(),
            log: LogConfig::default(),
            limits: Limits::default(),
            connectors: BTreeMap::new(),
            online: OnlineConfig::default(),
            access: AccessConfig::default(),
            tls: None,
        }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        LogConfig {
            level: "info".to_owned(),
            format: LogFormat::Text,
            rejection_lines_per_second: refusal::DEFAULT_MOST,
        }
    }
}

impl Config {
    /// Reads the file that the flags name, or [`DEFAULT_FILE`] if it exists, and lays the flags over it.
    ///
    /// # Errors
    /// The file cannot be read, or says something that is not understood.
    pub fn load(flags: &Flags) -> Result<Self, ConfigError> {
        let file = flags.config.as_deref().unwrap_or(Path::new(DEFAULT_FILE));
        let mut config = match std::fs::read_to_string(file) {
            Ok(text) => Config::parse(&text, file)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound && flags.config.is_none() => {
                Config::default()
            }
            Err(cause) => return Err(ConfigError::Read { file: file.to_owned(), cause }),
        };
        let Flags { config: _, plugins, data, key_file, log_level, log_format } = flags.clone();
        config.plugins = plugins.unwrap_or(config.plugins);
        config.data = data.unwrap_or(config.data);
        config.key_file = key_file.or(config.key_file);
        config.log.level = log_level.unwrap_or(config.log.level);
        config.log.format = log_format.unwrap_or(config.log.format);
        Ok(config)
    }

    /// Reads the text of a file; `file` names it in errors.
    ///
    /// # Errors
    /// It says something that is not understood.
    pub fn parse(text: &str, file: &Path) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            let line = 1 + text.bytes().take(start).filter(|&byte| byte == b'\n').count();
            // The message may list what is expected on a line of its own.
            let reason = error.message().trim().replace('\n', ", ");
            let reason = renamed::hint(&reason).unwrap_or(reason);
            ConfigError::Line { file: file.to_owned(), line, reason }
        })
    }

    /// What is special to a connector. Case does not count, as nowhere in the names of connectors.
    fn own(&self, connector: &str) -> Option<&ConnectorConfig> {
        self.connectors.iter().find(|(name, _)| name.eq_ignore_ascii_case(connector)).map(|(_, own)| own)
    }

    /// The router's part.
    pub fn router(&self) -> RouterConfig {
        let limits = |own: &ConnectorConfig| ConnectorLimits {
            call_deadline: own.call_deadline,
            concurrent_calls: own.concurrent_calls,
            max_timed_out_calls: own.max_timed_out_calls,
        };
        RouterConfig {
            default_connector: self.default_connector.clone(),
            call_deadline: self.call_deadline,
            concurrent_calls: self.concurrent_calls,
            queued_calls: self.queued_calls,
            queue_timeout: self.limits.queue_timeout,
            max_timed_out_calls: self.max_timed_out_calls,
            connectors: self.connectors.iter().map(|(name, own)| (name.clone(), limits(own))).collect(),
            reply_in_memory: self.limits.reply_in_memory,
            max_reply: self.limits.reply,
            xml: self.limits.xml.into(),
        }
    }

    /// How long a call to this connector may take.
    pub fn call_deadline(&self, connector: &str) -> Duration {
        self.own(connector).and_then(|own| own.call_deadline).unwrap_or(self.call_deadline)
    }

    /// How many calls may run at once in this connector.
    pub fn concurrent_calls(&self, connector: &str) -> usize {
        let own = self.own(connector).and_then(|own| own.concurrent_calls);
        own.unwrap_or(self.concurrent_calls).get() as usize
    }

    /// With so many calls that have not come back in time this connector is out of service: half of those that may run
    /// at once, but not one alone if there are more.
    pub fn max_timed_out_calls(&self, connector: &str) -> usize {
        let own = self.own(connector).and_then(|own| own.max_timed_out_calls);
        let running = self.concurrent_calls(connector);
        own.or(self.max_timed_out_calls).map_or((running / 2).max(running.min(2)), |most| most.get() as usize)
    }

    /// What is handed to this connector.
    pub fn options(&self, connector: &str) -> &[(String, String)] {
        self.own(connector).map_or(&[], |own| own.options.as_slice())
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

/// Networks such as `10.0.0.0/8`, or single addresses.
fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let network = |text: String| {
        let single = || text.parse::<std::net::IpAddr>().map(IpNet::from);
        text.parse().or_else(|_| single()).map_err(|_| {
            D::Error::custom(format!(
                "{text:?} is not a network, expected a form like 10.0.0.0/8, 127.0.0.1 or ::1"
            ))
        })
    };
    Vec::<String>::deserialize(deserializer)?.into_iter().map(network).collect()
}

#[cfg(test)]
mod tests;
