//! Actor types and fields that are synchronised.

use values::{Access, FieldType};

/// An actor type, as the connector describes it.
#[derive(Debug, Clone)]
pub(super) struct ActorType {
    pub(super) name: String,
    pub(super) fields: Vec<SyncField>,
    /// Whether the connector saves changes.
    pub(super) saves: WriteSupport,
    /// Whether the connector creates actors.
    pub(super) creates: WriteSupport,
    /// Whether actors of this type have parents.
    pub(super) has_parents: bool,
}

/// Whether a connector supports a kind of writes. The metadata do not say it, so it is learnt from the replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct WriteSupport {
    refusals: u32,
    has_succeeded: bool,
}

impl WriteSupport {
    /// After this many refusals without a success, the kind of writes counts as not supported.
    const MAX_REFUSALS: u32 = 3;

    pub(super) fn is_possible(self) -> bool {
        self.has_succeeded || self.refusals < WriteSupport::MAX_REFUSALS
    }

    pub(super) fn add_success(&mut self) {
        self.has_succeeded = true;
    }

    /// Returns whether the writes now count as not supported.
    pub(super) fn add_refusal(&mut self) -> bool {
        self.refusals += 1;
        !self.has_succeeded && self.refusals == WriteSupport::MAX_REFUSALS
    }
}

/// A field that is synchronised.
#[derive(Debug, Clone)]
pub(super) struct SyncField {
    pub(super) key: String,
    pub(super) field_type: FieldType,
    pub(super) access: Access,
    pub(super) list: Option<String>,
    pub(super) max_length: usize,
}

impl SyncField {
    pub(super) fn is_writable(&self) -> bool {
        self.access != Access::ReadOnly && self.field_type != FieldType::Label
    }
}
