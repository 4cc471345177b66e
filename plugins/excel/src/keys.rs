//! Key generation: the key of a new actor.
//!
//! Most keys end with a number (`17`, `C-0017`): a new one follows the highest, with the same leading zeros. Where most are
//! GUIDs, a new one is a GUID. Where they have a number within (`A12B`), a new one has the next number at that place, if
//! the keys show what belongs around it; else no key is made up. A key that was given out is not given out again, even if
//! its row has been deleted: SuperOffice may still hold it, and would take the new actor for the old one.

use std::collections::HashMap;

/// 18 digits are sure to fit, with one more to come.
const MAX_DIGITS: usize = 18;

/// The highest key of those that a new one follows. Where several texts occur around the numbers, the most frequent one
/// counts, the later one of two. `None` when no key holds a number at its end, and no number within is shared by most.
pub(crate) fn highest<'k>(keys: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    struct Series<'k> {
        count: usize,
        last: usize,
        highest: (u64, &'k str),
    }
    let mut series: HashMap<(&str, &str), Series<'_>> = HashMap::new();
    let (mut count, mut numbered) = (0, 0);
    for (at, key) in keys.enumerate() {
        count += 1;
        // A GUID ends with a digit by chance alone.
        let Some(Parts { before, number, after, .. }) =
            parts(key).filter(|_| !is_guid(key) && !has_no_successor(key))
        else {
            continue;
        };
        numbered += usize::from(after.is_empty());
        let new = Series { count: 0, last: at, highest: (number, key) };
        let found = series.entry((before, after)).or_insert(new);
        found.count += 1;
        found.last = at;
        if number >= found.highest.0 {
            found.highest = (number, key);
        }
    }
    // A number at the end is a pattern where it is not an exception; one within, where most keys agree around it.
    let follows = |((_, after), series): &((&str, &str), Series<'_>)| match after.is_empty() {
        true => numbered * 2 >= count,
        false => series.count * 2 > count,
    };
    let found = series.into_iter().filter(follows);
    found.max_by_key(|(_, series)| (series.count, series.last)).map(|(_, series)| series.highest.1)
}

/// The higher one of the highest key that is there and the highest one that ever was; the one that is there if they are
/// not of one kind.
pub(crate) fn higher<'k>(there: Option<&'k str>, ever: Option<&'k str>) -> Option<&'k str> {
    let Some(there) = there else { return ever };
    match (parts(there), ever.and_then(parts)) {
        (Some(one), Some(other))
            if (one.before, one.after) == (other.before, other.after) && other.number > one.number =>
        {
            ever
        }
        _ => Some(there),
    }
}

/// Why no key can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoKey {
    /// The keys show no pattern to go on with.
    NoPattern,
    /// The system gives no random numbers.
    NoRandom,
}

/// The key of a new actor beside these.
///
/// # Errors
/// No key can be made that would look like the others.
pub(crate) fn next<'k>(
    keys: impl Iterator<Item = &'k str> + Clone,
    ever: Option<&str>,
    taken: impl Fn(&str) -> bool,
) -> Result<String, NoKey> {
    let (mut count, mut guids, mut with_digits, mut example) = (0, 0, 0, "");
    for key in keys.clone() {
        count += 1;
        with_digits += usize::from(key.bytes().any(|sign| sign.is_ascii_digit()));
        if is_guid(key) {
            guids += 1;
            example = key;
        }
    }
    if guids * 2 > count {
        return new_guid(example);
    }
    let highest = match (highest(keys), ever) {
        // Codes with digits, but without a pattern to continue.
        (None, None) if with_digits > 0 => return Err(NoKey::NoPattern),
        (there, ever) => higher(there, ever),
    };
    let Parts { before, mut number, width, after } =
        highest.and_then(parts).unwrap_or(Parts { before: "", number: 0, width: 1, after: "" });
    loop {
        number += 1;
        let key = format!("{before}{number:0width$}{after}");
        if !taken(&key) {
            return Ok(key);
        }
    }
}

/// A key around its last number.
struct Parts<'k> {
    before: &'k str,
    number: u64,
    /// How many digits the number has.
    width: usize,
    after: &'k str,
}

fn parts(key: &str) -> Option<Parts<'_>> {
    let end = key.rfind(|sign: char| sign.is_ascii_digit())? + 1;
    let start = key[..end].trim_end_matches(|sign: char| sign.is_ascii_digit()).len();
    let digits = &key[start..end];
    let number = digits.parse().ok().filter(|_| digits.len() <= MAX_DIGITS)?;
    Some(Parts { before: &key[..start], number, width: digits.len(), after: &key[end..] })
}

