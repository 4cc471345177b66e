//! Date and time as the contract writes them.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A date and time of day without a time zone, in steps of 100 ns, from year 1 to 9999: what `[DT:..]` carries.
/// Ordered by time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DateTime {
    /// 100 ns steps since 0001-01-01 00:00.
    ticks: u64,
}

/// A text that is no date and time, or a date that does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DateTimeError {
    text: String,
}

const TICKS_A_SECOND: u64 = 10_000_000;
const TICKS_A_DAY: u64 = 86_400 * TICKS_A_SECOND;
/// Days from 0001-01-01 to 1970-01-01.
const UNIX_EPOCH_DAYS: u64 = 719_162;
/// Days from 0001-01-01 to the first day after 9999-12-31.
const END_DAYS: u64 = 3_652_059;

impl DateTime {
    /// The given day at midnight; `None` when there is no such day.
    pub fn from_date(year: u16, month: u8, day: u8) -> Option<Self> {
        if !(1..=9999).contains(&year) || !(1..=12).contains(&month) || day == 0 || day > days_in(year, month)
        {
            return None;
        }
        Some(DateTime { ticks: days_before(year, month, day) * TICKS_A_DAY })
    }

    /// The same day at another time; `ticks` are the 100 ns steps of the fraction. `None` when there is no such time.
    pub fn at(self, hour: u8, minute: u8, second: u8, ticks: u32) -> Option<Self> {
        if hour > 23 || minute > 59 || second > 59 || u64::from(ticks) >= TICKS_A_SECOND {
            return None;
        }
        let seconds = (u64::from(hour) * 60 + u64::from(minute)) * 60 + u64::from(second);
        let midnight = self.ticks - self.ticks % TICKS_A_DAY;
        Some(DateTime { ticks: midnight + seconds * TICKS_A_SECOND + u64::from(ticks) })
    }

    /// The moment, in UTC.
    pub fn from_system_time(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let ticks = since
            .as_secs()
            .saturating_mul(TICKS_A_SECOND)
            .saturating_add(u64::from(since.subsec_nanos() / 100));
        let most = END_DAYS * TICKS_A_DAY - 1;
        DateTime { ticks: ticks.saturating_add(UNIX_EPOCH_DAYS * TICKS_A_DAY).min(most) }
    }

    /// 100 ns steps since 0001-01-01 00:00 (.NET's `DateTime.Ticks`).
    pub fn ticks(self) -> u64 {
        self.ticks
    }

    /// The moment so many 100 ns steps after 0001-01-01 00:00; `None` beyond year 9999.
    pub fn from_ticks(ticks: u64) -> Option<Self> {
        (ticks < END_DAYS * TICKS_A_DAY).then_some(DateTime { ticks })
    }

    /// Year, month (1 to 12) and day of the month.
    pub fn date(self) -> (u16, u8, u8) {
        date_of(self.ticks / TICKS_A_DAY)
    }

    /// Hour, minute, second, and the 100 ns steps of the fraction.
    #[allow(clippy::cast_possible_truncation, reason = "each part is bounded by the modulus before it")]
    pub fn time(self) -> (u8, u8, u8, u32) {
        let of_day = self.ticks % TICKS_A_DAY;
        let seconds = of_day / TICKS_A_SECOND;
        (
            (seconds / 3600) as u8,
            (seconds / 60 % 60) as u8,
            (seconds % 60) as u8,
            (of_day % TICKS_A_SECOND) as u32,
        )
    }

    /// The same moment without its seconds: date comparison ignores them (contract page, section 4).
    #[must_use]
    pub fn without_seconds(self) -> Self {
        DateTime { ticks: self.ticks - self.ticks % (60 * TICKS_A_SECOND) }
    }

    /// The moment so long before, for a margin: `changed_since` answers with changes since a little before the stamp. The first
    /// moment of the year 1 if there is none.
    ///
    /// ```
    /// use std::time::Duration;
    /// use values::DateTime;
    ///
    /// let date = DateTime::parse_sortable("2026-03-01T00:00:30")?;
    /// assert_eq!(date.saturating_sub(Duration::from_secs(60)).to_sortable(), "2026-02-28T23:59:30.0000000");
    /// # Ok::<(), values::DateTimeError>(())
    /// ```
    #[must_use]
    pub fn saturating_sub(self, time: Duration) -> Self {
        let ticks = u64::try_from(time.as_nanos() / 100).unwrap_or(u64::MAX);
        DateTime { ticks: self.ticks.saturating_sub(ticks) }
    }

