//! Runs the connectors of a host: it loads plugin files from a folder, replaces and retires them while the host runs (hot
//! reload), and can run each connector in a worker process of its own.
//!
//! ```no_run
//! use std::path::Path;
//!
//! use erp_host_runtime::PluginWatcher;
//!
//! // The policy: no options, and every connector runs in this process.
//! let policy = |_connector: &str| Vec::new();
//! let mut watcher = PluginWatcher::load(Path::new("plugins"), Path::new("data"), &policy)?;
//! let plugin = watcher.plugins().connector(Some("Excel"))?;
//! println!("{} needs {} settings", plugin.name(), plugin.connector.settings_form().map_or(0, |form| form.len()));
//!
//! // About every second:
//! for change in watcher.poll(&policy, false)? {
//!     println!("{change}");
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A file goes through these modules:
//!
//! - `scan`: lists the plugin files of a folder, and shows whether one has changed;
//! - `trust`, `signature`: whether a file may be loaded, by its permissions, its SHA-256 hash or its Ed25519 signature;
//! - `object_file`: whether it is a complete shared library for this system;
//! - `file_handshake`: reads the handshake from the file, without running its code;
//! - `cache`, `library`: makes a private copy of it and opens the copy;
//! - `load`: does all of this for one file: handshake, layout check, and the connector;
//! - `plugins`: all plugins of a folder; `plugin`: one of them;
//! - `watcher`: applies the changes of a folder (hot reload).
//!
//! Beside them:
//!
//! - `installed`: the files of a folder by their handshakes, without running them; `glibc`: which system a file needs;
//! - `config`: what the operator configures; `policy`: the same as a trait, for other programs and for tests;
//! - [`isolation`]: worker processes: supervisor, crash circuit breaker, protocol;
//! - `environment`: the environment variables of the start, for worker processes;
//! - `log_bridge`: hands the log records of a plugin to `tracing`; `log_context`: the call that they belong to.
//!
//! Code that was loaded is never unloaded: threads and static data of a plugin may be in use until the process ends.

mod cache;
mod config;
mod environment;
mod file_handshake;
mod glibc;
mod installed;
pub mod isolation;
mod library;
mod load;
mod log_bridge;
mod log_context;
mod object_file;

mod plugin;
mod plugins;
mod policy;
mod scan;
mod signature;
mod trust;
mod watcher;

pub use config::{ConnectorConfig, Isolation, Options, RuntimeConfig, WorkerConfig};
pub use glibc::required_glibc;
pub use installed::{InstalledFile, installed};
pub use load::{LoadError, MAX_PLUGIN_SIZE, PluginFile, is_name as is_connector_name};
pub use log_context::LogContext;
pub use plugin::Plugin;
pub use plugins::{FolderError, Plugins, UnknownConnector};
pub use policy::PluginPolicy;
pub use signature::{KeyError, PublicKey, Signature, SigningKey};
pub use trust::{Trust, Untrusted, signature_path};
pub use watcher::{Change, PluginWatcher};
