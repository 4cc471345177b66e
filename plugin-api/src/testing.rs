//! Running a connector without a host.

use crate::abi::{MessageRef, RowRef};
use crate::rows::RowSink;
use crate::{Actor, Outcome, Result, Rows};

/// Runs a method that answers with actors, and collects them.
///
/// `fields` are the keys of the fields that the caller asks for: `None` for all.
///
/// # Errors
/// What the method returned.
///
/// ```no_run
/// # use plugin_api::{Connection, testing};
/// # fn test(connection: impl Connection) -> plugin_api::Result<()> {
/// let (actors, _) = testing::collect("Customer", None, |rows| connection.get("Customer", &["1"], rows))?;
/// assert_eq!(actors[0].key, "1");
/// # Ok(())
/// # }
/// ```
pub fn collect(
    actor_type: &str,
    fields: Option<&[&str]>,
    method: impl FnOnce(&mut Rows<'_>) -> Result<Outcome>,
) -> Result<(Vec<Actor>, Outcome)> {
    let mut collected = Collected(Vec::new());
    let outcome = {
        let mut rows = Rows::new(actor_type, fields, &mut collected);
        let outcome = method(&mut rows)?;
        rows.flush()?;
        outcome
    };
    Ok((collected.0, outcome))
}

struct Collected(Vec<Actor>);

impl RowSink for Collected {
    fn push(&mut self, batch: MessageRef<'_>) -> Result<()> {
        let mut reader = batch.reader();
        while !reader.is_empty() {
            self.0.push(RowRef::read(&mut reader)?.to_actor());
        }
        Ok(())
    }
}