    /// A sortable text, `2013-05-13T13:50:45.0000000`: the form of a stamp (`LastModified`).
    pub fn to_sortable(self) -> String {
        let ((year, month, day), (hour, minute, second, ticks)) = (self.date(), self.time());
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ticks:07}")
    }

    /// Reads `2013-05-13`, `2013-05-13T13:50`, `2013-05-13 13:50:45`, with up to 7 digits of fraction, and an optional `Z`.
    ///
    /// # Errors
    /// The text is of another form, or there is no such date or time.
    pub fn parse_sortable(text: &str) -> Result<Self, DateTimeError> {
        let error = || DateTimeError::new(text);
        let plain = text.trim().trim_end_matches('Z');
        let (date, time) =
            plain.split_once(['T', ' ']).map_or((plain, None), |(date, time)| (date, Some(time)));
        let mut parts = date.splitn(3, '-');
        let (year, month, day) = (number(parts.next()), number(parts.next()), number(parts.next()));
        let (Some(year), Some(month), Some(day)) = (year, month, day) else { return Err(error()) };
        build(year, month, day, time).ok_or_else(error)
    }
}

impl FromStr for DateTime {
    type Err = DateTimeError;

    /// Reads the form inside `[DT:..]`: `12/31/2013 23:59:59.0000000` (month first); the time, its seconds and their
    /// fraction may be missing.
    fn from_str(text: &str) -> Result<Self, DateTimeError> {
        let error = || DateTimeError::new(text);
        let plain = text.trim();
        let (date, time) = plain.split_once(' ').map_or((plain, None), |(date, time)| (date, Some(time)));
        let mut parts = date.splitn(3, '/');
        let (month, day, year) = (number(parts.next()), number(parts.next()), number(parts.next()));
        let (Some(month), Some(day), Some(year)) = (month, day, year) else { return Err(error()) };
        build(year, month, day, time).ok_or_else(error)
    }
}

impl fmt::Display for DateTime {
    /// Writes the form inside `[DT:..]`: `12/31/2013 23:59:59.0000000`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((year, month, day), (hour, minute, second, ticks)) = (self.date(), self.time());
        write!(f, "{month:02}/{day:02}/{year:04} {hour:02}:{minute:02}:{second:02}.{ticks:07}")
    }
}

impl fmt::Debug for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_sortable())
    }
}

impl DateTimeError {
    fn new(text: &str) -> Self {
        DateTimeError { text: text.chars().take(64).collect() }
    }
}

impl fmt::Display for DateTimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a date and time, expected a form like 12/31/2013 23:59:59.0000000", self.text)
    }
}

impl std::error::Error for DateTimeError {}

/// A part of a date or time: digits only.
fn number(text: Option<&str>) -> Option<u32> {
    let text = text?;
    let digits = !text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// Date and `hh:mm[:ss[.fffffff]]`, checked.
fn build(year: u32, month: u32, day: u32, time: Option<&str>) -> Option<DateTime> {
    let date = DateTime::from_date(year.try_into().ok()?, month.try_into().ok()?, day.try_into().ok()?)?;
    let Some(time) = time else { return Some(date) };
    let mut parts = time.splitn(3, ':');
    let (hour, minute) = (number(parts.next())?, number(parts.next())?);
    let (second, ticks) = match parts.next() {
        None => (0, 0),
        Some(seconds) => match seconds.split_once('.') {
            None => (number(Some(seconds))?, 0),
            Some((whole, fraction)) => (number(Some(whole))?, fraction_ticks(fraction)?),
        },
    };
    date.at(hour.try_into().ok()?, minute.try_into().ok()?, second.try_into().ok()?, ticks)
}

/// `5` -> 5,000,000 steps of 100 ns; at most 7 digits.
fn fraction_ticks(digits: &str) -> Option<u32> {
    if digits.is_empty() || digits.len() > 7 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let scale = 10u32.pow(u32::try_from(7 - digits.len()).ok()?);
    digits.parse::<u32>().ok().map(|value| value * scale)
}

fn is_leap(year: u16) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in(year: u16, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 0001-01-01 to the given day.
fn days_before(year: u16, month: u8, day: u8) -> u64 {
    let past = u64::from(year) - 1;
    let of_months: u64 = (1..month).map(|month| u64::from(days_in(year, month))).sum();
    past * 365 + past / 4 - past / 100 + past / 400 + of_months + u64::from(day) - 1
}

/// The inverse of [`days_before`].
#[allow(clippy::cast_possible_truncation, reason = "a year up to 9999 and a day of a month")]
fn date_of(days: u64) -> (u16, u8, u8) {
    // A year has at least 365 days: this guess is at most some years too late.
    let mut year = (days / 365 + 1) as u16;
    while days_before(year, 1, 1) > days {
        year -= 1;
    }
    let mut left = days - days_before(year, 1, 1);
    let mut month = 1;
    while left >= u64::from(days_in(year, month)) {
        left -= u64::from(days_in(year, month));
        month += 1;
    }
    (year, month, left as u8 + 1)
}
