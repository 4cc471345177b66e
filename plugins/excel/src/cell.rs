//! What a cell holds, and how Excel counts days and shows numbers.

use plugin_api::DateTime;

/// The value of a cell, as the workbook stores it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum CellValue {
    /// Nothing, though the cell may have a style.
    Empty,
    /// A number.
    Number(f64),
    /// A number that its format shows as a date: days since the workbook's epoch.
    Date(f64),
    /// A text.
    Text(Box<str>),
    /// TRUE or FALSE.
    Bool(bool),
    /// An error such as `#N/A`.
    Error,
}

/// Excel keeps a date as a fraction of days: exact to the microsecond in our century. We keep whole milliseconds, which
/// also survive the 15 digits that Excel itself writes.
const MS_A_DAY: f64 = 86_400_000.0;
const TICKS_A_MS: u64 = 10_000;
const TICKS_A_DAY: u64 = 86_400_000 * TICKS_A_MS;
/// The first serial number after 9999-12-31.
const END_OF_DAYS: f64 = 2_958_466.0;
/// Days from 0001-01-01 to 1899-12-30, the day 0 of the 1900 date system from 1900-03-01 on.
const DAYS_TO_1900: u64 = 693_593;
/// Days from 0001-01-01 to 1904-01-01, the day 0 of the 1904 date system.
const DAYS_TO_1904: u64 = 695_055;
/// Excel believes in a 1900-02-29, serial number 60: days before it count from one day later.
const FALSE_LEAP_DAY: u64 = 60;

/// Which day has the serial number 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DateSystem {
    /// Excel's usual one: 1900-01-01 is day 1.
    From1900,
    /// Old workbooks of Excel for Mac: 1904-01-01 is day 0.
    From1904,
}

impl DateSystem {
    /// The moment of a serial number, to the millisecond; `None` for a number that is no date.
    pub(crate) fn date(self, serial: f64) -> Option<DateTime> {
        if !(0.0..END_OF_DAYS).contains(&serial) {
            return None;
        }
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "bounded by the line above"
        )]
        let ms = (serial * MS_A_DAY).round() as u64;
        let first = match self {
            DateSystem::From1904 => DAYS_TO_1904,
            DateSystem::From1900 if ms / 86_400_000 < FALSE_LEAP_DAY => DAYS_TO_1900 + 1,
            DateSystem::From1900 => DAYS_TO_1900,
        };
        DateTime::from_ticks(first * TICKS_A_DAY + ms * TICKS_A_MS)
    }

    /// The serial number of a moment, to the millisecond; `None` before the first day of the date system.
    pub(crate) fn serial(self, date: DateTime) -> Option<f64> {
        let ticks = (date.ticks() + TICKS_A_MS / 2) / TICKS_A_MS * TICKS_A_MS;
        let since = |days: u64| ticks.checked_sub(days * TICKS_A_DAY);
        let ticks = match self {
            DateSystem::From1904 => since(DAYS_TO_1904)?,
            DateSystem::From1900 => match since(DAYS_TO_1900 + 1)? {
                // Day 0 is no date of Excel's: 1899-12-31.
                early if early < TICKS_A_DAY => return None,
                early if early < FALSE_LEAP_DAY * TICKS_A_DAY => early,
                late => late + TICKS_A_DAY,
            },
        };
        #[allow(clippy::cast_precision_loss, reason = "below 2^48 milliseconds")]
        Some((ticks / TICKS_A_MS) as f64 / MS_A_DAY)
    }
}

/// The moment to the millisecond, as a cell keeps it.
pub(crate) fn to_millisecond(date: DateTime) -> DateTime {
    DateTime::from_ticks(date.ticks() / TICKS_A_MS * TICKS_A_MS).unwrap_or(date)
}

/// What a cell's number format says about its value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct NumberFormat {
    /// It shows a number as a date or a time.
    pub(crate) is_date: bool,
    /// It is `@`: the cell is meant to hold text.
    pub(crate) is_text: bool,
    /// It shows a number with decimals, per cent, a fraction or an exponent.
    pub(crate) has_decimals: bool,
    /// Digits that are shown before and after the decimal point even when they are zero, for a plain number format.
    digits: Option<(usize, usize)>,
}

