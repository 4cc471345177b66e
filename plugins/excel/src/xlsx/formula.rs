//! Which cells a formula names.

use super::range::CellRange;

/// The ranges that a formula names by their addresses (`A1`, `$B$2:C7`, `C:C`), each with the sheet that it names (`None`:
/// its own sheet). Columns of tables (`Table1[Credit]`) are no addresses.
pub(crate) fn references(formula: &str) -> Vec<(Option<String>, CellRange)> {
    let mut found = Vec::new();
    let mut rest = formula;
    let mut sheet = None;
    while let Some(sign) = rest.chars().next() {
        match sign {
            // A text.
            '"' => rest = after_quoted(rest, '"').1,
            '\'' => {
                let (name, after) = after_quoted(rest, '\'');
                rest = after;
                if let Some(after) = rest.strip_prefix('!') {
                    (sheet, rest) = (Some(name.replace("''", "'")), after);
                }
            }
            // Columns of a table, perhaps nested.
            '[' => {
                let mut depth = 0;
                let end = rest.find(|sign| {
                    depth += i32::from(sign == '[') - i32::from(sign == ']');
                    depth == 0
                });
                rest = end.map_or("", |end| &rest[end + 1..]);
            }
            _ if is_of_word(sign) => {
                let end = rest.find(|sign: char| !is_of_word(sign) && sign != ':').unwrap_or(rest.len());
                let word = rest[..end].trim_end_matches(':');
                rest = &rest[word.len().max(1)..];
                if let Some(after) = rest.strip_prefix('!') {
                    (sheet, rest) = (Some(word.to_owned()), after);
                    continue;
                }
                // A name before a parenthesis is a function, such as LOG10.
                if !rest.starts_with('(')
                    && let Some(range) = CellRange::parse(word).filter(|_| is_address(word))
                {
                    found.push((sheet.take(), range));
                }
                sheet = None;
            }
            _ => {
                sheet = None;
                rest = &rest[sign.len_utf8()..];
            }
        }
    }
    found
}

fn is_of_word(sign: char) -> bool {
    sign.is_alphanumeric() || matches!(sign, '$' | '_' | '.' | '\\' | '?')
}

/// Not a number alone, nor a name that only begins like an address; whole rows and columns need a colon.
fn is_address(word: &str) -> bool {
    let corner = |text: &str| {
        text.contains(|sign: char| sign.is_ascii_alphabetic())
            && text.contains(|sign: char| sign.is_ascii_digit())
    };
    word.contains(':') || corner(word)
}

/// What stands in quotes at the beginning, and what follows; a doubled quote is one within.
fn after_quoted(text: &str, quote: char) -> (&str, &str) {
    let mut at = 1;
    while let Some(end) = text[at..].find(quote) {
        let after = at + end + 1;
        if text[after..].starts_with(quote) {
            at = after + 1;
        } else {
            return (&text[1..after - 1], &text[after..]);
        }
    }
    (&text[1..], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_with_their_sheets() {
        let own = |range: &str| (None, CellRange::parse(range).unwrap());
        let of = |sheet: &str, range: &str| (Some(sheet.to_owned()), CellRange::parse(range).unwrap());
        for (formula, expected) in [
            ("SUM(C2:C3)", vec![own("C2:C3")]),
            ("$A$1+b2*3", vec![own("A1"), own("B2")]),
            ("SUBTOTAL(109,Table1[Credit])", vec![]),
            ("Table1[[#This Row],[A1]]+LOG10(5)+\"A1\"", vec![]),
            ("Customer!C4&'Q ''1'!$D$5:D9", vec![of("Customer", "C4"), of("Q '1", "D5:D9")]),
            ("SUM(C:C,2:2)", vec![own("C:C"), own("2:2")]),
            ("Rate2026x+A1B+1E5", vec![own("E5")].split_off(1)),
        ] {
            assert_eq!(references(formula), expected, "{formula}");
        }
    }
}
