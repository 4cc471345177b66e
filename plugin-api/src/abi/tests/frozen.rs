//! Frozen layouts: compares the layouts of the boundary's types, as text, with the files in `layouts/`, one for each minor
//! version. The file of the current version must match exactly. Those of older versions must match too, except for methods
//! and fields that were added at the end.
//!
//! `UPDATE_LAYOUTS=1 cargo test -p erp-host-plugin-api frozen` writes the file of the current version. A file of a released
//! version must never change.

use std::collections::{BTreeSet, HashSet};
use std::fmt::Write;
use std::{env, fs};

use abi_stable::StableAbi;
use abi_stable::type_layout::{TLData, TLField, TypeLayout};

use crate::abi::handshake::Handshake;
use crate::abi::objects::PluginRef;

/// The frozen layouts, the current version's last.
const FROZEN: [(&str, &str); 1] = [("2.0", include_str!("layouts/2.0.txt"))];

/// All types that cross: name and lines of each. Several types have the same name, such as the method tables of the traits.
type Layouts = BTreeSet<(String, Vec<String>)>;

#[test]
fn layouts_match_the_file_of_this_version() {
    let now = print(&layouts());
    let (version, frozen) = FROZEN[FROZEN.len() - 1];
    if env::var_os("UPDATE_LAYOUTS").is_some() {
        let path = format!("{}/src/abi/tests/layouts/{version}.txt", env!("CARGO_MANIFEST_DIR"));
        fs::write(path, &now).unwrap();
        return;
    }
    let ours = format!("{}.{}", env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"));
    assert_eq!(version, ours, "a new minor version needs a file of its own in layouts/");
    assert!(
        now == frozen,
        "the layouts of plugin API {version} are frozen; what is new belongs at the end of a prefix type, in a new minor \
         version. The first line that differs: {:?}",
        now.lines().zip(frozen.lines()).find(|(now, frozen)| now != frozen)
    );
}

#[test]
fn layouts_extend_those_of_older_versions() {
    let now = layouts();
    for (version, frozen) in FROZEN {
        for (name, then) in parse(frozen) {
            let holds = |(other, here): &&(String, Vec<String>)| *other == name && is_grown_from(here, &then);
            assert!(
                now.iter().any(|entry| holds(&entry)),
                "{name} of {version} has changed or was removed: {then:#?}"
            );
        }
    }
}

/// Whether a type is the same, or a growable one with more at its end.
fn is_grown_from(here: &[String], then: &[String]) -> bool {
    // The first line has what may not change, up to the size.
    let beginning = |lines: &[String]| lines[0].split(" size ").next().map(str::to_owned);
    here == then
        || (then[0].starts_with("prefix ")
            && beginning(here) == beginning(then)
            && here[1..].starts_with(&then[1..]))
}

/// Every type that can be reached from the root module.
fn layouts() -> Layouts {
    let mut layouts = Layouts::new();
    let mut seen = HashSet::new();
    let mut todo = vec![<PluginRef as StableAbi>::LAYOUT];
    while let Some(layout) = todo.pop() {
        if seen.insert(layout.get_utypeid()) {
            layouts.insert((name(layout), lines(layout)));
            todo.extend(layout.shared_vars().type_layouts().iter().map(|nested| nested()));
        }
    }
    layouts.insert(("Handshake".to_owned(), handshake()));
    layouts
}

fn name(layout: &TypeLayout) -> String {
    layout.full_type().to_string().trim().to_owned()
}

fn lines(layout: &'static TypeLayout) -> Vec<String> {
    let data = layout.data();
    let (kind, fields) = match data {
        TLData::Primitive(primitive) => (format!("primitive {primitive:?}"), None),
        TLData::Opaque => ("opaque".to_owned(), None),
        TLData::Struct { fields } => ("struct".to_owned(), Some(fields)),
        TLData::Union { fields } => ("union".to_owned(), Some(fields)),
        TLData::Enum(variants) => (format!("enum of {:?}", variants.discriminants), Some(variants.fields)),
        TLData::PrefixType(prefix) => {
            (format!("prefix of {}", prefix.first_suffix_field), Some(prefix.fields))
        }
    };
    let (size, alignment, repr) = (layout.size(), layout.alignment(), layout.repr_attr());
    let mut lines = vec![format!("{kind} size {size} alignment {alignment} {repr:?}")];
    lines.extend(fields.into_iter().flat_map(|fields| fields.to_vec()).map(|field| line(&field)));
    lines
}

/// A field with its type; a function's is its signature.
fn line(field: &TLField) -> String {
    let mut line = format!("{}: {}", field.name(), field.full_type());
    for function in field.function_range().iter() {
        let _ = write!(line, " | {}", function.to_string().replace('\n', " "));
    }
    line.trim_end().to_owned()
}

fn print(layouts: &Layouts) -> String {
    let lines = |(name, lines): &(String, Vec<String>)| format!("{name}\n    {}\n", lines.join("\n    "));
    layouts.iter().map(lines).collect()
}

fn parse(text: &str) -> Layouts {
    let mut layouts: Vec<(String, Vec<String>)> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("    "), layouts.last_mut()) {
            (Some(line), Some((_, lines))) => lines.push(line.to_owned()),
            _ => layouts.push((line.to_owned(), Vec::new())),
        }
    }
    layouts.into_iter().collect()
}

/// The handshake, for which abi_stable has no layout.
fn handshake() -> Vec<String> {
    let mut lines =
        vec![format!("struct size {} alignment {}", size_of::<Handshake>(), align_of::<Handshake>())];
    lines.extend(Handshake::offsets().map(|(name, offset)| format!("{name}: at {offset}")));
    lines
}
