//! A small, strict XML 1.0 tokenizer with namespaces and without DTD, and the escaping that replies need.
//!
//! The tokenizer is the contract's guard: what it lets pass is well-formed, so the reader above it only thinks about
//! structure. It borrows from the text, does not recurse, and takes time in proportion to the text's length.

mod cursor;
mod error;
pub(crate) mod escape;
mod limits;
mod names;
mod namespaces;
mod start_tag;
mod text;
mod tokenizer;

pub use error::{XmlError, XmlErrorKind};
pub use escape::escape;
pub use limits::{Limits, MAX_BINDINGS};
pub use tokenizer::{Token, Tokenizer};

#[cfg(test)]
mod tests;
