//! The flag for a passphrase, which comes from a file, the environment or the terminal.

use std::error::Error;
use std::io::{self, IsTerminal};
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::UsageError;
use erp_host_files::read_secret_text;

const VARIABLE: &str = "ERP_HOST_PASSPHRASE";
/// An attacker who has the file can try passphrases without limit, so a short one does not protect it.
const MIN_CHARACTERS: usize = 12;
/// The largest passphrase file.
const MAX_BYTES: u32 = 64 * 1024;

#[derive(Debug, clap::Args)]
pub(crate) struct PassphraseFlags {
    /// File whose first line is the passphrase. Without it: the environment variable ERP_HOST_PASSPHRASE, or else it is
    /// asked for
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl PassphraseFlags {
    /// The passphrase to encrypt with: long enough, and typed twice if it is typed.
    pub(crate) fn new_passphrase(&self) -> Result<Zeroizing<String>, Box<dyn Error>> {
        let given = self.given()?;
        let typed = given.is_none();
        let passphrase = match given {
            Some(passphrase) => passphrase,
            None => ask("passphrase for the file: ")?,
        };
        if passphrase.chars().count() < MIN_CHARACTERS {
            return Err(format!(
                "the passphrase is too short: expected at least {MIN_CHARACTERS} characters, because somebody \
                 who has the file can try as many as they like"
            )
            .into());
        }
        if typed && *ask("the same again: ")? != *passphrase {
            return Err("the two passphrases differ, nothing was written".into());
        }
        Ok(passphrase)
    }

    /// The passphrase to decrypt with.
    pub(crate) fn passphrase(&self) -> Result<Zeroizing<String>, Box<dyn Error>> {
        match self.given()? {
            Some(passphrase) => Ok(passphrase),
            None => ask("passphrase of the file: "),
        }
    }

    /// The passphrase of the file or the environment, without asking.
    pub(crate) fn given_passphrase(&self) -> Result<Option<Zeroizing<String>>, Box<dyn Error>> {
        self.given()
    }

    fn given(&self) -> Result<Option<Zeroizing<String>>, Box<dyn Error>> {
        if let Some(file) = &self.passphrase_file {
            let text = read_secret_text(file, MAX_BYTES)
                .map_err(|error| format!("the passphrase file {}: {error}", file.display()))?;
            let line = text.lines().next().unwrap_or_default();
            if line.is_empty() {
                return Err(
                    format!("the first line of the passphrase file {} is empty", file.display()).into()
                );
            }
            return Ok(Some(Zeroizing::new(line.to_owned())));
        }
        match std::env::var(VARIABLE) {
            Ok(passphrase) if !passphrase.is_empty() => Ok(Some(Zeroizing::new(passphrase))),
            Ok(_) | Err(std::env::VarError::NotPresent) => Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => Err(format!("{VARIABLE} is no UTF-8 text").into()),
        }
    }
}

fn ask(prompt: &str) -> Result<Zeroizing<String>, Box<dyn Error>> {
    if !io::stdin().is_terminal() {
        return Err(UsageError(format!(
            "there is no terminal to ask for the passphrase at: give --passphrase-file or set {VARIABLE}"
        ))
        .into());
    }
    Ok(Zeroizing::new(rpassword::prompt_password(prompt)?))
}
