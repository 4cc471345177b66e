//! `erp-host register`.

use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use contract::SoapVersion;
use zeroize::Zeroizing;

use erp_host_files::read_secret_text;

use crate::cli::block_on;
use crate::cli::output::stdout;
use crate::cli::settings_flags::SettingsFlags;
use erp_host_client::Options;
use erp_host_client::register::{
    Credentials, DesiredConnection, NetServerClient, NetServerOptions, Registration, TimeZone,
};

/// Size limit of a response of NetServer in bytes.
const MAX_RESPONSE_BYTES: usize = 16 << 20;

const PASSWORD: &str = "ERP_HOST_NETSERVER_PASSWORD";
const TICKET: &str = "ERP_HOST_NETSERVER_TICKET";
const APPLICATION_TOKEN: &str = "ERP_HOST_APPLICATION_TOKEN";

/// Register a connector with SuperOffice, and a connection with it if you like
///
/// It signs in to NetServer, lets it test the connector's address, and creates the Sync Connector or changes the one of
/// that name. With --connection it does the rest as well: fetches the form, fills it in, tests, saves and activates the
/// connection. Run it twice, and the second time changes nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The site of NetServer: what stands before /Remote/Services88
    #[arg(long, value_name = "URL", env = "ERP_HOST_NETSERVER")]
    netserver: String,
    /// The connector's address, as the SuperOffice server reaches it
    #[arg(long, value_name = "URL")]
    url: String,
    /// The name of the Sync Connector in SuperOffice; it is found again by it
    #[arg(long, value_name = "NAME")]
    name: String,

    /// Sign in as this user. The password is asked for, or comes from --password-file or ERP_HOST_NETSERVER_PASSWORD
    #[arg(long, value_name = "USER", env = "ERP_HOST_NETSERVER_USER")]
    user: Option<String>,
    /// File whose first line is the password
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,
    /// File whose first line is a ticket, instead of a user; or ERP_HOST_NETSERVER_TICKET
    #[arg(long, value_name = "FILE", conflicts_with = "user")]
    ticket_file: Option<PathBuf>,
    /// File whose first line is the application token, which online sites want; or ERP_HOST_APPLICATION_TOKEN
    #[arg(long, value_name = "FILE")]
    application_token_file: Option<PathBuf>,

    /// Make a connection, too: its name in SuperOffice
    #[arg(long, value_name = "NAME")]
    connection: Option<String>,
    #[command(flatten)]
    settings: SettingsFlags,
    /// A description of the connection
    #[arg(long, value_name = "TEXT", requires = "connection")]
    description: Option<String>,
    /// Do not activate the connection
    #[arg(long, requires = "connection")]
    inactive: bool,
    /// User groups that may use the connection, by ID [default: everybody]
    #[arg(long, value_name = "ID,..", value_delimiter = ',', requires = "connection")]
    user_groups: Vec<i32>,
    /// Associates who may use the connection, by ID
    #[arg(long, value_name = "ID,..", value_delimiter = ',', requires = "connection")]
    associates: Vec<i32>,

    /// Only say what would be done: signs in, looks and tests, and changes nothing
    #[arg(long)]
    dry_run: bool,
    /// Go on although NetServer does not reach the address
    #[arg(long)]
    skip_url_test: bool,
    /// The Sync Connector's ID, instead of its name; 0 for a new one. For versions that cannot list Sync Connectors
    #[arg(long, value_name = "ID")]
    connector_id: Option<i32>,
    /// The version of NetServer's services
    #[arg(long, value_name = "VERSION", default_value_t = 88, value_parser = clap::value_parser!(u8).range(80..=99))]
    services: u8,
    /// Speak SOAP 1.2 instead of 1.1
    #[arg(long)]
    soap12: bool,
    /// The time zone to say in requests: SuperOffice's ID of one, or a location code
    #[arg(long, value_name = "ID|CODE")]
    time_zone: Option<TimeZone>,
    /// The language of labels: US, NO, SW, DA, GE, ...
    #[arg(long, value_name = "CODE", default_value = "US")]
    language: String,
    /// How long NetServer may take for an answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,
    /// Trust the certificates of this PEM file instead of the system's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  erp-host register --netserver https://crm.example.com --user admin --dry-run \\
      --name Excel --url https://erp.example.com/Services/ErpConnectorWS.svc
  erp-host register --netserver https://online.superoffice.com/Cust12345 \\
      --ticket-file ticket --application-token-file token \\
      --name Excel --url https://erp.example.com/Services/ErpConnectorWS.svc?ConnectorName=Excel \\
      --connection 'Our customers' --set Filename=customers.xlsx

