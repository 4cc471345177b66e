//! The section `[log]`.

use serde::Deserialize;

/// What the log has, and in which form.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// A level, or a filter as `tracing_subscriber::EnvFilter` reads it.
    pub level: String,
    /// How it is written.
    pub format: LogFormat,
    /// How many lines a second each cause of rejections has; of more only the number is logged.
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

impl Default for LogConfig {
    fn default() -> Self {
        LogConfig {
            level: "info".to_owned(),
            format: LogFormat::Text,
            rejection_lines_per_second: erp_host_router::rejection::DEFAULT_LINES_PER_SECOND,
        }
    }
}
