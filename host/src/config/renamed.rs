//! Keys of the configuration file that had another name.

/// Old names, and what each is called now.
const RENAMED: &[(&str, &str)] = &[
    ("bodies", "total_body_memory"),
    ("crash_pause", "crash_backoff"),
    ("crashes", "max_crashes_per_minute"),
    ("head", "header_size"),
    ("head_timeout", "header_timeout"),
    ("headers", "header_lines"),
    ("late_calls", "max_timed_out_calls"),
    ("refusals_per_second", "rejection_lines_per_second"),
    ("slowest", "min_bytes_per_second"),
];

/// What to write instead of the unknown field that a message of serde names: ``unknown field `slowest`, expected ..``.
/// `None` when the table that it stands in has no such key either.
pub(super) fn hint(message: &str) -> Option<String> {
    let (field, expected) = message.strip_prefix("unknown field `")?.split_once('`')?;
    let (old, new) = RENAMED.iter().find(|(old, _)| *old == field)?;
    expected.contains(&format!("`{new}`")).then(|| format!("{old:?} is now {new:?}"))
}
