//! The query of an address: the part behind the question mark.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All characters but the unreserved ones (RFC 3986, section 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The value of the first parameter of that name, in any case. A name without `=` has an empty value.
pub(super) fn parameter<'q>(query: &'q str, name: &str) -> Option<Cow<'q, str>> {
    form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

/// A text as the value of a parameter. With `%20` for a space, which every reader decodes, instead of `+`.
pub(super) fn encode(value: &str) -> String {
    utf8_percent_encode(value, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn encode_is_undone_by_parameter(value in ".*") {
            let query = format!("a=b&Name={}&c", encode(&value));
            prop_assert_eq!(parameter(&query, "name").unwrap(), value);
        }

        #[test]
        fn parameter_reads_any_query(query in ".*", name in ".*") {
            let found = parameter(&query, &name);
            prop_assert!(found.is_none_or(|value| value.len() <= 3 * query.len()));
        }
    }

    #[test]
    fn parameter_ignores_case_and_decodes() {
        for (query, name, value) in [
            ("ConnectorName=Excel", "ConnectorName", Some("Excel")),
            ("wsdl&connectorname=Visma%20Global", "ConnectorName", Some("Visma Global")),
            ("ConnectorName=A+B%26%C3%A5", "ConnectorName", Some("A B&å")),
            ("connector%4eame=x", "ConnectorName", Some("x")),
            ("a=100%&b=%zz", "b", Some("%zz")),
            ("a=%ff", "a", Some("\u{fffd}")),
            ("singleWsdl", "singlewsdl", Some("")),
            ("wsdl2=1", "wsdl", None),
            ("", "wsdl", None),
        ] {
            assert_eq!(parameter(query, name).as_deref(), value, "{query}");
        }
        assert_eq!(encode("Visma Global & å"), "Visma%20Global%20%26%20%C3%A5");
    }
}
