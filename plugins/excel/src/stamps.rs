//! Change tracking: when each row was last changed.
//!
//! A stamp is a moment in UTC to the millisecond, given out as a sortable text. Rows carry it in their `LastModified`
//! cell. People who edit the workbook rarely touch that cell, and some sheets have none; so the connector also keeps a
//! digest of what each row held when its stamp was given out, and gives a row with other contents a new stamp.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use plugin_api::DateTime;

use crate::cell::to_millisecond;

const TICKS_A_MS: u64 = 10_000;

/// A row's contents, and the stamp that was given out for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowVersion {
    pub(crate) contents: u64,
    pub(crate) stamp: DateTime,
}

/// The versions of a sheet's rows when it was last read.
pub(crate) enum PriorVersions<'a> {
    /// The sheet was never read: its own stamps count.
    Unknown,
    /// By the key of the row.
    Known(&'a dyn Fn(&str) -> Option<RowVersion>),
}

/// Gives stamps to the rows of a workbook that was read or is about to be written.
pub(crate) struct Stamping {
    /// The newest stamp given out before.
    pub(crate) newest: Option<DateTime>,
    /// The stamp for every row that changed without saying when: later than any before.
    pub(crate) fresh: DateTime,
}

impl Stamping {
    /// Stamps from a moment on: `now`, or right after the newest stamp if the clock has been set back.
    pub(crate) fn new(now: SystemTime, newest: Option<DateTime>) -> Self {
        Stamping { newest, fresh: later(to_millisecond(DateTime::from_system_time(now)), newest) }
    }

    /// The stamp of a row with this key and contents, whose `LastModified` cell holds `cell`.
    pub(crate) fn stamp(
        &self,
        prior: &PriorVersions<'_>,
        key: &str,
        contents: u64,
        cell: Option<DateTime>,
    ) -> DateTime {
        let PriorVersions::Known(versions) = prior else { return cell.unwrap_or(self.fresh) };
        match versions(key) {
            Some(version) if version.contents == contents => {
                cell.filter(|cell| *cell > version.stamp).unwrap_or(version.stamp)
            }
            // New or changed: its own stamp counts only if no caller can have asked for later ones already.
            _ => cell.filter(|cell| Some(*cell) > self.newest).unwrap_or(self.fresh),
        }
    }
}

/// The moment, or the first one after `newest`.
pub(crate) fn later(moment: DateTime, newest: Option<DateTime>) -> DateTime {
    let Some(newest) = newest else { return moment };
    if moment > newest {
        return moment;
    }
    DateTime::from_ticks(to_millisecond(newest).ticks() + TICKS_A_MS).unwrap_or(newest)
}

/// A digest of a text or of a row's contents. The same in every version of the connector, because it is kept on disk
/// (FNV-1a, 64 bits, with the bits mixed so that numbers can be added up).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Digest(u64);

impl Digest {
    pub(crate) fn new() -> Self {
        Digest(0xcbf2_9ce4_8422_2325)
    }

    /// Adds a part, with its length: `ab` and `c` differ from `a` and `bc`.
    #[must_use]
    pub(crate) fn with(mut self, part: &[u8]) -> Self {
        let length = u64::try_from(part.len()).unwrap_or(0).to_le_bytes();
        for byte in part.iter().chain(&length) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        self
    }

    pub(crate) fn finish(self) -> u64 {
        let mixed = (self.0 ^ (self.0 >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        let mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        mixed ^ (mixed >> 33)
    }
}

/// The contents and stamps of a workbook's rows, kept on disk for the next start. Without it no change is lost: rows
/// are sent once more.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) newest: Option<DateTime>,
    /// By actor type.
    pub(crate) sheets: HashMap<String, SheetLedger>,
}

/// The versions of a sheet's rows.
#[derive(Debug, Default)]
pub(crate) struct SheetLedger {
    /// The highest key that there ever was.
    pub(crate) highest_key: Option<String>,
    /// By the digest of the row's key.
    pub(crate) rows: HashMap<u64, RowVersion>,
}

/// The folder for ledgers, inside the connector's own one.
const FOLDER: &str = ".stamps";

const MAGIC: &[u8; 8] = b"erpxl\0\0\x03";
/// As `MAGIC`, but contents had another number: rows are then sent once more, and keys are not given out again.
const MAGIC_2: &[u8; 8] = b"erpxl\0\0\x02";

impl Ledger {
    /// The file that keeps the ledger of a workbook.
    pub(crate) fn path(folder: &Path, workbook: &Path) -> PathBuf {
        let digest = Digest::new().with(workbook.as_os_str().as_encoded_bytes()).finish();
        folder.join(FOLDER).join(format!("{digest:016x}.bin"))
    }

    /// Reads the ledger; an empty one if there is none or it is damaged.
    pub(crate) fn read(path: &Path) -> Self {
        let Ok(bytes) = std::fs::read(path) else { return Ledger::default() };
        Ledger::from_bytes(&bytes).unwrap_or_else(|| {
            tracing::warn!(path = %path.display(), "the ledger of stamps is damaged and is begun anew");
            Ledger::default()
        })
    }

    /// Writes the ledger: whole, or not at all.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        io::Write::write_all(&mut file, &self.to_bytes())?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        let mut put = |number: u64| bytes.extend(number.to_le_bytes());
        put(self.newest.map_or(0, DateTime::ticks));
        put(count(self.sheets.len()));
        for (name, sheet) in &self.sheets {
            for text in [name, sheet.highest_key.as_deref().unwrap_or_default()] {
                bytes.extend(count(text.len()).to_le_bytes());
                bytes.extend(text.as_bytes());
            }
            bytes.extend(count(sheet.rows.len()).to_le_bytes());
            for (key, version) in &sheet.rows {
                for number in [*key, version.contents, version.stamp.ticks()] {
                    bytes.extend(number.to_le_bytes());
                }
            }
        }
        let digest = Digest::new().with(&bytes).finish();
        bytes.extend(digest.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (bytes, digest) = bytes.split_last_chunk::<8>()?;
        if Digest::new().with(bytes).finish() != u64::from_le_bytes(*digest) {
            return None;
        }
        let is_older = bytes.starts_with(MAGIC_2);
        let mut rest = Bytes(bytes.strip_prefix(if is_older { MAGIC_2 } else { MAGIC })?);
        let newest = rest.number()?;
        let mut ledger = Ledger {
            newest: (newest > 0).then(|| DateTime::from_ticks(newest)).flatten(),
            sheets: HashMap::new(),
        };
        for _ in 0..rest.number()? {
            let (name, highest_key) = (rest.text()?, rest.text()?);
            let mut rows = HashMap::new();
            for _ in 0..rest.number()? {
                let (key, contents) = (rest.number()?, rest.number()?);
                let stamp = DateTime::from_ticks(rest.number()?)?;
                rows.insert(key, RowVersion { contents, stamp });
            }
            if is_older {
                rows.clear();
            }
            let highest_key = Some(highest_key).filter(|key| !key.is_empty());
            ledger.sheets.insert(name, SheetLedger { highest_key, rows });
        }
        Some(ledger)
    }
}

/// Bytes that are read from the front.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn text(&mut self) -> Option<String> {
        let length = usize::try_from(self.number()?).ok()?;
        String::from_utf8(self.take(length)?.to_vec()).ok()
    }

    fn number(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// The number under which the ledger keeps a key.
pub(crate) fn key_digest(key: &str) -> u64 {
    Digest::new().with(key.as_bytes()).finish()
}
