//! Unit tests of the author's side.

mod columns;
mod folded;
mod matcher;
mod outcome;
mod settings;
