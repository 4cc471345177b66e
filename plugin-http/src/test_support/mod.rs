//! For tests of connectors, as a dev-dependency: a [`Server`] in the test's process, and [`Recorded`] exchanges with an ERP system.

mod exchanges;
mod recorded;
mod server;

pub use recorded::Recorded;
pub use server::{Reply, ServedRequest, Server};
