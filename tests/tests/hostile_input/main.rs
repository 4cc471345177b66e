//! What means no good: messages that are broken in every way, peers that are slow, too many at once.

mod live;
mod mutations;
mod w3c;
mod watch;
