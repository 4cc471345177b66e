//! The part of an address behind the question mark.

use std::borrow::Cow;

/// Names and values of a query, percent-decoded, in their order. A name without `=` has an empty value.
fn pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    })
}

/// The value of the first parameter of that name, in any case.
pub(super) fn parameter<'q>(query: &'q str, name: &str) -> Option<Cow<'q, str>> {
    pairs(query).find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// A text as the value of a parameter.
pub(super) fn encode(value: &str) -> String {
    use std::fmt::Write;
    let mut encoded = String::with_capacity(value.len());
    for &byte in value.as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// `%20` and `+` are spaces; a `%` without two digits stands for itself, and bytes that are no UTF-8 for U+FFFD.
fn decode(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let digit = |byte: Option<&u8>| byte.and_then(|&byte| char::from(byte).to_digit(16));
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match (byte, digit(after.first()), digit(after.get(1))) {
            (b'%', Some(high), Some(low)) => {
                bytes.extend(u8::try_from(high << 4 | low));
                rest = &after[2..];
            }
            (b'+', ..) => bytes.push(b' '),
            _ => bytes.push(byte),
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_value_comes_back_as_it_was(value in ".*") {
            let query = format!("a=b&Name={}&c", encode(&value));
            prop_assert_eq!(parameter(&query, "name").unwrap(), value);
        }

        #[test]
        fn any_query_is_read(query in ".*", name in ".*") {
            let found = parameter(&query, &name);
            prop_assert!(found.is_none_or(|value| value.len() <= 3 * query.len()));
        }
    }

    #[test]
    fn parameters_are_found_in_any_case_and_decoded() {
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
