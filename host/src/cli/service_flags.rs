//! Flags of commands that call a connector service.

use std::error::Error;
use std::fmt::Display;

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use erp_host_client::{Client, Credentials, Options, ServiceAddress};
use zeroize::Zeroizing;

use crate::cli::address_parser::AddressParser;

/// The address of the service, and the options of the client.
// An optional group with another one in it is there where the named flag is.
#[derive(Debug, Clone, clap::Args)]
#[group(args = ["url"])]
pub(crate) struct ServiceFlags {
    /// Address of the connector service, as SuperOffice is given it; `/Services/ErpConnectorWS.svc` is added to a bare
    /// server
    #[arg(value_name = "URL", value_parser = AddressParser::<ServiceAddress>::default())]
    url: ServiceAddress,
    /// The connector, by its registered name (`?ConnectorName=`); without it the service's first one
    #[arg(long, value_name = "NAME")]
    connector: Option<String>,
    #[command(flatten)]
    transport: TransportFlags,
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

impl ServiceFlags {
    /// A client of the service, in the dialect `message`.
    pub(crate) fn client(&self) -> Result<Client, Box<dyn Error>> {
        let address = match &self.connector {
            Some(name) => self.url.clone().connector(name),
            None => self.url.clone(),
        };
        Ok(Client::new(address, &self.transport.options()?)?)
    }
}

impl TransportFlags {
    /// The options of a client.
    pub(crate) fn options(&self) -> Result<Options, Box<dyn Error>> {
        let credentials = match &self.credentials {
            Some(path) => read_credentials(path)?,
            None => Credentials::default(),
        };
        Ok(Options {
            credentials,
            timeout: Duration::from_secs_f32(self.timeout),
            ca: self.ca.clone(),
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
