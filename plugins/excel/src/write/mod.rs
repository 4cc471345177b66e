//! Changing a workbook without harming anything else in it.

pub(crate) mod archive;
pub(crate) mod patch;
pub(crate) mod plan;
