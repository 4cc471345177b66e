//! The `Content-Type` of requests and responses.
//!
//! Own code instead of `mime`, which refuses what SOAP clients send and RFC 9110 allows: spaces before a semicolon, and an
//! action that is a URL without quotes.

/// A parsed `Content-Type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentType<'a> {
    /// Such as `text/xml`, as it was written.
    pub media_type: &'a str,
    parameters: &'a str,
}

impl<'a> ContentType<'a> {
    /// Parses the value of the header; reads every text.
    pub fn parse(text: &'a str) -> Self {
        let (media_type, parameters) = text.split_once(';').unwrap_or((text, ""));
        ContentType { media_type: media_type.trim(), parameters }
    }

    /// Whether a SOAP message can come in it.
    pub fn is_soap(&self) -> bool {
        ["text/xml", "application/soap+xml"].iter().any(|soap| self.media_type.eq_ignore_ascii_case(soap))
    }

    /// The value of a parameter, without its quotes.
    pub fn parameter(&self, name: &str) -> Option<&'a str> {
        let mut rest = self.parameters;
        loop {
            let (key, after) = rest.split_once('=')?;
            let after = after.trim_start();
            // A quoted value may hold semicolons: an action is a URL.
            let (value, next) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
                None => after.split_once(';').map_or((after, ""), |(value, next)| (value, next)),
            };
            let key = key.rsplit(';').next().unwrap_or(key);
            if key.trim().eq_ignore_ascii_case(name) {
                return Some(value.trim());
            }
            rest = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn content_type_reads_any_text(
            text in ".*",
            name in "[a-z]{1,8}",
            value in "[^\"]*",
            other in "[a-z]{9}=\"[^\"]*\"",
        ) {
            // Nothing panics; and a quoted value is found behind others.
            ContentType::parse(&text).parameter(&name);
            let whole = format!("text/xml; {other}; {name}=\"{value}\"");
            prop_assert_eq!(ContentType::parse(&whole).parameter(&name), Some(value.trim()));
        }
    }

    #[test]
    fn content_type_and_its_parameters_are_parsed() {
        let full =
            ContentType::parse(r#"Application/SOAP+xml ; charset="utf-16" ;action="http://x/a;b=c/WSx""#);
        assert!(full.is_soap());
        assert_eq!(full.parameter("Charset"), Some("utf-16"));
        assert_eq!(full.parameter("action"), Some("http://x/a;b=c/WSx"));
        assert_eq!(full.parameter("b"), None, "inside another one's quotes");
        for (text, charset) in [
            ("text/xml;charset=utf-8", Some("utf-8")),
            ("text/xml; charset = utf-8 ; x=y", Some("utf-8")),
            ("text/xml; x; charset=utf-8", Some("utf-8")),
            ("text/xml; charset=\"utf-8", Some("utf-8")),
            ("text/xml; charset", None),
            ("text/xml", None),
            ("text/xml;", None),
        ] {
            let parsed = ContentType::parse(text);
            assert!(parsed.is_soap(), "{text}");
            assert_eq!(parsed.parameter("charset"), charset, "{text}");
        }
        assert!(!ContentType::parse("text/xmlx").is_soap());
    }
}
