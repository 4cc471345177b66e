//! What XML demands of names, attributes, references and characters, beyond what quick-xml checks.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// What the prefix `xml` stands for, without being bound.
pub(super) const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";
const XMLNS_NAMESPACE: &str = "http://www.w3.org/2000/xmlns/";

/// Why a document cannot be read on, before it is known where.
pub(super) enum Fault {
    /// Its bytes cannot be had.
    Read(Arc<std::io::Error>),
    /// It is not well-formed.
    Xml(String),
}

impl From<String> for Fault {
    fn from(why: String) -> Self {
        Fault::Xml(why)
    }
}

impl From<&str> for Fault {
    fn from(why: &str) -> Self {
        Fault::Xml(why.to_owned())
    }
}

impl From<quick_xml::Error> for Fault {
    fn from(error: quick_xml::Error) -> Self {
        match error {
            quick_xml::Error::Io(error) => Fault::Read(error),
            other => Fault::Xml(other.to_string()),
        }
    }
}

pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Where an attribute stands in the tag.
pub(super) struct AttributePlace {
    pub(super) name: Range<usize>,
    pub(super) value: Range<usize>,
}

/// Finds the attributes of a tag: each behind white space, with a value in quotes.
pub(super) fn attribute_places(
    tag: &str,
    name: usize,
    places: &mut Vec<AttributePlace>,
) -> Result<(), Fault> {
    places.clear();
    let bytes = tag.as_bytes();
    let spaces = |at: usize| at + bytes[at..].iter().take_while(|byte| is_space(**byte)).count();
    let mut at = name;
    loop {
        let start = spaces(at);
        if start == bytes.len() {
            return Ok(());
        }
        let wrong = || Fault::Xml(format!("the attributes of <{}>", &tag[..name]));
        if start == at {
            return Err(wrong());
        }
        let name_end =
            start + bytes[start..].iter().take_while(|byte| !is_space(**byte) && **byte != b'=').count();
        let equals = spaces(name_end);
        if bytes.get(equals) != Some(&b'=') {
            return Err(wrong());
        }
        let opening = spaces(equals + 1);
        let quote = *bytes.get(opening).filter(|byte| matches!(byte, b'"' | b'\'')).ok_or_else(wrong)?;
        let length = bytes[opening + 1..].iter().position(|byte| *byte == quote).ok_or_else(wrong)?;
        let value = opening + 1..opening + 1 + length;
        at = value.end + 1;
        places.push(AttributePlace { name: start..name_end, value });
    }
}

pub(super) fn prefix_of(name: &str) -> &str {
    name.split_once(':').map_or("", |(prefix, _)| prefix)
}

/// The prefix of a name with its colon, `x:`; empty without one.
pub(crate) fn with_colon(name: &str) -> &str {
    name.find(':').map_or("", |colon| &name[..=colon])
}

/// Whether a prefix ("" for the default namespace) may stand for a namespace. Only the default namespace can be taken back.
pub(super) fn can_bind(prefix: &str, namespace: &str) -> bool {
    match prefix {
        "xmlns" => false,
        "xml" => namespace == XML_NAMESPACE,
        _ => {
            namespace != XML_NAMESPACE
                && namespace != XMLNS_NAMESPACE
                && (prefix.is_empty() || !namespace.is_empty())
        }
    }
}

/// `local` or `prefix:local`.
pub(super) fn check_qualified_name(name: &str) -> Result<(), Fault> {
    // Nearly all names are plain.
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_plain && name.as_bytes().first().is_some_and(u8::is_ascii_alphabetic) {
        return Ok(());
    }
    let (prefix, local) = name.split_once(':').map_or((None, name), |(prefix, local)| (Some(prefix), local));
    if local.contains(':') || !is_name(local) || prefix.is_some_and(|prefix| !is_name(prefix)) {
        return Err(format!("{name:?} is no name").into());
    }
    Ok(())
}

/// Whether it is a `Name` of XML 1.0, fifth edition.
pub(super) fn is_name(name: &str) -> bool {
    let starts = |sign: char| {
        matches!(sign, ':' | 'A'..='Z' | '_' | 'a'..='z' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}'
            | '\u{f8}'..='\u{2ff}' | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}' | '\u{200c}'..='\u{200d}'
            | '\u{2070}'..='\u{218f}' | '\u{2c00}'..='\u{2fef}' | '\u{3001}'..='\u{d7ff}'
            | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}' | '\u{10000}'..='\u{effff}')
    };
    let goes_on = |sign: char| {
        starts(sign)
            || matches!(sign, '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
    };
    name.chars().next().is_some_and(starts) && name.chars().all(goes_on)
}

