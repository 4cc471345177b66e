//! The host's log: to standard error, as text or JSON.

use std::io;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

mod config;
mod lines;
mod plain;
pub mod rejection;

pub use config::{LogConfig, LogFormat};
use lines::Lines;
pub use lines::Rest;

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The level is none.
    #[error(
        "{level:?} is not a log level or filter, expected error, warn, info, debug or trace, or a filter like \
         info,erp_host::server=debug"
    )]
    Level {
        /// What was configured.
        level: String,
    },
    /// The process has one already.
    #[error("the log cannot be started: {0}")]
    Taken(Box<dyn std::error::Error + Send + Sync>),
    /// The system has no thread left for it.
    #[error("the log cannot be started: {0}")]
    Thread(io::Error),
}

/// Starts the log of this process. Lines may be written a few milliseconds late: the [`Rest`] writes those that still wait,
/// and is to be kept until nothing is logged any more.
///
/// # Errors
/// The level is none, or the process has a log already.
pub fn start(config: &LogConfig) -> Result<Rest, LogError> {
    rejection::set_lines_per_second(config.rejection_lines_per_second);
    let filter = filter(&config.level).ok_or_else(|| LogError::Level { level: config.level.clone() })?;
    let (lines, rest) = Lines::start(io::stderr()).map_err(LogError::Thread)?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(lines);
    match config.format {
        LogFormat::Text if io::IsTerminal::is_terminal(&io::stderr()) => log.with_ansi(true).try_init(),
        LogFormat::Text => log.with_ansi(false).event_format(plain::Plain).try_init(),
        LogFormat::Json => {
            log.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init()
        }
    }
    .map_err(LogError::Taken)?;
    Ok(rest)
}

/// Starts a log that goes nowhere, and says of records whether they would pass the filter.
///
/// # Errors
/// The level is none, or the process has a log already.
pub fn filter_only(level: &str) -> Result<(), LogError> {
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::util::SubscriberInitExt;
    let filter = filter(level).ok_or_else(|| LogError::Level { level: level.to_owned() })?;
    let log = tracing_subscriber::registry().with(filter);
    log.try_init().map_err(|error| LogError::Taken(error.into()))
}

/// A filter. A word alone must be a level: `EnvFilter` would take it as the name of a target, so that a mistyped level
/// would log everything of nothing.
fn filter(level: &str) -> Option<EnvFilter> {
    let level: String = level.split_whitespace().collect();
    // No word at all would mean the level error.
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
    fn a_mistyped_level_is_refused() {
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
