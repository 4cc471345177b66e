//! Changing attributes in a part other than a sheet, and a check that nothing else has changed.

use crate::xlsx::XlsxError;
use crate::xlsx::xml::{Token, XmlReader, tag_attributes, with_colon};

use super::splices::Splices;

/// An attribute that is to get a value, given at the start tag of its element.
pub(super) type Attribute = (&'static str, String);

/// What was changed: the number of the start tag in the document, the attribute, its new value.
type Change = (usize, &'static str, String);

/// The part with the attributes changed that `wanted` asks for at each start tag; `None` if it asks for none. The part is
/// read back then: it is well-formed, and differs in these attributes only.
///
/// # Errors
/// The part cannot be read, or would differ in more.
pub(super) fn change(
    part: &str,
    xml: &str,
    mut wanted: impl FnMut(&XmlReader<&[u8]>) -> Vec<Attribute>,
) -> Result<Option<String>, XlsxError> {
    let mut reader = XmlReader::of(xml);
    let mut splices = Splices::default();
    let mut changes: Vec<Change> = Vec::new();
    let mut number = 0;
    loop {
        match reader.next().map_err(|error| error.of(part))? {
            Token::Start | Token::Empty => {
                for (name, value) in wanted(&reader) {
                    let span = reader.span();
                    let tag = &xml[span.clone()];
                    match tag_attributes(tag).find(|(found, ..)| *found == name) {
                        Some((_, old, _)) if old == value => continue,
                        Some((_, _, at)) => {
                            splices.replace(span.start + at.start..span.start + at.end, escaped(&value));
                        }
                        None => {
                            let at = span.start + 1 + reader.name().len();
                            splices.replace(at..at, format!(" {name}=\"{}\"", escaped(&value)));
                        }
                    }
                    changes.push((number, name, value));
                }
                number += 1;
            }
            Token::Eof => break,
            _ => {}
        }
    }
    if changes.is_empty() {
        return Ok(None);
    }
    let new = splices.apply(xml).map_err(|why| XlsxError::Damaged(format!("{part}: {why}")))?;
    check(part, xml, &new, &changes, None)?;
    Ok(Some(new))
}

/// The part with an element that closes itself put before the first one that `is_behind` names, or at the end of the root
/// element. It has the name `name`, in the namespace of the root element, and these attributes.
///
/// # Errors
/// As for [`change`].
pub(super) fn insert(
    part: &str,
    xml: &str,
    name: &'static str,
    attributes: &[Attribute],
    is_behind: impl Fn(&str) -> bool,
) -> Result<String, XlsxError> {
    let mut reader = XmlReader::of(xml);
    let (mut prefix, mut number, mut place) = (String::new(), 0, None);
    while place.is_none() {
        let token = reader.next().map_err(|error| error.of(part))?;
        match token {
            Token::Start | Token::Empty => {
                let depth = reader.depth() + usize::from(token == Token::Empty);
                if depth == 1 {
                    prefix = with_colon(reader.name()).to_owned();
                }
                if depth == 2 && reader.local_name().is_some_and(&is_behind) {
                    place = Some(reader.span().start);
                } else {
                    number += 1;
                }
            }
            Token::End if reader.depth() == 0 => place = Some(reader.span().start),
            Token::Eof => return Err(XlsxError::Damaged(format!("{part}: there is no place for {name}"))),
            _ => {}
        }
    }
    let place = place.unwrap_or(xml.len());
    let mut element = format!("<{prefix}{name}");
    for (attribute, value) in attributes {
        element.push_str(&format!(" {attribute}=\"{}\"", escaped(value)));
    }
    element.push_str("/>");
    let new = [&xml[..place], &element, &xml[place..]].concat();
    let changes: Vec<Change> =
        attributes.iter().map(|(attribute, value)| (number, *attribute, value.clone())).collect();
    check(part, xml, &new, &changes, Some(number))?;
    Ok(new)
}

/// Reads both texts side by side: they hold the same but for the changes, and the element with the number `inserted`.
fn check(
    part: &str,
    old: &str,
    new: &str,
    changes: &[Change],
    inserted: Option<usize>,
) -> Result<(), XlsxError> {
    let wrong = |why: &str| XlsxError::Damaged(format!("{part} would not be written right: {why}"));
    let (mut one, mut other) = (XmlReader::of(old), XmlReader::of(new));
    let mut number = 0;
    loop {
        let mut token = other.next().map_err(|error| error.of(part))?;
        if inserted == Some(number) && token == Token::Empty {
            let expected = changes.iter().map(|(_, name, value)| (*name, value.as_str()));
            if !other.attributes().eq(expected) {
                return Err(wrong("an inserted element"));
            }
            number += 1;
            token = other.next().map_err(|error| error.of(part))?;
        }
        let before = one.next().map_err(|error| error.of(part))?;
        if token != before {
            return Err(wrong("another element"));
        }
        match token {
            Token::Start | Token::Empty => {
                let changed = |name: &str| {
                    changes
                        .iter()
                        .find(|(at, changed, _)| *at == number && *changed == name)
                        .map(|(.., value)| value)
                };
                let kept = |(name, _): &(&str, &str)| changed(name).is_none();
                let same = one.name() == other.name()
                    && one.attributes().filter(kept).eq(other.attributes().filter(kept));
                let are_there = changes
                    .iter()
                    .filter(|(at, ..)| *at == number)
                    .all(|(_, name, value)| other.attribute(name).as_deref() == Some(value.as_str()));
                if !same || !are_there {
                    return Err(wrong("an attribute"));
                }
                number += 1;
            }
            Token::Text | Token::End if one.text() != other.text() => return Err(wrong("a text")),
            Token::Eof => return Ok(()),
            _ => {}
        }
    }
}

/// A text as the value of an attribute.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\t' | '\n' | '\r' => out.push_str(&format!("&#{};", u32::from(sign))),
            _ => out.push(sign),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_changed_or_added_where_they_are_wanted() {
        let xml = "<?xml version=\"1.0\"?>\n<a  ref='A1:B2' x=\"1\"><b/><b ref=\"A1\"/><!-- c --></a>\n";
        let new = change("p", xml, |reader| match (reader.name(), reader.attribute("ref").as_deref()) {
            ("a", _) => vec![("ref", "<A1>\"".to_owned())],
            ("b", None) => vec![("ref", "B1".to_owned()), ("y", "2".to_owned())],
            ("b", Some(_)) => vec![("ref", "A1".to_owned())],
            _ => vec![],
        });
        assert_eq!(
            new.unwrap().unwrap(),
            "<?xml version=\"1.0\"?>\n<a  ref='&lt;A1>&quot;' x=\"1\"><b ref=\"B1\" y=\"2\"/><b ref=\"A1\"/><!-- c --></a>\n"
        );
        assert_eq!(change("p", xml, |_| vec![]).unwrap(), None);
        assert!(change("p", "<a><b></a>", |_| vec![]).is_err());
    }

    #[test]
    fn element_is_inserted_at_its_place() {
        let insert =
            |xml: &str| insert("p", xml, "c", &[("v", "1".to_owned())], |name| name == "d" || name == "e");
        assert_eq!(
            insert("<x:a xmlns:x='u'><x:b/><x:e/></x:a>").unwrap(),
            "<x:a xmlns:x='u'><x:b/><x:c v=\"1\"/><x:e/></x:a>"
        );
        assert_eq!(insert("<a><b><d/></b></a>").unwrap(), "<a><b><d/></b><c v=\"1\"/></a>");
        assert!(insert("<a/>").is_err());
    }

    #[test]
    fn another_difference_is_found() {
        let old = "<a x='1'><b>t</b></a>";
        for new in [
            "<a x='2'><b>t</b></a>",
            "<a x='1'><b>u</b></a>",
            "<a x='1'><c>t</c></a>",
            "<a x='1'><b>t</b><b/></a>",
            "<a x='1' y='1'><b>t</b></a>",
        ] {
            assert!(check("p", old, new, &[], None).is_err(), "{new}");
        }
        assert!(check("p", old, "<a x='3'><b>t</b></a>", &[(0, "x", "2".to_owned())], None).is_err());
        check("p", old, "<a x='2'><b>t</b></a>", &[(0, "x", "2".to_owned())], None).unwrap();
    }
}
