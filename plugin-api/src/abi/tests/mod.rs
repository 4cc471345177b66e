//! Unit tests of the boundary: its messages, the handshake, and both sides in one process.

mod calls;
mod handshake;
mod layout;
mod messages;
