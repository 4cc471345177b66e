//! A workbook's package: parts in a zip archive, found as Excel finds them, and how they refer to one another.

use std::collections::HashMap;
use std::io::{Cursor, Read};

use zip::ZipArchive;
use zip::read::ZipFile;

use super::encoding::{Encoding, TextReader};
use super::error::XlsxError;
use super::limits::PartLimits;
use super::xml::{Token, XmlError, XmlReader};

type Result<T> = std::result::Result<T, XlsxError>;

/// A package that is open for reading.
pub(crate) struct Package<'b> {
    archive: ZipArchive<Cursor<&'b [u8]>>,
    /// The archive's entries by the plain form of their names.
    entries: HashMap<String, usize>,
    limits: PartLimits,
}

/// Reads the text of a part.
pub(crate) type PartReader<'p, 'b> = TextReader<LimitedReader<ZipFile<'p, Cursor<&'b [u8]>>>>;

impl<'b> Package<'b> {
    /// # Errors
    /// It is no zip archive, or two entries are the same part.
    pub(crate) fn open(bytes: &'b [u8], limits: PartLimits) -> Result<Self> {
        let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
        let mut entries = HashMap::with_capacity(archive.len());
        for index in 0..archive.len() {
            let entry = archive.by_index_raw(index).map_err(damaged)?;
            let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
            if entry.is_dir() {
                continue;
            }
            if let Some(other) = entries.insert(plain_name(&name), index) {
                let text = format!("the archive has the part {name} twice (entries {other} and {index})");
                return Err(XlsxError::Damaged(text));
            }
        }
        // An archive may hold a name twice without showing it here, since the last one wins in its own index.
        if archive.has_duplicate_names() {
            return Err(damaged("the archive has a part twice"));
        }
        Ok(Package { archive, entries, limits })
    }

    /// The number of the entry that holds a part. Names differ in case, slashes and escapes from how they are referred
    /// to, with several writers; Excel does not mind.
    pub(crate) fn index(&self, part: &str) -> Option<usize> {
        let plain = plain_name(part);
        self.entries.get(&plain).or_else(|| self.entries.get(&percent_decoded(&plain))).copied()
    }

    /// The names of all entries that hold files.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Opens a part.
    ///
    /// # Errors
    /// It is not there, cannot be unpacked, is beyond the limits, or is in another encoding than UTF-8 and UTF-16.
    pub(crate) fn reader(&mut self, part: &str) -> Result<PartReader<'_, 'b>> {
        let index =
            self.index(part).ok_or_else(|| XlsxError::Damaged(format!("the archive has no part {part}")))?;
        let limits = self.limits;
        let entry =
            self.archive.by_index(index).map_err(|error| XlsxError::Damaged(format!("{part}: {error}")))?;
        limits.check(part, entry.compressed_size(), entry.size())?;
        let reader = LimitedReader {
            part: part.to_owned(),
            packed: entry.compressed_size(),
            unpacked: 0,
            limits,
            inner: entry,
        };
        TextReader::new(reader).map_err(|error| XlsxError::from_read(part, &error))
    }

    /// The text of a part, with its encoding.
    ///
    /// # Errors
    /// As for [`Package::reader`].
    pub(crate) fn text(&mut self, part: &str) -> Result<(String, Encoding)> {
        let mut reader = self.reader(part)?;
        let mut text = String::new();
        reader.read_to_string(&mut text).map_err(|error| XlsxError::from_read(part, &error))?;
        Ok((text, reader.encoding()))
    }

    /// What a part refers to; nothing, if it has no relationships.
    ///
    /// # Errors
    /// The relationships cannot be read.
    pub(crate) fn relationships(&mut self, part: &str) -> Result<Vec<Relationship>> {
        let (folder, name) = part.rsplit_once('/').unwrap_or(("", part));
        let rels = join(folder, &format!("_rels/{name}.rels"));
        if self.index(&rels).is_none() {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        let mut xml = XmlReader::new(self.reader(&rels)?);
        let failed = |why: XmlError| why.of(&rels);
        loop {
            match xml.next().map_err(failed)? {
                Token::Start | Token::Empty if xml.local_name() == Some("Relationship") => {
                    let value = |name: &str| xml.attribute(name).unwrap_or_default().into_owned();
                    let is_external = value("TargetMode").eq_ignore_ascii_case("External");
                    let (id, kind, mut target) = (value("Id"), value("Type"), value("Target"));
                    if !is_external {
                        target = resolve(folder, &target);
                    }
                    found.push(Relationship { id, kind, target, is_external });
                }
                Token::Eof => return Ok(found),
                _ => {}
            }
        }
    }

    /// The name of the part that holds the relationships of a part.
    pub(crate) fn relationships_part(part: &str) -> String {
        let (folder, name) = part.rsplit_once('/').unwrap_or(("", part));
        join(folder, &format!("_rels/{name}.rels"))
    }
}

fn damaged(why: impl std::fmt::Display) -> XlsxError {
    XlsxError::Damaged(why.to_string())
}

/// How a part refers to another one, or to something outside of the package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Relationship {
    pub(crate) id: String,
    /// A URI that ends with what it is: `/worksheet`.
    pub(crate) kind: String,
    /// The name of a part, or an address outside.
    pub(crate) target: String,
    pub(crate) is_external: bool,
}

/// Counts what is read: what an archive claims about its sizes need not be true.
pub(crate) struct LimitedReader<R> {
    part: String,
    packed: u64,
    unpacked: u64,
    limits: PartLimits,
    inner: R,
}

impl<R: Read> Read for LimitedReader<R> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buf)?;
        self.unpacked += u64::try_from(read).unwrap_or(u64::MAX / 2);
        self.limits.check(&self.part, self.packed, self.unpacked).map_err(std::io::Error::other)?;
        Ok(read)
    }
}

/// The form of a part's name in which names are compared: slashes forward, none at the beginning, small letters.
fn plain_name(name: &str) -> String {
    name.replace('\\', "/").trim_start_matches('/').to_ascii_lowercase()
}

/// The name with `%20` and the like decoded.
fn percent_decoded(name: &str) -> String {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after.get(..2).filter(|_| byte == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(decoded) => {
                bytes.push(decoded);
                rest = &after[2..];
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// The part that a target in a part of `folder` means.
fn resolve(folder: &str, target: &str) -> String {
    let target = target.replace('\\', "/");
    let path = match target.strip_prefix('/') {
        Some(absolute) => absolute.to_owned(),
        None => join(folder, &target),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_resolved_in_the_folder_of_their_part() {
        for (folder, target, part) in [
            ("xl", "worksheets/sheet1.xml", "xl/worksheets/sheet1.xml"),
            ("xl", "/xl/worksheets/sheet1.xml", "xl/worksheets/sheet1.xml"),
            ("xl/worksheets", "../tables/table1.xml", "xl/tables/table1.xml"),
            ("xl", "worksheets\\sheet1.xml", "xl/worksheets/sheet1.xml"),
            ("", "./xl//workbook.xml", "xl/workbook.xml"),
        ] {
            assert_eq!(resolve(folder, target), part);
        }
        assert_eq!(percent_decoded("a%20b%zz%c3%b8%"), "a b%zzø%");
        assert_eq!(plain_name("\\XL\\Sheet1.XML"), "xl/sheet1.xml");
    }
}
