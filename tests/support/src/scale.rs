//! How many cases a test runs that repeats one thing in large numbers.
//!
//! `cargo xtask soak` runs all of them, and an ordinary run a twentieth. Both go through [`scale`], which reads the
//! environment variable [`SOAK`].

/// Set to 1 by `cargo xtask soak`: tests run all their cases.
pub const SOAK: &str = "ERP_HOST_SOAK";

/// An ordinary run makes one of so many cases.
const ORDINARY: usize = 20;

/// The number of cases to run of `full`: all in a soak, otherwise a twentieth, and at least one.
///
/// # Panics
/// The environment variable holds anything but 0 or 1.
pub fn scale(full: usize) -> usize {
    match std::env::var(SOAK).as_deref() {
        Ok("1") => full,
        Ok("0") | Err(_) => full.div_ceil(ORDINARY),
        Ok(other) => panic!("{SOAK} is {other:?}; expected 1 (all cases) or 0 (a twentieth)"),
    }
}

/// The same for the cases of a property test; `PROPTEST_CASES` overrides both.
///
/// # Panics
/// As [`scale`], or `PROPTEST_CASES` is not a number.
pub fn cases(full: usize) -> u32 {
    match std::env::var("PROPTEST_CASES") {
        Ok(cases) => cases.parse().expect("PROPTEST_CASES is a number"),
        Err(_) => u32::try_from(scale(full)).expect("a number of cases"),
    }
}