impl NumberFormat {
    /// Reads a format code such as `0000` or `dd.mm.yyyy`; `id` is the number of a built-in format.
    pub(crate) fn parse(code: &str, id: Option<u32>) -> Self {
        let plain = without_literals(code);
        let has = |signs: &[char]| plain.contains(signs);
        let builtin_date = matches!(id, Some(14..=22 | 27..=36 | 45..=47 | 50..=58));
        if code.eq_ignore_ascii_case("general") && !builtin_date {
            return NumberFormat::default();
        }
        if builtin_date || has(&['d', 'm', 'y', 'h', 's', 'D', 'M', 'Y', 'H', 'S']) {
            return NumberFormat { is_date: true, ..NumberFormat::default() };
        }
        let (before, after) = plain.split_once('.').unwrap_or((&plain, ""));
        let zeros = |part: &str| part.matches('0').count();
        let is_plain = !plain.is_empty() && plain.chars().all(|sign| "0#?,. ".contains(sign));
        NumberFormat {
            is_date: false,
            is_text: plain.trim() == "@",
            has_decimals: after.contains(['0', '#', '?']) || has(&['%', 'E', 'e', '/']),
            digits: is_plain.then(|| (zeros(before), zeros(after))),
        }
    }

    /// It fills a number up with zeros, as for zip codes: `0000`.
    pub(crate) fn has_leading_zeros(&self) -> bool {
        self.digits.is_some_and(|(before, after)| before > 1 && after == 0)
    }

    /// The number as the cell shows it, without thousands separators and units.
    pub(crate) fn shown(&self, number: f64) -> String {
        match self.digits {
            Some((before, after)) if (before, after) > (1, 0) && number.abs() < 1e15 => {
                let sign = if number < 0.0 { "-" } else { "" };
                let width = if after > 0 { before + after + 1 } else { before };
                format!("{sign}{:0width$.after$}", number.abs())
            }
            _ => general(number),
        }
    }
}

/// A number as Excel's General format shows it: 15 digits, none that are not needed.
pub(crate) fn general(number: f64) -> String {
    let rounded: f64 = format!("{number:.14e}").parse().unwrap_or(number);
    // Not "-0".
    let rounded = if rounded == 0.0 { 0.0 } else { rounded };
    format!("{rounded}")
}

/// The first section of a format code without literal text, colours, conditions and padding.
fn without_literals(code: &str) -> String {
    let mut plain = String::new();
    let mut signs = code.chars();
    while let Some(sign) = signs.next() {
        match sign {
            ';' => break,
            '"' => while signs.next().is_some_and(|sign| sign != '"') {},
            '\\' | '_' | '*' => drop(signs.next()),
            '[' => {
                let inner: String = signs.by_ref().take_while(|sign| *sign != ']').collect();
                // `[h]:mm` is a duration; `[Red]`, `[>100]` and `[$kr-414]` are not.
                if inner.chars().all(|sign| "hmsHMS".contains(sign)) {
                    plain.push_str(&inner);
                }
            }
            _ => plain.push(sign),
        }
    }
    plain
}

/// The most rows of a sheet.
pub(crate) const MAX_ROWS: u32 = 1_048_576;
/// The most columns of a sheet.
const MAX_COLUMNS: u32 = 16_384;

/// The name of a cell, such as `C7`, from row and column counted from 0.
pub(crate) fn cell_name(row: u32, column: u32) -> String {
    format!("{}{}", column_name(column), row + 1)
}

/// The letters of a column counted from 0: 0 is `A`, 26 is `AA`.
pub(crate) fn column_name(column: u32) -> String {
    let mut letters = Vec::new();
    let mut rest = column + 1;
    while rest > 0 {
        rest -= 1;
        letters.push(char::from(b'A' + u8::try_from(rest % 26).unwrap_or(0)));
        rest /= 26;
    }
    letters.iter().rev().collect()
}

/// Row and column, counted from 0, of a cell name such as `C7` or `$C$7`.
pub(crate) fn cell_position(name: &str) -> Option<(u32, u32)> {
    let name = name.trim();
    let digits = name.find(|sign: char| sign.is_ascii_digit())?;
    let mut column: u32 = 0;
    for sign in name[..digits].bytes().filter(|sign| *sign != b'$') {
        if !sign.is_ascii_alphabetic() {
            return None;
        }
        column = column.checked_mul(26)?.checked_add(u32::from(sign.to_ascii_uppercase() - b'A') + 1)?;
    }
    let row: u32 = name[digits..].trim_start_matches('$').parse().ok()?;
    let (row, column) = (row.checked_sub(1)?, column.checked_sub(1)?);
    (row < MAX_ROWS && column < MAX_COLUMNS).then_some((row, column))
}

#[cfg(test)]
mod tests;
