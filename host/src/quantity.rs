//! Sizes and durations of the configuration, as people write them: `16MiB`, `100s`.
//!
//! Own code instead of `bytesize` and `humantime`, which are less strict: the first takes a size without a unit and turns
//! one that is too large into the largest, for the second `1M` is a month; neither refuses zero.

use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error};

const SIZE_UNITS: &[(&str, u64)] = &[
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// In milliseconds.
const TIME_UNITS: &[(&str, u64)] = &[("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

/// A thousand years in milliseconds, or 32 TiB: as good as no limit, and clocks can add it without overflow.
const MAX: u64 = 1 << 45;

/// Reads a size in bytes, at least 1.
pub(crate) fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let text = String::deserialize(deserializer)?;
    let bytes = parse(&text, SIZE_UNITS).and_then(|bytes| usize::try_from(bytes).ok());
    bytes.ok_or_else(|| {
        D::Error::custom(format!("{text:?} is not a size, expected a form like 64KiB, 16MiB or 1GiB"))
    })
}

/// Reads a duration, at least a millisecond.
pub(crate) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text, TIME_UNITS).map(Duration::from_millis).ok_or_else(|| {
        D::Error::custom(format!("{text:?} is not a duration, expected a form like 500ms, 100s, 2m or 1h"))
    })
}

/// Reads a size that may be left out.
pub(crate) fn optional_size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    size(deserializer).map(Some)
}

/// Reads a duration that may be left out.
pub(crate) fn optional_duration<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    duration(deserializer).map(Some)
}

/// Reads a duration that may be left out, or `never`: [`Duration::MAX`].
pub(crate) fn optional_duration_or_never<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.trim().eq_ignore_ascii_case("never") {
        return Ok(Some(Duration::MAX));
    }
    parse(&text, TIME_UNITS).map(|time| Some(Duration::from_millis(time))).ok_or_else(|| {
        D::Error::custom(format!(
            "{text:?} is not a duration, expected a form like 100s, 30m or 12h, or never"
        ))
    })
}

/// A whole number above zero and its unit.
fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let (_, factor) = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit.trim()))?;
    number.parse::<u64>().ok()?.checked_mul(*factor).filter(|amount| (1..MAX).contains(amount))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_need_a_unit_and_are_neither_zero_nor_absurd() {
        for (text, bytes) in [
            ("16MiB", Some(16 << 20)),
            (" 64 kb ", Some(64_000)),
            ("1B", Some(1)),
            ("16", None),
            ("16M", None),
            ("1.5MiB", None),
            ("0KiB", None),
            ("-1B", None),
            ("B", None),
            ("99999999GiB", None),
            ("99999999999999999999B", None),
        ] {
            assert_eq!(parse(text, SIZE_UNITS), bytes, "{text}");
        }
        for (text, milliseconds) in [
            ("500ms", Some(500)),
            ("2m", Some(120_000)),
            ("1 H", Some(3_600_000)),
            ("100", None),
            ("0s", None),
            ("1d", None),
            ("2m 30s", None),
            ("99999999999999h", None),
        ] {
            assert_eq!(parse(text, TIME_UNITS), milliseconds, "{text}");
        }
    }
}
