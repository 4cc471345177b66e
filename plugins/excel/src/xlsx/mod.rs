//! The file format: packages, parts, sheets and their cells. Knows nothing of actors.
//!
//! All reading is strict: what Excel would repair, or what is ambiguous, is an error that names the place.
//! The same reader finds the cells to read and the places to write.

pub(crate) mod book;
mod encoding;
mod error;
pub(crate) mod formula;
pub(crate) mod limits;
pub(crate) mod package;
pub(crate) mod range;
pub(crate) mod sheet;
pub(crate) mod strings;
pub(crate) mod styles;
pub(crate) mod table_part;
pub(crate) mod xml;

pub(crate) use error::XlsxError;
