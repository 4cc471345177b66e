//! The service that a command calls, and the settings of a connection to it: flags that several commands share.

use std::error::Error;
use std::fs;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use contract::Dialect;

use erp_host_client::{Client, Options, ServiceAddress};

/// Where the service is, and how to reach it.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ServiceFlags {
    /// Address of the connector service, as SuperOffice is given it; `/Services/ErpConnectorWS.svc` is added to a bare
    /// server
    #[arg(value_name = "URL")]
    url: ServiceAddress,
    /// The connector, by its registered name (`?ConnectorName=`); without it the service's first one
    #[arg(long, value_name = "NAME")]
    connector: Option<String>,
    /// How long to wait for an answer
    #[arg(long, value_name = "SECONDS", default_value_t = 100.0, value_parser = seconds)]
    timeout: f32,
    /// PEM file with the certificates to trust, instead of the system's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Take any TLS certificate (for tests: whoever is between can read and change everything)
    #[arg(long)]
    insecure: bool,
}

/// The dialect to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DialectChoice {
    /// The one that the service answers in.
    Auto,
    /// This one.
    Only(Dialect),
}

impl FromStr for DialectChoice {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let name = name.to_ascii_lowercase();
        if name == "auto" {
            return Ok(DialectChoice::Auto);
        }
        name.parse().map(DialectChoice::Only).map_err(|error: values::UnknownName| format!("{error}, auto"))
    }
}

fn seconds(text: &str) -> Result<f32, String> {
    let expected = "expected a number of seconds greater than 0";
    let seconds: f32 = text.parse().map_err(|_| expected.to_owned())?;
    let is_one = seconds > 0.0 && Duration::try_from_secs_f32(seconds).is_ok();
    if is_one { Ok(seconds) } else { Err(expected.to_owned()) }
}

impl ServiceFlags {
    /// A client of the service, in the dialect `message`.
    pub(super) fn client(&self) -> Result<Client, Box<dyn Error>> {
        let address = match &self.connector {
            Some(name) => self.url.clone().connector(name),
            None => self.url.clone(),
        };
        let options = Options {
            timeout: Duration::from_secs_f32(self.timeout),
            ca: self.ca.clone(),
            insecure: self.insecure,
            ..Options::default()
        };
        Ok(Client::new(address, &options)?)
    }
}

/// Settings of a connection, or fields of an actor.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct SetFlags {
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

/// Keys and values, null ones as `None`.
pub(super) type Entries = Vec<(String, Option<String>)>;

impl SetFlags {
    /// Whether nothing was given.
    pub(super) fn is_empty(&self) -> bool {
        self.set.is_empty() && self.set_file.is_none() && self.ask.is_empty() && self.null.is_empty()
    }

    /// Keys and values: those of the file first, then the others; of a key given twice the last one counts.
    pub(super) fn entries(&self) -> Result<Entries, Box<dyn Error>> {
        let mut entries = Entries::new();
        let mut put = |key: String, value: Option<String>| {
            match entries.iter_mut().find(|(known, _)| *known == key) {
                Some(entry) => entry.1 = value,
                None => entries.push((key, value)),
            };
        };
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

fn read_file(path: &Path) -> Result<Vec<(String, String)>, Box<dyn Error>> {
    let (name, text) = if path == Path::new("-") {
        let mut text = String::new();
        let read = io::stdin().read_to_string(&mut text);
        ("standard input".to_owned(), read.map(|_| text))
    } else {
        (path.display().to_string(), fs::read_to_string(path))
    };
    let text = text.map_err(|error| format!("the values in {name} cannot be read: {error}"))?;
    let lines =
        text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    // The line itself stays out of the error: it may be a secret.
    lines
        .map(|(number, line)| {
            key_and_value(line).map_err(|error| format!("{name}, line {}: {error}", number + 1).into())
        })
        .collect()
}
