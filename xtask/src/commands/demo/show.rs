//! Formats calls as curl commands, and replies as indented XML.

use test_support::exchange::Exchange;

/// A shell command that makes the same call.
pub(super) fn curl(url: &str, exchange: &Exchange) -> String {
    format!(
        "curl -sS {} \\\n  -H 'Content-Type: text/xml; charset=utf-8' \\\n  -H {} \\\n  --data-binary {}",
        quoted(url),
        quoted(&format!("SOAPAction: \"{}\"", exchange.action)),
        quoted(&exchange.request),
    )
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// XML with a line for each tag. An element that has only text stays on one line.
pub(super) fn indented(xml: &str) -> String {
    let mut out = String::new();
    let mut depth = 0usize;
    let mut rest = xml.trim();
    let mut holds_text = false;
    while let Some(start) = rest.find('<') {
        let text = &rest[..start];
        let end = rest[start..].find('>').map_or(rest.len(), |at| start + at + 1);
        let tag = &rest[start..end];
        let (closes, empty) = (tag.starts_with("</"), tag.ends_with("/>") || tag.starts_with("<?"));
        if closes {
            depth = depth.saturating_sub(1);
        }
        out.push_str(text);
        // The end tag right after its start tag, or after the text of an element.
        let stays = closes && (holds_text || !text.is_empty());
        if !stays {
            out.push_str(if out.is_empty() { "" } else { "\n" });
            out.push_str(&"  ".repeat(depth + 1));
        }
        out.push_str(tag);
        if !closes && !empty {
            depth += 1;
        }
        holds_text = !closes && !empty;
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests;
