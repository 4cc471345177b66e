//! Limits: how large a document may be.

/// Namespace declarations in force at a time: every prefix is looked up among them.
pub const MAX_BINDINGS: usize = 64;

/// Limits of a document, beyond which the tokenizer refuses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Elements may be nested so deep.
    pub depth: usize,
    /// Elements of the document.
    pub elements: usize,
    /// Attributes of one element, namespace declarations not counted.
    pub attributes: usize,
    /// Bytes of a text or of an attribute's value, as they are written.
    pub text: usize,
}

impl Limits {
    /// Of a reply, which may be as large as the data in it.
    pub const REPLY: Limits = Limits { elements: usize::MAX, text: usize::MAX, ..Limits::REQUEST };

    /// Of a request: what the contract page allows (section 5), and far more than a real message has. An unknown element
    /// costs the reader next to nothing, a known one a few dozen bytes.
    pub const REQUEST: Limits = Limits { depth: 64, elements: 500_000, attributes: 256, text: 1 << 20 };
}

impl Default for Limits {
    fn default() -> Self {
        Limits::REQUEST
    }
}
