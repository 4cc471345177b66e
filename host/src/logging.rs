//! The log of the host: one line to standard error for each event, as text or JSON. Each line is written at once, so none is
//! lost when the process ends.
//!
//! `text_fields`: the fields of a line of text. Lines of rejected requests are limited in [`erp_host_router::rejection`].

use std::io::{self, IsTerminal};

use erp_host_terminal::PrintableWriter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

mod config;
mod text_fields;

pub use config::{LogConfig, LogFormat};

/// Why the log cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The level is not a level or filter.
    #[error(
        "{level:?} is not a log level or filter, expected error, warn, info, debug or trace, or a filter like \
         info,erp_host::server=debug"
    )]
    Level {
        /// The configured text.
        level: String,
    },
    /// The process has one already.
    #[error("the log cannot be started: {0}")]
    Taken(Box<dyn std::error::Error + Send + Sync>),
}

/// Starts the log of this process.
///
/// # Errors
/// The level is not valid, or the process has a log already.
pub fn start(config: &LogConfig) -> Result<(), LogError> {
    erp_host_router::rejection::set_lines_per_second(config.rejection_lines_per_second);
    let filter = filter(&config.level).ok_or_else(|| LogError::Level { level: config.level.clone() })?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match config.format {
        LogFormat::Text => {
            let log = log.fmt_fields(text_fields::formatter());
            log.with_ansi(io::stderr().is_terminal()).try_init()
        }
        LogFormat::Json => {
            // The library escapes only what JSON demands.
            let log = log.with_writer(|| PrintableWriter::new(io::stderr()));
            log.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
        }
    }
    .map_err(LogError::Taken)
}

/// Starts a log without output, for a worker process: only its filter is used, to skip records that the host would not log.
///
/// # Errors
/// The level is not valid, or the process has a log already.
pub fn filter_only(level: &str) -> Result<(), LogError> {
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::util::SubscriberInitExt;
    let filter = filter(level).ok_or_else(|| LogError::Level { level: level.to_owned() })?;
    let log = tracing_subscriber::registry().with(filter);
    log.try_init().map_err(|error| LogError::Taken(error.into()))
}

/// Parses a filter. A word alone must be a level: `EnvFilter` would take a mistyped level as the name of a target, and log
/// nothing else.
fn filter(level: &str) -> Option<EnvFilter> {
    let level: String = level.split_whitespace().collect();
    // `EnvFilter` takes an empty text as the level error.
    let is_known =
        |part: &str| part.contains('=') || (!part.is_empty() && part.parse::<LevelFilter>().is_ok());
    if !level.split(',').all(is_known) {
        return None;
    }
    EnvFilter::builder().parse(level).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filter_rejects_a_mistyped_level() {
        for (level, is_known) in [
            ("info", true),
            ("WARN", true),
            ("off", true),
            ("info,erp_host::server=debug", true),
            ("info, sqlx=off", true),
            ("inof", false),
            ("", false),
            ("info,sqlx=loud", false),
        ] {
            assert_eq!(filter(level).is_some(), is_known, "{level}");
        }
    }
}
