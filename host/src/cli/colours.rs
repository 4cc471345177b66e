//! Colours of verdicts at a terminal.

use std::env;
use std::io::IsTerminal;

/// Whether what is written there is coloured: a terminal that is not `dumb`, and no `NO_COLOR` (<https://no-color.org>).
pub(crate) fn are_wanted(at: &impl IsTerminal) -> bool {
    let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    at.is_terminal() && !is_set("NO_COLOR") && env::var_os("TERM").is_none_or(|terminal| terminal != "dumb")
}

/// The verdicts that a report has, and their colours.
const COLOURS: [(&str, &str); 4] =
    [("passed", "\x1b[32m"), ("FAILED", "\x1b[1;31m"), ("warning", "\x1b[33m"), ("skipped", "\x1b[2m")];

/// Colours the verdict of each line that begins with a rule: `  101  passed  ..` and `rule 101 FAILED: ..`. The text must be
/// printable.
pub(crate) fn paint(text: &str) -> String {
    text.split_inclusive('\n').map(painted).collect()
}

fn painted(line: &str) -> String {
    let start = line.trim_start();
    let number = start.strip_prefix("rule ").unwrap_or(start);
    let after = number.trim_start_matches(|c: char| c.is_ascii_digit());
    let word = after.trim_start();
    let found = COLOURS.iter().find(|(verdict, _)| word.starts_with(verdict));
    match found {
        Some((verdict, colour)) if after.len() < number.len() && word.len() < after.len() => {
            let before = &line[..line.len() - word.len()];
            format!("{before}{colour}{verdict}\x1b[0m{}", &word[verdict.len()..])
        }
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paint_colours_the_verdicts_of_rules_and_nothing_else() {
        for (line, expected) in [
            ("   101  passed   A WSDL.\n", "   101  \x1b[32mpassed\x1b[0m   A WSDL.\n"),
            ("rule 405 FAILED: it passed\n", "rule 405 \x1b[1;31mFAILED\x1b[0m: it passed\n"),
            ("rule 405 warning: x", "rule 405 \x1b[33mwarning\x1b[0m: x"),
            ("  - passed 101\n", "  - passed 101\n"),
            ("55 passed, 1 failed\n", "55 \x1b[32mpassed\x1b[0m, 1 failed\n"),
            ("passed\n", "passed\n"),
            ("101passed\n", "101passed\n"),
        ] {
            assert_eq!(paint(line), expected);
        }
        assert_eq!(paint("a\n1 skipped\nb"), "a\n1 \x1b[2mskipped\x1b[0m\nb");
    }

    #[test]
    fn colours_are_for_terminals() {
        assert!(!are_wanted(&tempfile::tempfile().unwrap()));
    }
}
