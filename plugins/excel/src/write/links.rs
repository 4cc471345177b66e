//! Hyperlinks of cells that get another value: a link to the old address goes to the new one, or away.

use std::collections::{BTreeMap, HashMap};

use plugin_api::{Error, Result};

use crate::workbook::Table;
use crate::xlsx::package::Package;
use crate::xlsx::range::cell_name;
use crate::xlsx::xml::tag_attributes;

use super::check::LinkChanges;
use super::edits::{NewValue, SheetEdits};
use super::patch::Patch;
use super::{Parts, attributes};

/// Changes the hyperlinks of the cells with changes, in the sheet and in its relationships.
///
/// # Errors
/// A link reaches over several cells, so it cannot be changed for one of them; or the relationships cannot be read.
pub(super) fn change(
    package: &mut Package<'_>,
    table: &Table,
    edits: &SheetEdits,
    patch: &mut Patch<'_>,
    parts: &mut Parts,
) -> Result<LinkChanges> {
    let mut changes = LinkChanges::default();
    let relationships = package.relationships(&table.part)?;
    let mut targets: BTreeMap<String, String> = BTreeMap::new();
    let links = patch.hyperlinks.clone();
    let mut uses: HashMap<&str, usize> = HashMap::new();
    for id in links.iter().filter_map(|link| link.relationship.as_deref()) {
        *uses.entry(id).or_default() += 1;
    }
    for (at, link) in links.iter().enumerate() {
        let rows = (link.cells.first.0, 0)..=(link.cells.last.0, u32::MAX);
        let found = edits.range(rows).find(|(cell, _)| link.cells.contains(**cell));
        let Some((cell, edit)) = found else { continue };
        let Some(id) = link.relationship.as_deref() else { continue };
        let Some(old_target) =
            relationships.iter().find(|relationship| relationship.id == id && relationship.is_external)
        else {
            continue;
        };
        let old = table.text_at(*cell).unwrap_or_default();
        let new = match &edit.value {
            NewValue::Text(text) => text.trim(),
            _ => "",
        };
        let tag = &patch.text()[link.tag.clone()];
        let has_location = tag_attributes(tag).any(|(name, ..)| name == "location");
        let target = match (follows(&old_target.target, old), address(new)) {
            (None, None) => continue,
            // A place within the target belongs to the old one.
            (Some(_), _) if has_location => None,
            (Some(around), _) if !new.is_empty() && around.suits(new) => Some(around.with(new)),
            (_, target) => target,
        };
        if !link.cells.is_one_cell() {
            return Err(Error::user(format!(
                "nothing was saved, the cell {} of the sheet {} belongs to a hyperlink over {}: remove the hyperlink in Excel",
                cell_name(cell.0, cell.1),
                table.sheet,
                link.cells
            )));
        }
        let is_shared = uses.get(id).is_some_and(|uses| *uses > 1);
        match target {
            // Another cell leads there too, and still does.
            Some(_) if is_shared => drop(changes.dropped.insert(at)),
            None => drop(changes.dropped.insert(at)),
            Some(target) => {
                targets.insert(id.to_owned(), target);
                let display = tag_attributes(tag).find(|(name, ..)| *name == "display");
                if let Some((_, _, place)) = display {
                    let place = link.tag.start + place.start..link.tag.start + place.end;
                    patch.replace(place, attributes::escaped(new));
                    changes.renamed.insert(at);
                }
            }
        }
    }
    patch.drop_hyperlinks(&changes.dropped);
    if !targets.is_empty() {
        let part = Package::relationships_part(&table.part);
        let (xml, encoding) = package.text(&part)?;
        let new = attributes::change(&part, &xml, |reader| {
            let target = reader.attribute("Id").and_then(|id| targets.get(&*id));
            target.map(|target| ("Target", target.clone())).into_iter().collect()
        })?;
        if let Some(new) = new {
            parts.insert(part, encoding.encode(&new));
        }
    }
    Ok(changes)
}

/// Whether a URI can hold it as it stands.
fn can_be_address(text: &str) -> bool {
    let is_odd = |sign: char| sign.is_whitespace() || sign.is_control() || "<>\"{}|\\^`[]".contains(sign);
    !text.is_empty() && !text.contains(is_odd)
}

/// What a link's target has around the text of its cell.
#[derive(Debug, PartialEq, Eq)]
struct Around {
    before: String,
    after: String,
}

impl Around {
    fn with(&self, text: &str) -> String {
        [&self.before, text, &self.after].concat()
    }

    /// Whether a text can replace the old one: it looks like an address, and brings no scheme along.
    fn suits(&self, text: &str) -> bool {
        let is_plain = !self.before.is_empty() && can_be_address(text) && !text.contains(':');
        let is_mail = self.before.eq_ignore_ascii_case("mailto:");
        is_plain && text.contains('.') && text.contains('@') == is_mail
    }
}

/// What stands around the cell's text in the link's target, if the link leads to what the cell shows.
fn follows(target: &str, text: &str) -> Option<Around> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let lower = target.to_ascii_lowercase();
    let at = lower.find(&text.to_ascii_lowercase())?;
    let (before, after) = (&target[..at], &target[at + text.len()..]);
    let is_scheme = before.is_empty() || before.ends_with(':') || before.ends_with("://");
    let is_rest = after.is_empty() || after == "/" || after.starts_with('?');
    (is_scheme && is_rest).then(|| Around { before: before.to_owned(), after: after.to_owned() })
}

/// The target of a text that Excel would make a link: an address with its scheme, or one that shows by itself what it is.
fn address(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    if !can_be_address(text) {
        return None;
    }
    if ["http://", "https://", "ftp://", "mailto:"].iter().any(|scheme| lower.starts_with(scheme)) {
        return Some(text.to_owned());
    }
    if lower.starts_with("www.") {
        return Some(format!("http://{text}"));
    }
    let (name, domain) = text.split_once('@')?;
    let is_mail = !name.is_empty() && domain.contains('.') && !domain.contains('@');
    is_mail.then(|| format!("mailto:{text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_follows_its_cell_when_it_leads_to_what_the_cell_shows() {
        for (target, text, new, expected) in [
            ("mailto:a@x.no", "a@x.no", "b@y.no", Some("mailto:b@y.no")),
            ("mailto:A@x.no?subject=Hi", "a@x.no", "b@y.no", Some("mailto:b@y.no?subject=Hi")),
            ("http://fjord.no/", "fjord.no", "berg.no", Some("http://berg.no/")),
            ("https://fjord.no", "https://fjord.no", "https://berg.no", None),
        ] {
            let around = follows(target, text).unwrap();
            assert_eq!(around.suits(new).then(|| around.with(new)).as_deref(), expected, "{target}");
        }
        for (target, text) in
            [("http://fjord.no/about", "fjord.no"), ("http://x.no", "Website"), ("mailto:a@x.no", "")]
        {
            assert_eq!(follows(target, text), None, "{target}");
        }
        for (text, target) in [
            ("b@y.no", Some("mailto:b@y.no")),
            ("www.berg.no", Some("http://www.berg.no")),
            ("HTTPS://berg.no", Some("HTTPS://berg.no")),
            ("berg.no", None),
            ("a b@y.no", None),
            ("@x.no", None),
            ("", None),
        ] {
            assert_eq!(address(text).as_deref(), target, "{text}");
        }
    }
}
