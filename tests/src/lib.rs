//! What the end-to-end tests share: the real program with real plugin files in folders of its own, a SOAP client that
//! speaks every dialect, and the tools that some tests need.

pub mod documentation;
pub mod netserver;
pub mod soap;
pub mod tampering;
mod test_host;
pub mod tools;

pub use test_host::{EXCEL, HELLO, MIRROR, ROGUE, Setup, TestHost, VERSIONS, WORKBOOK, plugin_bytes};