/// Only characters that XML allows.
pub(super) fn check_characters(text: &str) -> Result<(), Fault> {
    let is_control = |byte: u8| byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r');
    if text.bytes().any(is_control) || (!text.is_ascii() && text.contains(['\u{fffe}', '\u{ffff}'])) {
        return Err("a character that XML does not allow".into());
    }
    Ok(())
}

pub(super) fn check_text(text: &str) -> Result<(), Fault> {
    check_characters(text)?;
    if text.contains("]]>") {
        return Err("\"]]>\" in a text".into());
    }
    Ok(())
}

pub(super) fn check_value(value: &str) -> Result<(), Fault> {
    // Nearly all values are plain.
    if value.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'<' && byte != b'&') {
        return Ok(());
    }
    if value.contains('<') {
        return Err("\"<\" in an attribute".into());
    }
    check_characters(value)?;
    unescaped(value).map(drop)
}

/// The value of an attribute with its references resolved and its white space made spaces.
pub(super) fn unescaped(value: &str) -> Result<Cow<'_, str>, Fault> {
    if !value.contains(['&', '\t', '\n', '\r']) {
        return Ok(value.into());
    }
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find(['&', '\t', '\n', '\r']) {
        out.push_str(&rest[..at]);
        let found = &rest[at..];
        let length = if found.starts_with('&') {
            let end = found.find(';').ok_or("a reference without its end")?;
            out.push(resolve(&found[1..end])?);
            end + 1
        } else {
            out.push(' ');
            if found.starts_with("\r\n") { 2 } else { 1 }
        };
        rest = &found[length..];
    }
    out.push_str(rest);
    Ok(out.into())
}

/// The character that a reference stands for, given without `&` and `;`.
pub(super) fn resolve(reference: &str) -> Result<char, Fault> {
    Ok(match reference {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = reference.strip_prefix('#').and_then(|number| match number.strip_prefix('x') {
                Some(hex) if hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                    u32::from_str_radix(hex, 16).ok()
                }
                None if number.bytes().all(|byte| byte.is_ascii_digit()) => number.parse().ok(),
                _ => None,
            });
            let sign = number.and_then(char::from_u32);
            let sign = sign.filter(|sign| {
                !matches!(sign, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
            });
            sign.ok_or_else(|| format!("the reference &{reference};"))?
        }
    })
}

/// `xml version="1.0" encoding=".." standalone=".."`, given without its brackets.
pub(super) fn check_declaration(declaration: &str) -> Result<(), Fault> {
    let mut places = Vec::new();
    attribute_places(declaration, "xml".len(), &mut places)?;
    let mut last = 0;
    for place in &places {
        let at = match (&declaration[place.name.clone()], &declaration[place.value.clone()]) {
            ("version", "1.0") => 1,
            ("version", other) => return Err(format!("the version {other:?} of XML").into()),
            ("encoding", _) => 2,
            ("standalone", "yes" | "no") => 3,
            _ => 0,
        };
        if at <= last || (last == 0 && at != 1) {
            return Err("the XML declaration".into());
        }
        last = at;
    }
    if last == 0 {
        return Err("the XML declaration".into());
    }
    Ok(())
}

/// The attributes of a start tag as it stands in a document that was read: names, raw values, and where in the tag these
/// stand.
pub(crate) fn tag_attributes(tag: &str) -> impl Iterator<Item = (&str, &str, Range<usize>)> {
    let inner = tag.trim_start_matches('<').trim_end_matches('>').trim_end_matches('/');
    let start = tag.len() - tag.trim_start_matches('<').len();
    let name = inner.find(|sign: char| sign.is_ascii_whitespace()).unwrap_or(inner.len());
    let mut places = Vec::new();
    // A tag of a document that was read has no errors.
    let _ = attribute_places(inner, name, &mut places);
    places.into_iter().map(move |place| {
        (&inner[place.name], &inner[place.value.clone()], place.value.start + start..place.value.end + start)
    })
}
