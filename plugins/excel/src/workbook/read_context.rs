//! What a sheet of actors is read with: the rest of the workbook, and the stamps that were given out before.

use std::collections::HashMap;

use plugin_api::DateTime;

use crate::stamps::{PriorVersions, Stamping};

use super::Styles;
use super::list::List;
use super::overrides::Overrides;

/// What a sheet of actors is read with.
pub(crate) struct ReadContext<'a> {
    pub(crate) styles: &'a Styles,
    pub(crate) lists: &'a [List],
    pub(crate) overrides: &'a Overrides,
    pub(crate) stamping: &'a Stamping,
    pub(crate) prior: PriorVersions<'a>,
    /// The stamps of rows that are about to be written, by key.
    pub(crate) given: Option<&'a HashMap<String, DateTime>>,
}
