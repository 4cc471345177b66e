//! One call from a command line: [`Arguments`] become a request, and [`write_exchange`] shows the reply.

mod arguments;
mod json;
mod output;
mod restriction;

#[cfg(test)]
mod tests;

pub use arguments::{Argument, ArgumentError, Arguments, check, parse_operation, parse_parent};
pub use json::{JsonError, actors_from_json, reply_to_json};
pub use output::{OutputFormat, TableStyle, write_error_traffic, write_exchange};
pub use restriction::parse as parse_restriction;
