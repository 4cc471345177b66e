//! Equality of field values.

use values::{FieldType, Value};

/// Whether two values of a field are equal: null equals empty, and numbers and dates are compared by value, not by
/// notation.
pub(super) fn is_equal(field_type: FieldType, one: Option<&str>, other: Option<&str>) -> bool {
    let (one, other) = (one.unwrap_or_default(), other.unwrap_or_default());
    if one == other {
        return true;
    }
    match (Value::parse(one, field_type), Value::parse(other, field_type)) {
        (Ok(Value::Double(one)), Ok(Value::Double(other))) => {
            (one - other).abs() <= 1e-9 * one.abs().max(other.abs())
        }
        (Ok(Value::Text(one)), Ok(Value::Text(other))) => one == other,
        // An empty checkbox is not ticked.
        (Ok(one), Ok(other)) if field_type == FieldType::Checkbox => is_ticked(&one) == is_ticked(&other),
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

fn is_ticked(value: &Value<'_>) -> bool {
    matches!(value, Value::Checkbox(true))
}