Passwords, tickets and tokens come from a file, the environment or the terminal: others can
read a command line. The same for settings that are secret: --set-file FILE, --ask Password.

Exit code: 0 when everything is as wanted, 1 when it is not, 2 for a wrong command line.";

pub(super) fn run(args: Args) -> Result<ExitCode, Box<dyn Error>> {
    if args.connection.is_none() && !args.settings.is_empty() {
        return Err("--set fills in the form of a connection: say which one with --connection NAME".into());
    }
    let settings = args.settings.entries()?.into_iter().collect();
    let credentials = credentials(&args)?;
    let options = NetServerOptions {
        base: args.netserver.clone(),
        services: args.services,
        soap: if args.soap12 { SoapVersion::V12 } else { SoapVersion::V11 },
        application_token: secret(args.application_token_file.as_deref(), APPLICATION_TOKEN)?,
        time_zone: args.time_zone,
        http: Options {
            timeout: Duration::from_secs(args.timeout),
            max_response_bytes: MAX_RESPONSE_BYTES,
            ca: args.ca.clone(),
            ..Options::default()
        },
    };
    let registration = Registration {
        name: args.name,
        url: args.url,
        connector_id: args.connector_id,
        connection: args.connection.map(|name| DesiredConnection {
            name,
            description: args.description,
            settings,
            active: !args.inactive,
            user_groups: args.user_groups,
            associates: args.associates,
        }),
        language: args.language,
        dry_run: args.dry_run,
        skip_url_test: args.skip_url_test,
    };
    block_on(async {
        let mut out = stdout();
        let server = NetServerClient::sign_in(options, credentials).await?;
        if let Some(name) = server.user_name() {
            writeln!(out, "signed in as {name}")?;
        }
        registration.apply(&server, &mut out).await?;
        Ok(ExitCode::SUCCESS)
    })?
}

fn credentials(args: &Args) -> Result<Credentials, Box<dyn Error>> {
    let Some(user) = &args.user else {
        let ticket = secret(args.ticket_file.as_deref(), TICKET)?;
        return ticket.map(Credentials::Ticket).ok_or_else(|| {
            format!("who signs in? Give --user, or a ticket with --ticket-file or {TICKET}").into()
        });
    };
    let password = match secret(args.password_file.as_deref(), PASSWORD)? {
        Some(password) => password,
        None if io::stdin().is_terminal() => {
            Zeroizing::new(rpassword::prompt_password(format!("password of {user}: "))?)
        }
        None => {
            return Err(format!(
                "there is no terminal to ask for the password at: give --password-file or set {PASSWORD}"
            )
            .into());
        }
    };
    Ok(Credentials::Password { user: user.clone(), password })
}

/// The largest file with a secret.
const MAX_SECRET: u32 = 64 * 1024;

/// A secret from the first line of a file, else from the environment.
fn secret(file: Option<&Path>, variable: &str) -> Result<Option<Zeroizing<String>>, Box<dyn Error>> {
    let Some(file) = file else {
        return match std::env::var(variable) {
            Ok(secret) if !secret.is_empty() => Ok(Some(Zeroizing::new(secret))),
            Ok(_) | Err(std::env::VarError::NotPresent) => Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => Err(format!("{variable} is no UTF-8 text").into()),
        };
    };
    let content =
        read_secret_text(file, MAX_SECRET).map_err(|error| format!("{}: {error}", file.display()))?;
    match content.lines().next().map(str::trim) {
        Some(line) if !line.is_empty() => Ok(Some(Zeroizing::new(line.to_owned()))),
        _ => Err(format!("the first line of {} is empty", file.display()).into()),
    }
}
