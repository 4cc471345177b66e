//! Changing a workbook without harming anything else in it.

mod apply;
mod archive;
mod attributes;
mod check;
mod edits;
mod links;
mod outline;
mod patch;
pub(crate) mod plan;
mod push_down;
mod recalculation;
mod splices;
mod value;

use std::collections::BTreeMap;

pub(crate) use apply::apply;
#[cfg(test)]
pub(crate) use archive::replace_entries;
pub(crate) use push_down::obstacle;

/// New contents of parts, by their names.
type Parts = BTreeMap<String, Vec<u8>>;
