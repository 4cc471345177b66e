//! Flags of commands that call a connector service.

use std::error::Error;
use std::fmt::Display;

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use erp_host_client::{Credentials, Options};
use zeroize::Zeroizing;

use super::place::Place;
use crate::cli::address_parser::AddressParser;
use crate::config::Target;

/// The address of the service, and the options of the client.
// An optional group with another one in it is there where the named flag is.
#[derive(Debug, Clone, clap::Args)]
#[group(args = ["url"])]
pub(crate) struct ServiceFlags {
    /// Address of the connector service, as SuperOffice is given it; `/Services/ErpConnectorWS.svc` is added to a bare
    /// server. Or `@NAME` for `[targets.NAME]` of the configuration file, above which the other flags count
    #[arg(id = "url", value_name = "URL|@NAME", value_parser = AddressParser::<Place>::default())]
    pub(super) place: Place,
    /// The connector, by its registered name (`?ConnectorName=`); without it the service's first one
    #[arg(long, value_name = "NAME")]
    pub(super) connector: Option<String>,
    /// Configuration file (TOML) with the target [default: erp-host.toml]
    #[arg(long, value_name = "FILE", env = "ERP_HOST_CONFIG")]
    pub(super) config: Option<PathBuf>,
    #[command(flatten)]
    pub(super) transport: TransportFlags,
}

/// How a service is reached.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct TransportFlags {
    /// How long to wait for an answer
    #[arg(long, value_name = "SECONDS", default_value_t = 100.0, value_parser = seconds)]
    timeout: f32,
    /// PEM file with the certificates to trust, instead of the system's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Take any TLS certificate (for tests only: allows man-in-the-middle attacks)
    #[arg(long)]
    insecure: bool,
    /// File with credentials to send with every request, a line each: `user:password` for basic authentication, or a
    /// header such as `X-Connector-Secret: ..`; `-` for standard input
    #[arg(long, value_name = "FILE")]
    credentials: Option<PathBuf>,
}

fn seconds(text: &str) -> Result<f32, String> {
    let expected = "expected a number of seconds greater than 0";
    let seconds: f32 = text.parse().map_err(|_| expected.to_owned())?;
    let is_one = seconds > 0.0 && Duration::try_from_secs_f32(seconds).is_ok();
    if is_one { Ok(seconds) } else { Err(expected.to_owned()) }
}

impl TransportFlags {
    /// The options of a client, with those of a target below.
    pub(crate) fn options(&self, target: Option<&Target>) -> Result<Options, Box<dyn Error>> {
        let path = self.credentials.as_ref().or(target.and_then(|target| target.credentials.as_ref()));
        let credentials = match path {
            Some(path) => read_credentials(path)?,
            None => Credentials::default(),
        };
        Ok(Options {
            credentials,
            timeout: Duration::from_secs_f32(self.timeout),
            ca: self.ca.clone().or(target.and_then(|target| target.ca.clone())),
            insecure: self.insecure,
            ..Options::default()
        })
    }
}

/// A name and a password: more bytes are something else.
const MAX_CREDENTIALS: u32 = 64 * 1024;

fn read_credentials(path: &Path) -> Result<Credentials, String> {
    let refused =
        |error: &dyn Display| format!("the credentials in {} cannot be read: {error}", path.display());
    let text = if path == Path::new("-") {
        let mut text = Zeroizing::new(String::new());
        let read = io::stdin().take(MAX_CREDENTIALS.into()).read_to_string(&mut text);
        read.map_err(|error| refused(&error))?;
        text
    } else {
        let text = erp_host_files::read_text(path, MAX_CREDENTIALS.into());
        Zeroizing::new(text.map_err(|error| refused(&error))?)
    };
    Credentials::parse(&text).map_err(|error| refused(&error))
}
