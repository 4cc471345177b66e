//! The limits of what callers may do.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::Deserialize;

use super::amount;

/// Limits of what callers may do. Beyond each, the caller gets the status that stands here, and the log a line.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// The largest request body in bytes, also after unpacking; 413.
    #[serde(deserialize_with = "amount::size")]
    pub body: usize,
    /// How many times its size a packed body may have when it is unpacked, from 1 MiB on; 413.
    pub gzip_ratio: NonZeroU32,
    /// How many bytes the bodies of all requests may have together, from the first byte to the end of the call; 503.
    #[serde(deserialize_with = "amount::size")]
    pub total_body_memory: usize,
    /// A reply of more bytes than this is kept in a file until it is sent.
    #[serde(deserialize_with = "amount::size")]
    pub reply_in_memory: usize,
    /// The largest reply in bytes; a connector that answers with more is stopped, and the call gets an error.
    #[serde(deserialize_with = "amount::size")]
    pub reply: usize,
    /// The largest request head in bytes; 431, or 414 when it is the request line.
    #[serde(deserialize_with = "amount::size")]
    pub header_size: usize,
    /// The most header lines of a request; 431.
    pub header_lines: NonZeroU32,
    /// How deep elements may be nested, and how many there may be in a message, how many attributes one may have, and how
    /// many bytes a text. A fault.
    pub xml: XmlLimits,
    /// How many connections may be open. One more ends the longest idle one, or else gets 503.
    pub connections: NonZeroU32,
    /// How many connections may be open from one address (of IPv6: one /64), unless it is a trusted proxy's; 503.
    pub connections_per_peer: NonZeroU32,
    /// How many requests may come over one connection before it is closed, which the last reply says.
    pub requests_per_connection: NonZeroU32,
    /// How many calls may be under way in the whole host, running and waiting; 503, if possible before the body is read.
    pub calls: NonZeroU32,
    /// How long a call may wait for its turn at its connector; 503.
    #[serde(deserialize_with = "amount::duration")]
    pub queue_timeout: Duration,
    /// How long the head of a request may take to arrive, from its first byte (of a connection: from its beginning); 408.
    #[serde(deserialize_with = "amount::duration")]
    pub header_timeout: Duration,
    /// How long a body may take to arrive, whatever its size; 408.
    #[serde(deserialize_with = "amount::duration")]
    pub body_timeout: Duration,
    /// How long a peer may stand still in the middle of a request's body (408) or of a reply (its connection ends).
    #[serde(deserialize_with = "amount::duration")]
    pub stall_timeout: Duration,
    /// How many bytes a second a peer must send of a body, or take of a reply, on the whole, after the first
    /// `stall_timeout`; the same as for who stands still.
    #[serde(deserialize_with = "amount::size")]
    pub min_bytes_per_second: usize,
    /// How long a connection may be open without a request. Longer than the proxy's in front (nginx: 60 s), which
    /// would otherwise now and then send a request into a connection that is just closing.
    #[serde(deserialize_with = "amount::duration")]
    pub idle_timeout: Duration,
}

/// Limits of a message.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct XmlLimits {
    /// How deep elements may be nested.
    pub depth: NonZeroU32,
    /// How many elements a message may have.
    pub elements: NonZeroU32,
    /// How many attributes an element may have.
    pub attributes: NonZeroU32,
    /// How many bytes a text or the value of an attribute may have.
    #[serde(deserialize_with = "amount::size")]
    pub text: usize,
}

const fn number(number: u32) -> NonZeroU32 {
    match NonZeroU32::new(number) {
        Some(number) => number,
        None => NonZeroU32::MIN,
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            body: 16 << 20,
            gzip_ratio: number(100),
            total_body_memory: 256 << 20,
            reply_in_memory: 4 << 20,
            reply: 1 << 30,
            header_size: 64 << 10,
            header_lines: number(100),
            xml: XmlLimits::default(),
            connections: number(2048),
            connections_per_peer: number(256),
            requests_per_connection: number(10_000),
            calls: number(512),
            queue_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(15),
            body_timeout: Duration::from_secs(300),
            stall_timeout: Duration::from_secs(30),
            min_bytes_per_second: 4 << 10,
            idle_timeout: Duration::from_secs(90),
        }
    }
}

impl Default for XmlLimits {
    fn default() -> Self {
        let contract::xml::Limits { depth, elements, attributes, text } = contract::xml::Limits::default();
        let number = |limit: usize| number(u32::try_from(limit).unwrap_or(u32::MAX));
        XmlLimits { depth: number(depth), elements: number(elements), attributes: number(attributes), text }
    }
}

impl From<XmlLimits> for contract::xml::Limits {
    fn from(limits: XmlLimits) -> Self {
        contract::xml::Limits {
            depth: limits.depth.get() as usize,
            elements: limits.elements.get() as usize,
            attributes: limits.attributes.get() as usize,
            text: limits.text,
        }
    }
}
