//! The host over real sockets, with a client that can say odd things: bytes in, bytes out.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod access;
mod calls;
mod contract_profiles;
mod edge;
mod host;
mod hostile;
mod limits;
mod tls;
