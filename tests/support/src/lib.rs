//! What tests share: building the program and the plugin files, a host in folders of its own, clients for HTTP and SOAP,
//! a NetServer, a proxy that breaks rules, and the tools that some tests need. Also what `cargo xtask demo` runs on.

pub mod build;
pub mod documentation;
pub mod exchange;
pub mod host_process;
pub mod http;
pub mod netserver;
pub mod open_load;
pub mod plugins_folder;
pub mod proxy;
pub mod scale;
pub mod soap;
mod test_host;
pub mod tools;

pub use scale::scale;
pub use test_host::{EXCEL, HELLO, MIRROR, ROGUE, Setup, TestHost, VERSIONS, WORKBOOK, minimal_host, plugin_bytes};
