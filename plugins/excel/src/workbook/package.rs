//! Where in the archive each sheet stands.

use std::io::{Cursor, Read};

use quick_xml::Reader;
use quick_xml::events::Event;
use zip::ZipArchive;
use zip::result::ZipError;

use super::sheet_xml::attributes;

/// A workbook's archive.
pub(crate) type Archive<'a> = ZipArchive<Cursor<&'a [u8]>>;

/// The names of the sheets and of the archive's entries that hold them, in the workbook's order.
///
/// # Errors
/// The archive holds no workbook.
pub(crate) fn sheets(archive: &mut Archive<'_>) -> Result<Vec<(String, String)>, String> {
    let package = relationships(archive, "_rels/.rels")?;
    let workbook = package
        .into_iter()
        .find(|relationship| relationship.kind.ends_with("/officeDocument"))
        .map(|relationship| resolve("", &relationship.target))
        .ok_or("it names no workbook")?;
    let (folder, name) = workbook.rsplit_once('/').unwrap_or(("", &workbook));
    let parts = relationships(archive, &join(folder, &format!("_rels/{name}.rels")))?;
    let mut sheets = Vec::new();
    for_tags(&entry(archive, &workbook)?, "sheet", |tag| {
        let value = |name: &str| {
            let named =
                |found: &str| found == name || found.rsplit_once(':').is_some_and(|(_, local)| local == name);
            attributes(tag)
                .find(|attribute| named(attribute.name))
                .map(|attribute| unescaped(attribute.value))
        };
        let target = value("id").and_then(|id| parts.iter().find(|part| part.id == id));
        if let (Some(name), Some(part)) = (value("name"), target) {
            sheets.push((name, resolve(folder, &part.target)));
        }
    })?;
    Ok(sheets)
}

/// How many bytes all entries have, as the archive claims.
///
/// # Errors
/// The archive is damaged.
pub(crate) fn unpacked_size(archive: &mut Archive<'_>) -> Result<u64, ZipError> {
    (0..archive.len())
        .try_fold(0, |sum: u64, index| Ok(sum.saturating_add(archive.by_index_raw(index)?.size())))
}

/// The text of an entry.
///
/// # Errors
/// It is not there, is damaged, or is no UTF-8.
pub(crate) fn entry(archive: &mut Archive<'_>, name: &str) -> Result<String, String> {
    let mut entry = archive.by_name(name).map_err(|error| format!("{name}: {error}"))?;
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).map_err(|error| format!("{name}: {error}"))?;
    String::from_utf8(bytes).map_err(|_| format!("{name} is not in UTF-8"))
}

struct Relationship {
    id: String,
    kind: String,
    target: String,
}

fn relationships(archive: &mut Archive<'_>, name: &str) -> Result<Vec<Relationship>, String> {
    let mut found = Vec::new();
    for_tags(&entry(archive, name)?, "Relationship", |tag| {
        let value = |name: &str| {
            let value = attributes(tag).find(|attribute| attribute.name == name);
            value.map(|attribute| unescaped(attribute.value)).unwrap_or_default()
        };
        found.push(Relationship { id: value("Id"), kind: value("Type"), target: value("Target") });
    })?;
    Ok(found)
}

/// Calls `found` with the start tag of each element of that name.
fn for_tags(xml: &str, name: &str, mut found: impl FnMut(&str)) -> Result<(), String> {
    let mut reader = Reader::from_str(xml);
    let position = |reader: &Reader<&[u8]>| usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
    loop {
        let start = position(&reader);
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(tag) | Event::Empty(tag) if tag.local_name().as_ref() == name => {
                found(&xml[start..position(&reader)]);
            }
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

fn unescaped(value: &str) -> String {
    quick_xml::escape::unescape(value).map_or_else(|_| value.to_owned(), std::borrow::Cow::into_owned)
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// The entry that a relationship of a part in `folder` points to.
fn resolve(folder: &str, target: &str) -> String {
    let path = match target.strip_prefix('/') {
        Some(absolute) => absolute.to_owned(),
        None => join(folder, target),
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}
