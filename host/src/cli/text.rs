//! Texts and questions at the terminal.

use std::io;
use std::time::SystemTime;

use plugin_api::DateTime;

/// Date and time to the second, in UTC.
pub(crate) fn utc(time: SystemTime) -> String {
    let sortable = DateTime::from_system_time(time).to_sortable();
    format!("{}Z", sortable.split('.').next().unwrap_or_default())
}

/// Such as `1 connection` and `2 connections`.
pub(crate) fn connection_count(count: usize) -> String {
    if count == 1 { "1 connection".to_owned() } else { format!("{count} connections") }
}

/// Asks a question on standard error that is answered by `y` or `n`. Everything but `y` and `yes` is no.
pub(crate) fn ask_yes_or_no(question: &str) -> io::Result<bool> {
    eprint!("{question} [y/N] ");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// The first few items of a list, and how many more there are.
pub(crate) fn first_few<T: ToString>(many: &[T]) -> String {
    const SHOWN: usize = 5;
    let mut text = many.iter().take(SHOWN).map(T::to_string).collect::<Vec<_>>().join(", ");
    if many.len() > SHOWN {
        text.push_str(&format!(" and {} more", many.len() - SHOWN));
    }
    text
}
