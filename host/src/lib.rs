//! A reference host for SuperOffice ERP Sync connectors: serves the SOAP contract, keeps every connection's settings,
//! and routes each call by its ConnectionGuid to the connector plugin that owns it.
//!
//! A request flows one way: [`server`] (socket, limits, path) -> `contract` (bytes -> call) -> [`router`] (connection ->
//! connector, off the I/O threads) -> `contract` (rows -> bytes) -> [`server`].

pub mod access;
pub mod auth;
pub mod caller;
mod cli;
pub mod commands;
pub mod config;
mod control;
pub mod file_reload;
mod key_file;
pub mod logging;
mod quantity;

pub mod router;
pub mod server;
