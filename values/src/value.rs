//! Typed field values.

use std::borrow::Cow;
use std::fmt;

use crate::{DateTime, FieldType};

/// A field's value. On the wire it is a text: typed ones in brackets, `[I:123]`, `[F:1.5]`,
/// `[DT:12/31/2013 23:59:59.0000000]`, a checkbox `[I:1]` or `[I:0]`; text and list keys raw (contract page, section 4). Money,
/// `[M:1.5]`, and dates, `[D:12/31/2013]`, are read as well.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// No value: `i:nil="true"` on the wire, which is not the same as an empty text.
    Null,
    /// Text, or the key of a list item.
    Text(Cow<'a, str>),
    /// A whole number.
    Integer(i64),
    /// A number.
    Double(f64),
    /// Yes or no.
    Checkbox(bool),
    /// Date and time.
    DateTime(DateTime),
}

/// A text that does not hold a value of the type that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueError {
    /// The text that came, cut after 64 characters.
    pub text: String,
    /// The type that was asked for.
    pub expected: FieldType,
}

impl<'a> Value<'a> {
    /// Reads a value by its own form: brackets give the type, everything else is text. Brackets that do not hold what
    /// they promise (`[I:abc]`) are text too.
    pub fn from_wire(text: &'a str) -> Self {
        if let Some(number) = bracketed(text, "[I:").and_then(|inner| inner.trim().parse().ok()) {
            return Value::Integer(number);
        }
        // The vendor's formatter writes money as `[M:..]` and a date as `[D:..]`.
        for number in ["[F:", "[M:"] {
            if let Some(number) = bracketed(text, number).and_then(parse_double) {
                return Value::Double(number);
            }
        }
        if let Some(date) = bracketed(text, "[DT:").and_then(|inner| inner.parse().ok()) {
            return Value::DateTime(date);
        }
        if let Some(date) = bracketed(text, "[D:").and_then(parse_date) {
            return Value::DateTime(date);
        }
        Value::Text(Cow::Borrowed(text))
    }

    /// Reads a value of a known type, in any form that the vendor's formatter has for it. The brackets may be missing, as people type values, or lack their end, as a
    /// recorded client sends them; numbers may stand in either number form. An empty text is [`Value::Null`], except
    /// for texts.
    ///
    /// # Errors
    /// The text does not hold a value of that type.
    pub fn parse(text: &'a str, field_type: FieldType) -> Result<Self, ValueError> {
        if text.is_empty() && !matches!(field_type, FieldType::Text | FieldType::Password | FieldType::Label)
        {
            return Ok(Value::Null);
        }
        let error = || ValueError { text: text.chars().take(64).collect(), expected: field_type };
        let inner = inner(text).trim();
        match field_type {
            FieldType::Text | FieldType::Password | FieldType::List | FieldType::Label => {
                Ok(Value::Text(Cow::Borrowed(text)))
            }
            FieldType::Integer => whole(inner).map(Value::Integer).ok_or_else(error),
            FieldType::Double => parse_double(inner).map(Value::Double).ok_or_else(error),
            FieldType::Checkbox => match inner {
                "1" => Ok(Value::Checkbox(true)),
                "0" => Ok(Value::Checkbox(false)),
                word if word.eq_ignore_ascii_case("true") => Ok(Value::Checkbox(true)),
                word if word.eq_ignore_ascii_case("false") => Ok(Value::Checkbox(false)),
                _ => Err(error()),
            },
            FieldType::Datetime if text.trim_start().starts_with("[D:") => {
                parse_date(inner).map(Value::DateTime).ok_or_else(error)
            }
            FieldType::Datetime => {
                let date = inner.parse().or_else(|_| DateTime::parse_sortable(inner));
                date.map(Value::DateTime).map_err(|_| error())
            }
        }
    }

    /// The wire form; `None` for [`Value::Null`].
    pub fn to_wire(&self) -> Option<Cow<'_, str>> {
        match self {
            Value::Null => None,
            Value::Text(text) => Some(Cow::Borrowed(text)),
            typed => Some(Cow::Owned(typed.to_string())),
        }
    }
}

impl fmt::Display for Value<'_> {
    /// The wire form; nothing at all for [`Value::Null`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => Ok(()),
            Value::Text(text) => f.write_str(text),
            Value::Integer(number) => write!(f, "[I:{number}]"),
            Value::Double(number) => write!(f, "[F:{number}]"),
            Value::Checkbox(on) => f.write_str(if *on { "[I:1]" } else { "[I:0]" }),
            Value::DateTime(date) => write!(f, "[DT:{date}]"),
        }
    }
}

/// What stands between a bracket form's opening and its closing bracket.
fn bracketed<'a>(text: &'a str, opening: &str) -> Option<&'a str> {
    text.strip_prefix(opening)?.strip_suffix(']')
}

/// The text without a bracket form around it, complete or not.
fn inner(text: &str) -> &str {
    let opened =
        ["[I:", "[F:", "[M:", "[DT:", "[D:"].iter().find_map(|opening| text.trim().strip_prefix(opening));
    opened.map_or(text, |inner| inner.strip_suffix(']').unwrap_or(inner))
}

/// A finite number with a decimal point; `NaN` and infinity are no field values.
fn parse_double(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

/// What is inside of `[D:..]`: a date as in `[DT:..]`, with or without a time, or day first with dots, `31.12.2013`, as the
/// vendor's documentation shows it.
fn parse_date(text: &str) -> Option<DateTime> {
    let dotted = || {
        let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let mut parts =
            text.trim().splitn(3, '.').map(|part| part.parse::<u16>().ok().filter(|_| is_number(part)));
        let (day, month, year) = (parts.next()??, parts.next()??, parts.next()??);
        DateTime::from_date(year, month.try_into().ok()?, day.try_into().ok()?)
    };
    text.parse().or_else(|_| DateTime::parse_sortable(text)).ok().or_else(dotted)
}

/// A whole number, also when written as `3.0`.
fn whole(text: &str) -> Option<i64> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let number = parse_double(text)?;
    // Within 2^53 every whole f64 is exact, so the cast loses nothing.
    #[allow(clippy::cast_possible_truncation, reason = "bounded and whole, checked on this line")]
    (number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0).then_some(number as i64)
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let example = match self.expected {
            FieldType::Checkbox => "[I:1] or [I:0]",
            FieldType::Integer => "a whole number like [I:123]",
            FieldType::Double => "a number like [F:1.5]",
            FieldType::Datetime => "a date like [DT:12/31/2013 23:59:59.0000000]",
            FieldType::Text | FieldType::Password | FieldType::List | FieldType::Label => "a text",
        };
        write!(f, "{:?} is not a value of type {}, expected {example}", self.text, self.expected)
    }
}

impl std::error::Error for ValueError {}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Text(Cow::Borrowed(text))
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Value::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Value::Text(Cow::Owned(text))
    }
}

impl<'a> From<Cow<'a, str>> for Value<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        Value::Text(text)
    }
}

impl From<i32> for Value<'_> {
    fn from(number: i32) -> Self {
        Value::Integer(number.into())
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Value::Integer(number)
    }
}

impl From<f64> for Value<'_> {
    /// `NaN` and infinity become [`Value::Null`]: the contract has no form for them.
    fn from(number: f64) -> Self {
        if number.is_finite() { Value::Double(number) } else { Value::Null }
    }
}

impl From<bool> for Value<'_> {
    fn from(on: bool) -> Self {
        Value::Checkbox(on)
    }
}

impl From<DateTime> for Value<'_> {
    fn from(date: DateTime) -> Self {
        Value::DateTime(date)
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}
