//! Unit tests of the author's side.

mod matcher;
mod outcome;
mod rows;
mod search;
mod settings;
