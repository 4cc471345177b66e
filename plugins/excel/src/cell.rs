//! Cell values, Excel's serial dates, and number formats.

use std::sync::Arc;

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
    Text(Arc<str>),
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
/// Excel has a 1900-02-29, serial number 60, which never was: days before it count from one day later.
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

    /// The serial number of a time of day, to the millisecond, for a cell that shows no day. The day must be one that such
    /// times are given with: ours (1899-12-31, or 1904-01-01), that of OLE (1899-12-30), or none (0001-01-01).
    pub(crate) fn time_serial(self, date: DateTime) -> Option<f64> {
        let (day, ticks) = (date.ticks() / TICKS_A_DAY, date.ticks() % TICKS_A_DAY);
        let ours = match self {
            DateSystem::From1900 => DAYS_TO_1900 + 1,
            DateSystem::From1904 => DAYS_TO_1904,
        };
        #[allow(clippy::cast_precision_loss, reason = "below 2^27 milliseconds")]
        [ours, DAYS_TO_1900, 0].contains(&day).then(|| (ticks / TICKS_A_MS) as f64 / MS_A_DAY)
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

/// What a number format shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct NumberFormat {
    /// It shows a number as a date or a time.
    pub(crate) is_date: bool,
    /// It shows a time without a day: `hh:mm`.
    pub(crate) is_time: bool,
    /// It shows a number of days as hours, minutes or seconds: `[h]:mm`. A duration is no date.
    duration: Option<Duration>,
    /// It is `@`: the cell is meant to hold text.
    pub(crate) is_text: bool,
    /// It shows a number with decimals, per cent, a fraction or an exponent.
    pub(crate) has_decimals: bool,
    /// Digits that are shown before and after the decimal point even when they are zero, for a plain number format.
    digits: Option<(usize, usize)>,
}

/// How a duration is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Duration {
    /// The unit that is counted up: `h`, `m` or `s`.
    unit: char,
    shows_seconds: bool,
}

impl NumberFormat {
    /// It shows a number of days as hours, minutes or seconds.
    pub(crate) fn is_duration(&self) -> bool {
        self.duration.is_some()
    }

    /// Reads a format code such as `0000` or `dd.mm.yyyy`; `id` is the number of a built-in format.
    pub(crate) fn parse(code: &str, id: Option<u32>) -> Self {
        let (plain, elapsed) = without_literals(code);
        let has = |signs: &[char]| plain.contains(signs);
        let builtin_date = matches!(id, Some(14..=22 | 27..=36 | 45 | 47 | 50..=58));
        if code.eq_ignore_ascii_case("general") && !builtin_date {
            return NumberFormat::default();
        }
        if let Some(unit) = elapsed {
            let duration = Some(Duration { unit, shows_seconds: unit == 's' || has(&['s', 'S']) });
            return NumberFormat { duration, has_decimals: true, ..NumberFormat::default() };
        }
        if builtin_date || has(&['d', 'm', 'y', 'h', 's', 'D', 'M', 'Y', 'H', 'S']) {
            // An `m` beside hours or seconds stands for minutes.
            let is_time = has(&['h', 's', 'H', 'S']) && !has(&['d', 'y', 'D', 'Y']);
            return NumberFormat { is_date: true, is_time, ..NumberFormat::default() };
        }
        let (before, after) = plain.split_once('.').unwrap_or((&plain, ""));
        let zeros = |part: &str| part.matches('0').count();
        let is_plain = !plain.is_empty() && plain.chars().all(|sign| "0#?,. ".contains(sign));
        NumberFormat {
            is_text: plain.trim() == "@",
            has_decimals: after.contains(['0', '#', '?']) || has(&['%', 'E', 'e', '/']),
            digits: is_plain.then(|| (zeros(before), zeros(after))),
            ..NumberFormat::default()
        }
    }

    /// It fills a number up with zeros, as for zip codes: `0000`.
    pub(crate) fn has_leading_zeros(&self) -> bool {
        self.digits.is_some_and(|(before, after)| before > 1 && after == 0)
    }

    /// The number as the cell shows it, without thousands separators and units.
    pub(crate) fn shown(&self, number: f64) -> String {
        match self.digits {
            _ if self.duration.is_some() && number.abs() < END_OF_DAYS => self.shown_duration(number),
            Some((before, after)) if (before, after) > (1, 0) && number.abs() < 1e15 => {
                let sign = if number < 0.0 { "-" } else { "" };
                let width = if after > 0 { before + after + 1 } else { before };
                format!("{sign}{:0width$.after$}", number.abs())
            }
            _ => general(number),
        }
    }
}

impl NumberFormat {
    /// A number of days as `37:30`, `37:30:05` or `2250:05`.
    fn shown_duration(&self, days: f64) -> String {
        let Some(Duration { unit, shows_seconds }) = self.duration else { return general(days) };
        let sign = if days < 0.0 { "-" } else { "" };
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "below three million days, and not negative"
        )]
        let seconds = (days.abs() * 86_400.0).round() as u64;
        let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        match (unit, shows_seconds) {
            ('s', _) => format!("{sign}{seconds}"),
            ('m', true) => format!("{sign}{}:{rest:02}", seconds / 60),
            ('m', false) => format!("{sign}{}", seconds / 60),
            (_, true) => format!("{sign}{hours}:{minutes:02}:{rest:02}"),
            (_, false) => format!("{sign}{hours}:{minutes:02}"),
        }
    }

    /// A digest of the format: cells with the same value that show different texts have different ones.
    pub(crate) fn digest(&self) -> u64 {
        let flags = [self.is_date, self.is_time, self.is_text, self.has_decimals, self.duration.is_some()];
        let (before, after) = self.digits.map_or((0, 0), |(before, after)| (before + 1, after + 1));
        let unit = self.duration.map_or(0, |duration| u64::from(u32::from(duration.unit)));
        let numbers = [u64::try_from(before).unwrap_or(0), u64::try_from(after).unwrap_or(0), unit];
        let flags = flags.into_iter().fold(0, |all, flag| all * 2 + u64::from(flag));
        numbers.into_iter().fold(flags, |all, number| all * 1009 + number)
    }
}

/// A number as Excel's General format shows it: 15 digits, none that are not needed.
pub(crate) fn general(number: f64) -> String {
    let rounded: f64 = format!("{number:.14e}").parse().unwrap_or(number);
    // Not "-0".
    let rounded = if rounded == 0.0 { 0.0 } else { rounded };
    format!("{rounded}")
}

/// The first section of a format code without literal text, colours, conditions and padding; and the unit in brackets
/// that makes it a duration, as in `[h]:mm`.
fn without_literals(code: &str) -> (String, Option<char>) {
    let (mut plain, mut elapsed) = (String::new(), None);
    let mut signs = code.chars();
    while let Some(sign) = signs.next() {
        match sign {
            ';' => break,
            '"' => while signs.next().is_some_and(|sign| sign != '"') {},
            '\\' | '_' | '*' => drop(signs.next()),
            '[' => {
                let inner: String = signs.by_ref().take_while(|sign| *sign != ']').collect();
                // `[h]` counts hours; `[Red]`, `[>100]` and `[$kr-414]` do not.
                let mut units = inner.chars().map(|sign| sign.to_ascii_lowercase());
                if let Some(unit) = units.next().filter(|unit| "hms".contains(*unit))
                    && units.all(|other| other == unit)
                {
                    elapsed = elapsed.or(Some(unit));
                }
            }
            _ => plain.push(sign),
        }
    }
    (plain, elapsed)
}

#[cfg(test)]
mod tests;
