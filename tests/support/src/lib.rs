//! What tests share, and what `cargo xtask demo` runs on.
//!
//! - [`build`]: the program and the plugin files, built with cargo
//! - [`TestHost`], [`Setup`]: a host process in folders of its own; [`host_process`] starts any host program
//! - [`plugins_folder`]: a plugins folder without a host
//! - [`http`]: client, connections and server; [`soap`]: calls of the contract and their [`soap::Answer`]; [`exchange`]: one
//!   call on the wire
//! - [`proxy`]: changes what passes between a client and a host; [`netserver`]: a stand-in for NetServer
//! - [`other_contract`]: a service of another contract, in front of a host
//! - [`open_load`]: requests at a fixed rate
//! - [`scale()`]: how many cases a test runs
//! - [`tryton`]: a real ERP system
//! - [`documentation`]: the examples of the book; [`tools`]: programs that are not ours

pub mod build;
pub mod documentation;
pub mod exchange;
pub mod host_process;
pub mod http;
pub mod netserver;
pub mod open_load;
pub mod other_contract;
pub mod plugins_folder;
pub mod proxy;
pub mod scale;
pub mod soap;
mod test_host;
pub mod tools;
pub mod tryton;
mod wait;

pub use scale::scale;
pub use test_host::{
    BROKEN, EXCEL, HELLO, HTTP, MIRROR, ROGUE, Setup, TRYTON, TestHost, VERSIONS, WORKBOOK, minimal_host,
    plugin_bytes,
};
pub use wait::wait_until;
