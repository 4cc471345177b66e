//! Flags for the settings of a connection, or the fields of an actor.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use erp_host_files::permissions::refuse_readable_by_others;
use erp_host_files::read_text;

/// Settings of a connection, or fields of an actor.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct SettingsFlags {
    /// A key and its value, in the contract's form: text as it is, `[I:123]`, `[F:1.5]`, `[I:1]` for a ticked box,
    /// `[DT:12/31/2013 23:59:59]`. May be given several times
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_and_value)]
    set: Vec<(String, String)>,
    /// File with a line `KEY=VALUE` for each value, `-` for standard input: for secrets, which other users of this
    /// machine can see on a command line. Lines that begin with `#` count for nothing
    #[arg(long, value_name = "FILE")]
    set_file: Option<PathBuf>,
    /// Ask for the value of this key at the terminal, without showing it. May be given several times
    #[arg(long, value_name = "KEY")]
    ask: Vec<String>,
    /// A key whose value is null, which is not the same as empty. May be given several times
    #[arg(long, value_name = "KEY")]
    null: Vec<String>,
}

/// Keys and values; `None` is null.
pub(crate) type Entries = Vec<(String, Option<String>)>;

impl SettingsFlags {
    /// Whether no flag is given.
    pub(crate) fn is_empty(&self) -> bool {
        self.set.is_empty() && self.set_file.is_none() && self.ask.is_empty() && self.null.is_empty()
    }

    /// Keys and values. If a key is given several times, `--ask` counts over `--null`, that over `--set`, that over the
    /// file; in each, the last one counts.
    pub(crate) fn entries(&self) -> Result<Entries, Box<dyn Error>> {
        self.entries_over(None, &BTreeMap::new())
    }

    /// The same, above those of a file and, above that, of a table.
    pub(crate) fn entries_over(
        &self,
        file: Option<&Path>,
        table: &BTreeMap<String, String>,
    ) -> Result<Entries, Box<dyn Error>> {
        let mut entries = Entries::new();
        let mut put = |key: String, value: Option<String>| {
            match entries.iter_mut().find(|(known, _)| *known == key) {
                Some(entry) => entry.1 = value,
                None => entries.push((key, value)),
            };
        };
        if let Some(path) = file {
            for (key, value) in read_file(path)? {
                put(key, Some(value));
            }
        }
        for (key, value) in table {
            put(key.clone(), Some(value.clone()));
        }
        if let Some(path) = &self.set_file {
            for (key, value) in read_file(path)? {
                put(key, Some(value));
            }
        }
        for (key, value) in &self.set {
            put(key.clone(), Some(value.clone()));
        }
        for key in &self.null {
            put(key.clone(), None);
        }
        for key in &self.ask {
            if !io::stdin().is_terminal() {
                return Err(
                    format!("there is no terminal to ask for {key} at: give it with --set-file").into()
                );
            }
            put(key.clone(), Some(rpassword::prompt_password(format!("{key}: "))?));
        }
        Ok(entries)
    }
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

/// The largest file of values, or of actors.
pub(crate) const MAX_INPUT: u64 = 64 << 20;

/// The text of standard input, up to the same size.
pub(crate) fn read_standard_input() -> Result<String, String> {
    let mut text = String::new();
    let read = io::stdin().take(MAX_INPUT + 1).read_to_string(&mut text);
    match read.map_err(|error| format!("it cannot be read: {error}"))? as u64 {
        0..=MAX_INPUT => Ok(text),
        _ => Err(format!("it is larger than {MAX_INPUT} bytes")),
    }
}

/// A warning only: whether there is a password among the values is not known here.
fn warn_of_readers(path: &Path) {
    let loose = fs::metadata(path).ok().and_then(|metadata| refuse_readable_by_others(path, &metadata).err());
    if let Some(loose) = loose {
        eprintln!("erp-host: warning: if {} has a password: {loose}", path.display());
    }
}

fn read_file(path: &Path) -> Result<Vec<(String, String)>, Box<dyn Error>> {
    let (name, text) = if path == Path::new("-") {
        ("standard input".to_owned(), read_standard_input())
    } else {
        warn_of_readers(path);
        (path.display().to_string(), read_text(path, MAX_INPUT).map_err(|error| error.to_string()))
    };
    let text = text.map_err(|error| format!("the values in {name}: {error}"))?;
    let lines =
        text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    // The error does not show the line, which may hold a secret.
    lines
        .map(|(number, line)| {
            key_and_value(line).map_err(|error| format!("{name}, line {}: {error}", number + 1).into())
        })
        .collect()
}
