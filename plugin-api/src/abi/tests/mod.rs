//! Unit tests of the boundary: its messages, the handshake, and both sides in one process.

mod call;
mod calls;
// As text, layouts differ with the size of a pointer.
#[cfg(target_pointer_width = "64")]
mod frozen;
mod handshake;
mod layout;
mod life;
mod messages;
mod saves;
mod services;
