//! Search restrictions.

use crate::Operator;

/// A condition of an advanced search (`SearchRestrictionInfoWS` of the contract). All restrictions of a search hold
/// together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restriction {
    /// The key of the field, or one of [`Restriction::PARENT_TYPE`] and [`Restriction::PARENT_KEY`].
    pub field: String,
    /// How the field's value is compared.
    pub operator: Operator,
    /// The values to compare with, in wire form: one, two for `between`, any number for `oneof` and `notoneof`.
    pub values: Vec<String>,
}

impl Restriction {
    /// With [`Restriction::PARENT_KEY`]: only children of an actor of this type.
    pub const PARENT_TYPE: &'static str = "ParentActorType";
    /// With [`Restriction::PARENT_TYPE`]: only children of the actor with this key.
    pub const PARENT_KEY: &'static str = "ParentErpKey";

    /// A restriction.
    pub fn new<V: Into<String>>(
        field: impl Into<String>,
        operator: Operator,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        Restriction { field: field.into(), operator, values: values.into_iter().map(Into::into).collect() }
    }
}
