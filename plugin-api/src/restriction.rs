//! Search restrictions.

use crate::{FieldType, Operator};

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

    /// The operators that a field of this type can be searched with (contract page, section 4); none for types that
    /// cannot be searched.
    pub const fn operators(field_type: FieldType) -> &'static [Operator] {
        use Operator as Op;
        match field_type {
            FieldType::Text => &[
                Op::Equal,
                Op::IsNot,
                Op::Begins,
                Op::Contains,
                Op::Ends,
                Op::NotBegins,
                Op::NotContains,
                Op::NotEnds,
                Op::Between,
            ],
            FieldType::Integer | FieldType::Double => &[
                Op::Equal,
                Op::NotEqual,
                Op::Greater,
                Op::Less,
                Op::GreaterOrEqual,
                Op::LessOrEqual,
                Op::Between,
            ],
            FieldType::Checkbox => &[Op::Equal],
            FieldType::List => &[Op::OneOf, Op::NotOneOf],
            FieldType::Datetime => {
                &[Op::Equal, Op::Before, Op::After, Op::BeforeOrEqual, Op::AfterOrEqual, Op::Between]
            }
            _ => &[],
        }
    }
}
