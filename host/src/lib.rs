//! The program `erp-host`: a host for SuperOffice ERP Sync connectors. It serves the SOAP contract, stores the settings of every
//! connection, and routes each call by its ConnectionGuid to the connector plugin that owns the connection.
//!
//! ```
//! use std::path::Path;
//!
//! use erp_host::config::Config;
//!
//! // What the program does first: everything else is made from the configuration.
//! let config = Config::parse("listen = \"127.0.0.1:8443\"", Path::new("erp-host.toml"))?;
//! assert_eq!(config.server.listen, "127.0.0.1:8443");
//! # Ok::<(), erp_host::config::ConfigError>(())
//! ```
//!
//! A call goes one way: [`server`] (socket, limits, path) -> `contract` (bytes -> call) -> `router` (connection -> connector)
//! -> `contract` (rows -> bytes) -> [`server`].
//!
//! - [`commands`]: the command line, one module for each command; `cli`: what commands share;
//! - [`config`]: the configuration file, composed of the configurations of the parts;
//! - [`server`]: HTTP and TLS; [`access`]: who may call;
//! - [`logging`]: the log, with a rate limit for rejections;
//! - `control`: the lock of a running host and reload requests.

pub mod access;
mod cli;
pub mod commands;
pub mod config;
mod control;
pub mod logging;
mod quantity;
pub mod server;
