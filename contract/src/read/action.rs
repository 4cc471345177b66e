//! The SOAPAction.

/// The action in the value of a `SOAPAction` header, or of the `action` parameter of a content type: quoted or not.
/// `None` when it is empty, as clients send it that have none.
///
/// ```
/// assert_eq!(contract::soap_action("\"urn:a\""), Some("urn:a"));
/// assert_eq!(contract::soap_action("\"\""), None);
/// ```
pub fn soap_action(value: &str) -> Option<&str> {
    let value = value.trim();
    let unquoted = ['"', '\''].iter().find_map(|&quote| value.strip_prefix(quote)?.strip_suffix(quote));
    Some(unquoted.unwrap_or(value).trim()).filter(|action| !action.is_empty())
}
