//! Case folding: the fast path for ASCII gives the same results as the full one.

use proptest::prelude::*;

use crate::folded::Folded;

/// Letters with odd relatives, and their neighbours: Kelvin and Angstrom signs, sharp s, sigmas, dotted and dotless i.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[aAbBsSkKiIzZ0 ]{0,4}",
        3 => "[aAsSkKiIåÅæÆßẞſΣςσİıﬁﬀ\u{212A}\u{212B}\u{0307}]{0,4}",
        1 => any::<String>(),
    ]
}

/// Folded by the same rule, but through std's methods on texts.
fn fold(text: &str) -> String {
    let upper: String = text.chars().flat_map(char::to_lowercase).flat_map(char::to_uppercase).collect();
    upper.chars().flat_map(char::to_lowercase).collect()
}

proptest! {
    #[test]
    fn folded_comparison_matches_comparing_folded_texts(wanted in texts(), text in texts()) {
        let (folded, by_hand, other) = (Folded::new(&wanted), fold(&wanted), fold(&text));
        prop_assert_eq!(folded.is(&text), other == by_hand);
        prop_assert_eq!(folded.begins(&text), other.starts_with(&by_hand));
        prop_assert_eq!(folded.ends(&text), other.ends_with(&by_hand));
        prop_assert_eq!(folded.is_in(&text), other.contains(&by_hand));
        prop_assert_eq!(folded.order_of(&text), other.cmp(&by_hand));
    }

    #[test]
    fn folded_text_equals_upper_and_lower_case(text in texts()) {
        let folded = Folded::new(&text);
        prop_assert!(folded.is(&text));
        prop_assert!(folded.is(&text.to_uppercase()), "{} {}", text, text.to_uppercase());
        prop_assert!(folded.is(&text.to_lowercase()), "{} {}", text, text.to_lowercase());
        prop_assert_eq!(Folded::new(&fold(&text)), folded, "folding twice is folding once");
    }
}

#[test]
fn folded_letters_equal_their_other_case() {
    let has_case = |char: &char| !char.to_uppercase().eq([*char]) || !char.to_lowercase().eq([*char]);
    for char in ('\0'..=char::MAX).filter(has_case) {
        let folded = Folded::new(&char.to_string());
        for other in [char.to_uppercase().to_string(), char.to_lowercase().to_string()] {
            assert!(folded.is(&other), "{char:?} and {other:?}");
        }
    }
}

/// The characters that `LikeDialect::ascii_case` does not replace, although others have them in their lower case.
#[test]
fn few_characters_are_missed_by_a_pattern_of_ascii_case() {
    let is_kept = |part: char| part.is_ascii() && !"iks".contains(part);
    let missed: String =
        ('\u{80}'..='\u{FFFF}').filter(|char| fold(&char.to_string()).contains(is_kept)).collect();
    assert_eq!(missed, "ŉǰẖẗẘẙẚﬀﬁﬂﬃﬄﬅﬆ");
}
