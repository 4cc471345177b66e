//! Types of field values: what an author reads and writes instead of the wire form.

use std::fmt::Display;
use std::path::PathBuf;

use crate::{DateTime, Error, FieldType, Result, Secret, Value};

/// A type that a field of an actor, a restriction or a setting may have. Implement it for an own type, such as an enum, to
/// read and write values as that type.
#[diagnostic::on_unimplemented(
    message = "a field cannot be of type `{Self}`",
    label = "not a type of a field",
    note = "use String, PathBuf, i64, i32, u64, u32, u16, f64, bool, DateTime, Secret, or an Option of these",
    note = "an own type can be the type of a field when it implements `plugin_api::FieldValue`"
)]
pub trait FieldValue: Sized {
    /// The type of the field.
    const FIELD_TYPE: FieldType;
    /// Whether it must be filled in.
    const MANDATORY: bool = true;
    /// What is expected, for the error: "expected ..".
    const EXPECTED: &'static str;

    /// Reads what was filled in, in wire form and not empty; `None` when that is not valid.
    fn parse(text: &str) -> Option<Self>;

    /// The value when nothing was filled in; `None` when it must be filled in.
    fn empty() -> Option<Self> {
        None
    }

    /// The value to send.
    fn to_value(&self) -> Value<'_>;

    /// The least and the greatest value that a search takes for the same: see [`Restriction::range`](crate::Restriction::range).
    #[doc(hidden)]
    fn start_of_range(self) -> Self {
        self
    }

    #[doc(hidden)]
    fn end_of_range(self) -> Self {
        self
    }
}

/// Reads a value; null and what is not there are the empty value.
///
/// # Errors
/// The value is missing, or is not one of this type. `what` names it; the error has no value, which may be a secret.
pub(crate) fn read<T: FieldValue>(text: Option<&str>, what: impl Display) -> Result<T> {
    let value = match text {
        None => T::empty(),
        // An empty text is a value of a text only.
        Some("") => T::parse("").or_else(T::empty),
        Some(text) => T::parse(text),
    };
    value.ok_or_else(|| {
        let problem = if text.is_none_or(str::is_empty) { "missing" } else { "not valid" };
        Error::user(format!("{what} is {problem}, expected {}", T::EXPECTED))
    })
}

impl FieldValue for String {
    const FIELD_TYPE: FieldType = FieldType::Text;
    const EXPECTED: &'static str = "a text";

    fn parse(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }

    fn to_value(&self) -> Value<'_> {
        Value::Text(self.as_str().into())
    }
}

impl FieldValue for PathBuf {
    const FIELD_TYPE: FieldType = FieldType::Text;
    const EXPECTED: &'static str = "a path";

    fn parse(text: &str) -> Option<Self> {
        Some(text.trim().into())
    }

    fn to_value(&self) -> Value<'_> {
        Value::Text(self.to_string_lossy())
    }
}

impl FieldValue for Secret {
    const FIELD_TYPE: FieldType = FieldType::Password;
    const EXPECTED: &'static str = "a password";

    fn parse(text: &str) -> Option<Self> {
        Some(text.into())
    }

    fn to_value(&self) -> Value<'_> {
        Value::Text(self.expose().into())
    }
}

impl FieldValue for f64 {
    const FIELD_TYPE: FieldType = FieldType::Double;
    const EXPECTED: &'static str = "a number like 1.5";

    fn parse(text: &str) -> Option<Self> {
        match Value::parse(text, FieldType::Double) {
            Ok(Value::Double(number)) => Some(number),
            _ => None,
        }
    }

    fn to_value(&self) -> Value<'_> {
        Value::Double(*self)
    }
}

impl FieldValue for bool {
    const FIELD_TYPE: FieldType = FieldType::Checkbox;
    const MANDATORY: bool = false;
    const EXPECTED: &'static str = "1 or 0";

    fn parse(text: &str) -> Option<Self> {
        match Value::parse(text, FieldType::Checkbox) {
            Ok(Value::Checkbox(on)) => Some(on),
            _ => None,
        }
    }

    fn empty() -> Option<Self> {
        Some(false)
    }

    fn to_value(&self) -> Value<'_> {
        Value::Checkbox(*self)
    }
}

impl FieldValue for DateTime {
    const FIELD_TYPE: FieldType = FieldType::Datetime;
    const EXPECTED: &'static str = "a date like 2013-12-31 or 2013-12-31 23:59";

    fn parse(text: &str) -> Option<Self> {
        match Value::parse(text, FieldType::Datetime) {
            Ok(Value::DateTime(date)) => Some(date),
            _ => None,
        }
    }

    fn start_of_range(self) -> Self {
        self.without_seconds()
    }

    fn end_of_range(self) -> Self {
        const LAST_OF_MINUTE: u64 = 60 * 10_000_000 - 1;
        DateTime::from_ticks(self.without_seconds().ticks().saturating_add(LAST_OF_MINUTE)).unwrap_or(self)
    }

    fn to_value(&self) -> Value<'_> {
        Value::DateTime(*self)
    }
}

impl<T: FieldValue> FieldValue for Option<T> {
    const FIELD_TYPE: FieldType = T::FIELD_TYPE;
    const MANDATORY: bool = false;
    const EXPECTED: &'static str = T::EXPECTED;

    fn parse(text: &str) -> Option<Self> {
        T::parse(text).map(Some)
    }

    fn empty() -> Option<Self> {
        Some(None)
    }

    fn to_value(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Null, FieldValue::to_value)
    }
}

macro_rules! whole_numbers {
    ($($number:ty: $expected:literal,)+) => {$(
        impl FieldValue for $number {
            const FIELD_TYPE: FieldType = FieldType::Integer;
            const EXPECTED: &'static str = $expected;

            fn parse(text: &str) -> Option<Self> {
                match Value::parse(text, FieldType::Integer) {
                    Ok(Value::Integer(number)) => number.try_into().ok(),
                    _ => None,
                }
            }

            fn to_value(&self) -> Value<'_> {
                // A number above what the contract has is not to be sent as another one.
                i64::try_from(*self).map_or_else(|_| Value::Text(self.to_string().into()), Value::Integer)
            }
        }
    )+};
}

whole_numbers! {
    i64: "a whole number",
    i32: "a whole number from -2147483648 to 2147483647",
    u64: "a whole number from 0",
    u32: "a whole number from 0 to 4294967295",
    u16: "a whole number from 0 to 65535",
}
