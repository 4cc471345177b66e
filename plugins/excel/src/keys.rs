//! Which key a new actor gets.
//!
//! Keys are a text and a number behind it (`C-0017`; the text may be empty). A new one follows the highest, with the
//! same leading zeros. A key that was given out is not given out again, even if its row has been deleted: SuperOffice
//! may still hold it, and would take the new actor for the old one.

use std::collections::HashMap;

/// 18 digits are sure to fit, with one more to come.
const MAX_DIGITS: usize = 18;

/// The highest key. Where several texts occur before the numbers, the most frequent one counts, the later one of two.
/// `None` when no key ends with a number.
pub(crate) fn highest<'k>(keys: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    struct Series<'k> {
        count: usize,
        last: usize,
        highest: (u64, &'k str),
    }
    let mut series: HashMap<&str, Series<'_>> = HashMap::new();
    for (at, key) in keys.enumerate() {
        let Some((text, number, _)) = parts(key) else { continue };
        let found = series.entry(text).or_insert(Series { count: 0, last: at, highest: (number, key) });
        found.count += 1;
        found.last = at;
        if number >= found.highest.0 {
            found.highest = (number, key);
        }
    }
    series.into_values().max_by_key(|series| (series.count, series.last)).map(|series| series.highest.1)
}

/// The higher one of the highest key that is there and the highest one that ever was; the one that is there if they are
/// not of one kind.
pub(crate) fn higher<'k>(there: Option<&'k str>, ever: Option<&'k str>) -> Option<&'k str> {
    let Some(there) = there else { return ever };
    match (parts(there), ever.and_then(parts)) {
        (Some((text, number, _)), Some((other_text, other, _))) if text == other_text && other > number => {
            ever
        }
        _ => Some(there),
    }
}

/// The first key after the highest one that is not taken.
pub(crate) fn next(highest: Option<&str>, taken: impl Fn(&str) -> bool) -> String {
    let (text, mut number, width) = highest.and_then(parts).unwrap_or(("", 0, 1));
    loop {
        number += 1;
        let key = format!("{text}{number:0width$}");
        if !taken(&key) {
            return key;
        }
    }
}

/// The text before the number, the number, and how many digits it has.
fn parts(key: &str) -> Option<(&str, u64, usize)> {
    let text = key.trim_end_matches(|sign: char| sign.is_ascii_digit());
    let digits = &key[text.len()..];
    let number = digits.parse().ok().filter(|_| digits.len() <= MAX_DIGITS)?;
    Some((text, number, digits.len()))
}
