//! The connector as the host sees it, on workbooks that the tests make.

mod archive;
mod awkward;
mod changes;
mod kit;
mod reading;
mod settings;
mod specification;
mod types;
mod writing;
