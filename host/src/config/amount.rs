//! Sizes and durations as people write them: `16MiB`, `100s`.

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

const MILLISECONDS: &[(&str, u64)] = &[("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

/// Reads a size in bytes, at least 1.
pub(super) fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let text = String::deserialize(deserializer)?;
    let bytes = amount(&text, SIZE_UNITS).and_then(|bytes| usize::try_from(bytes).ok());
    bytes.ok_or_else(|| {
        D::Error::custom(format!("{text:?} is not a size, expected a form like 64KiB, 16MiB or 1GiB"))
    })
}

/// Reads a duration, at least a millisecond.
pub(super) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    amount(&text, MILLISECONDS).map(Duration::from_millis).ok_or_else(|| {
        D::Error::custom(format!("{text:?} is not a duration, expected a form like 500ms, 100s, 2m or 1h"))
    })
}

/// Reads a duration that may be left out.
pub(super) fn optional_duration<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    duration(deserializer).map(Some)
}

/// A whole number above zero and its unit.
fn amount(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let (_, factor) = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit.trim()))?;
    // A thousand years is as good as for ever, and far from what clocks can add without overflow.
    number.parse::<u64>().ok()?.checked_mul(*factor).filter(|&amount| (1..1 << 45).contains(&amount))
}
