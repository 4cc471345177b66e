//! What a workbook holds, read by other means than the connector's: two states of it are compared.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use roxmltree::{Document, Node};
use zip::ZipArchive;

/// Every part of a workbook by its name, with forward slashes.
pub(crate) type Parts = BTreeMap<String, Vec<u8>>;

pub(crate) fn parts(workbook: &[u8]) -> Result<Parts, String> {
    let mut archive = ZipArchive::new(Cursor::new(workbook)).map_err(|error| error.to_string())?;
    let mut parts = Parts::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|error| error.to_string())?;
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        parts.insert(String::from_utf8_lossy(entry.name_raw()).replace('\\', "/"), bytes);
    }
    Ok(parts)
}

/// The text of a part in UTF-8 or UTF-16, and how it begins.
pub(crate) fn text(bytes: &[u8]) -> String {
    let units = |order: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(|unit| order(*unit)).collect();
        String::from_utf16(&units).expect("UTF-16")
    };
    let text = match bytes {
        [0xff, 0xfe, ..] | [b'<', 0, ..] => units(u16::from_le_bytes),
        [0xfe, 0xff, ..] | [0, b'<', ..] => units(u16::from_be_bytes),
        _ => String::from_utf8(bytes.to_vec()).expect("UTF-8"),
    };
    text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned()
}

/// The byte order mark and the first signs, which show the encoding.
pub(crate) fn beginning(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(12)]
}

/// The cells of a sheet by row and column: type, value, formula, style. Shared texts are looked up.
pub(crate) fn cells(sheet: &str, strings: &[String]) -> Result<BTreeMap<(u32, u32), String>, String> {
    let document = Document::parse(sheet).map_err(|error| error.to_string())?;
    let children = |node: Node<'_, '_>, name: &str| -> Vec<_> {
        let name = name.to_owned();
        node.children().filter(|child| child.has_tag_name_of(&name)).map(|child| child.id()).collect()
    };
    let mut found = BTreeMap::new();
    let data = document.root_element().children().find(|node| node.has_tag_name_of("sheetData"));
    let data = data.ok_or("no sheetData")?;
    let mut next_row = 0;
    for row in children(data, "row").into_iter().filter_map(|id| document.get_node(id)) {
        let number = row.attribute("r").map_or(next_row, |number| number.trim().parse::<u32>().unwrap() - 1);
        next_row = number + 1;
        let mut next_column = 0;
        for cell in children(row, "c").into_iter().filter_map(|id| document.get_node(id)) {
            let column = cell.attribute("r").map_or(next_column, column_of);
            next_column = column + 1;
            let part = |name: &str| cell.children().find(|node| node.has_tag_name_of(name));
            let text = |node: Node<'_, '_>| -> String {
                node.descendants().filter(Node::is_text).filter_map(|node| node.text()).collect()
            };
            let value = part("v").map(text).unwrap_or_default();
            let kind = cell.attribute("t").unwrap_or("n");
            let shown = match kind {
                "s" => match value.trim() {
                    "" => String::new(),
                    index => strings
                        .get(index.parse::<usize>().map_err(|_| index.to_owned())?)
                        .cloned()
                        .ok_or("a shared text")?,
                },
                "inlineStr" => part("is").map(text).unwrap_or_default(),
                "str" => value,
                _ => value.trim().to_owned(),
            };
            let kind = if matches!(kind, "s" | "inlineStr") { "text" } else { kind };
            let formula = part("f").map(text).unwrap_or_default();
            let style = cell.attribute("s").unwrap_or("0");
            if found.insert((number, column), format!("{kind}|{shown}|{formula}|{style}")).is_some() {
                return Err(format!("row {} column {column} twice", number + 1));
            }
        }
    }
    Ok(found)
}

/// The shared texts, runs together.
pub(crate) fn strings(part: &str) -> Vec<String> {
    let document = Document::parse(part).expect("shared texts");
    let items = document.root_element().children().filter(Node::is_element);
    let run = |node: &Node<'_, '_>| {
        node.has_tag_name_of("t") && !node.ancestors().any(|above| above.has_tag_name_of("rPh"))
    };
    let text = |item: Node<'_, '_>| item.descendants().filter(run).filter_map(|node| node.text()).collect();
    items.map(text).collect()
}

fn column_of(name: &str) -> u32 {
    let letters = name.trim().bytes().take_while(u8::is_ascii_alphabetic);
    letters.fold(0, |column, letter| column * 26 + u32::from(letter.to_ascii_uppercase() - b'A') + 1) - 1
}

/// Names without their prefixes.
pub(crate) trait LocalName {
    fn has_tag_name_of(&self, name: &str) -> bool;
}

impl LocalName for Node<'_, '_> {
    fn has_tag_name_of(&self, name: &str) -> bool {
        self.is_element() && self.tag_name().name() == name
    }
}