/// `3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf`, in any case, with or without hyphens and braces.
fn is_guid(key: &str) -> bool {
    let inner = key.strip_prefix('{').and_then(|key| key.strip_suffix('}')).unwrap_or(key);
    let bytes = inner.as_bytes();
    let is_hyphen = |at: &usize| matches!(at, 8 | 13 | 18 | 23);
    match bytes.len() {
        36 => bytes.iter().enumerate().all(|(at, sign)| match is_hyphen(&at) {
            true => *sign == b'-',
            false => sign.is_ascii_hexdigit(),
        }),
        // Thirty-two digits are a number, not a GUID, if no letter is among them.
        32 => bytes.iter().all(u8::is_ascii_hexdigit) && bytes.iter().any(u8::is_ascii_alphabetic),
        _ => false,
    }
}

/// A hash (a long run of hexadecimal digits in which letters and figures alternate), whose end counts nothing; or a date or a
/// time (figures with two separators and more), whose last part does not go on for ever.
fn has_no_successor(key: &str) -> bool {
    let bytes = key.as_bytes();
    let changes =
        bytes.windows(2).filter(|pair| pair[0].is_ascii_digit() != pair[1].is_ascii_digit()).count();
    let is_hash = bytes.len() >= 12 && changes >= 4 && bytes.iter().all(u8::is_ascii_hexdigit);
    let separators = bytes.iter().filter(|sign| b"-:/. ".contains(sign)).count();
    let is_date =
        separators >= 2 && bytes.iter().all(|sign| sign.is_ascii_digit() || b"-:/. ".contains(sign));
    is_hash || is_date
}

/// A random GUID (version 4), written as the example is.
fn new_guid(example: &str) -> Result<String, NoKey> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| NoKey::NoRandom)?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| {
        let digit = char::from_digit(u32::from(digit), 16).unwrap_or('0');
        if example.contains(|sign: char| sign.is_ascii_uppercase()) {
            digit.to_ascii_uppercase()
        } else {
            digit
        }
    });
    let place = |sign: char| if sign.is_ascii_hexdigit() { digits.next().unwrap_or('0') } else { sign };
    Ok(example.chars().map(place).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next_of(keys: &[&str]) -> Result<String, NoKey> {
        next(keys.iter().copied(), None, |key| keys.contains(&key))
    }

    #[test]
    fn next_key_counts_on_within_keys_where_most_agree() {
        for (keys, expected) in [
            (&["A12B"][..], Ok("A13B")),
            (&["A12B", "A07B", "X"], Ok("A13B")),
            (&["A12B", "A13B", "C-7"], Ok("A14B")),
            (&["A12B", "C7D"], Err(NoKey::NoPattern)),
            (&["4F7A", "9B2C", "77AA"], Err(NoKey::NoPattern)),
            (&["12-A", "13-A"], Ok("14-A")),
            (&["4F7A", "9B2C", "77A1"], Err(NoKey::NoPattern)),
            (&["60303ae22b998861", "1f00ae77b9112c0d"], Err(NoKey::NoPattern)),
            (&["2026-02-28", "2026-03-01"], Err(NoKey::NoPattern)),
            (&["ALFKI", "BONAP"], Ok("1")),
        ] {
            assert_eq!(next_of(keys), expected.map(str::to_owned), "{keys:?}");
        }
    }

    #[test]
    fn next_key_after_guids_is_a_guid_of_their_form() {
        for keys in [
            ["3aef3af6-8642-4fc1-8dc9-4e08bd76a6b7", "00000000-0000-4000-8000-000000000001"],
            ["{3AEF3AF6-8642-4FC1-8DC9-4E08BD76A6BF}", "{3AEF3AF6-8642-4FC1-8DC9-4E08BD76A6B1}"],
            ["3aef3af686424fc18dc94e08bd76a6bf", "3aef3af686424fc18dc94e08bd76a6b1"],
        ] {
            let (one, other) = (next_of(&keys).unwrap(), next_of(&keys).unwrap());
            assert!(is_guid(&one) && one.len() == keys[0].len() && one != other, "{one} {other}");
            assert_eq!(one.starts_with('{'), keys[0].starts_with('{'));
            assert_eq!(one.contains('-'), keys[0].contains('-'));
            assert!(!one.contains(|sign: char| sign.is_ascii_lowercase()) || !keys[0].contains('A'), "{one}");
        }
        assert!(!is_guid("00000000000000000000000000000001"));
        assert!(!is_guid("3aef3af6-8642-4fc1-8dc9-4e08bd76a6bg"));
    }
}
