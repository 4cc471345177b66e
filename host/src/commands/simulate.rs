//! `erp-host simulate`.

use std::error::Error;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use crate::cli::output::{print_error, print_note};
use crate::cli::own_output::OwnOutput;
use crate::cli::profile_flags::{ProfileFlags, print_source};
use crate::cli::scratch_folder::scratch_folder;
use crate::cli::service::Service;
use crate::cli::service_flags::ServiceFlags;
use crate::cli::settings_flags::SettingsFlags;
use crate::cli::signals::StopSignals;
use crate::cli::text::ask_yes_or_no;
use crate::config::{Config, Flags};
use erp_host_client::form::FormInput;
use erp_host_client::{Client, Options};
use erp_host_runtime::Plugins;
use erp_host_simulator::{
    ConflictWinner, DemoHost, ErpUser, Progress, Report, Simulation, SimulationOptions, StopHandle, Verbosity,
};
use erp_host_terminal::PrintableWriter;

/// Simulate SuperOffice: a connection's whole life, against any connector
///
/// It fills in the form, saves a connection, imports everything, lets edits appear on both sides and synchronises them
/// round by round, compares both sides field by field, and deletes the connection. Its CRM is an SQLite file that you can
/// look into. It WRITES into the ERP system behind the connector: use a test system, or --read-only.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(group(clap::ArgGroup::new("target").required(true).multiple(false).args(["url", "demo"])))]
pub(super) struct Args {
    #[command(flatten)]
    service: Option<ServiceFlags>,
    /// Start a host with the plugins of the plugins folder, and simulate against one of its connectors [default: Excel,
    /// on a sample workbook, if it is there]
    #[arg(long, value_name = "CONNECTOR", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    demo: Option<String>,
    /// With --demo: the plugins folder [default: ./plugins]
    #[arg(long, value_name = "DIR", env = "ERP_HOST_PLUGINS", requires = "demo")]
    plugins: Option<PathBuf>,
    /// With --demo: kill the host and start it again before every so many rounds; 0 for never [default: 3 with Excel]
    #[arg(long, value_name = "ROUNDS", requires = "demo")]
    restart_every: Option<u64>,
    /// With --demo: kill the host and remove its data folder before every so many rounds; 0 for never [default: 5 with
    /// Excel]
    #[arg(long, value_name = "ROUNDS", requires = "demo")]
    lose_store_every: Option<u64>,
    #[command(flatten)]
    settings: SettingsFlags,
    #[command(flatten)]
    profile: ProfileFlags,

    /// How many rounds; 0 to go on until Ctrl-C
    #[arg(long, value_name = "N", default_value_t = 10)]
    rounds: u64,
    /// How many edits a round makes up on each side
    #[arg(long, value_name = "N", default_value_t = 4)]
    edits: usize,
    /// The most calls a second, of all connections together [default: no limit]
    #[arg(long, value_name = "CALLS", value_parser = rate)]
    rate: Option<f64>,
    /// How many connections live at once, each with a CRM of its own
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    connections: u16,
    /// Decides every edit: the same seed makes the same edits on the same data [default: another one each time]
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Who wins when both sides have changed a field
    #[arg(long, value_enum, value_name = "SIDE", default_value = "erp")]
    winner: ConflictWinner,
    /// Through which connection the made-up ERP user works
    #[arg(long, value_enum, value_name = "CONNECTION", default_value = "auto")]
    erp_user: ErpUser,
    /// Synchronise actors of this type only. May be given several times
    #[arg(long, value_name = "TYPE")]
    only: Vec<String>,
    /// Write nothing into the ERP system: only fetch what others change there
    #[arg(long)]
    read_only: bool,
    /// How long to wait for a service that does not answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    patience: u64,

    /// Keep the CRM's data in this SQLite file; one of an earlier simulation goes on [default: in memory]
    #[arg(long, value_name = "FILE")]
    crm: Option<PathBuf>,
    /// Write the report to this file, too, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The language of labels and messages: US, NO, SW, DA, GE, ...
    #[arg(long, value_name = "CODE", default_value = "US")]
    language: String,
    /// Do not delete the connections in the end
    #[arg(long)]
    keep: bool,
    /// Show only anomalies and the report
    #[arg(long, short)]
    quiet: bool,
    /// Show every edit and every change
    #[arg(long, short, conflicts_with = "quiet")]
    verbose: bool,
    /// Do not ask before writing into an ERP system on another machine
    #[arg(long, short)]
    yes: bool,
}

const EXAMPLES: &str = "\
Examples:
  erp-host simulate --demo                                what it does, in a minute
  erp-host simulate --demo=Hello --seed 7 --verbose
  erp-host simulate http://localhost:8080 --connector Excel --set Filename=test.xlsx --crm crm.db
  erp-host simulate https://erp.example.com --set Server=test --read-only
  erp-host simulate @test                                 [targets.test] of erp-host.toml
  erp-host simulate http://localhost:8080 --set Filename=test.xlsx \\
      --rounds 0 --connections 20 --rate 50 --quiet --json report.json     a soak test, until Ctrl-C

Ctrl-C ends the edits: what is on its way is synchronised, compared and reported. A second one
does not wait for a service that is away; a third one ends at once.

Exit code: 0 both sides are equal and nothing was odd, 1 there are anomalies, 2 it could not run.";

/// Exit code if the simulation could not run.
const COULD_NOT_RUN: u8 = 2;

pub(super) fn run(args: Args) -> Result<ExitCode, Box<dyn Error>> {
    // The demo loads plugins.
    let output = OwnOutput::take()?;
    let absolute = |path: Option<PathBuf>| path.map(std::path::absolute).transpose();
    let json = absolute(args.json.clone())?;
    let args = Args { crm: absolute(args.crm)?, ..args };
    match simulate(args, output.try_clone()?) {
        Ok(report) => {
            match report.write_text(&mut PrintableWriter::new(io::BufWriter::new(output))) {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
                _ => {}
            }
            if let Some(path) = json {
                write_json(&path, &report)?;
            }
            Ok(if report.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Err(error) => {
            print_error(&error);
            Ok(ExitCode::from(COULD_NOT_RUN))
        }
    }
}

fn simulate(args: Args, output: OwnOutput) -> Result<Report, Box<dyn Error>> {
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let (client, profile, settings, demo) = match (&args.demo, &args.service) {
        (Some(connector), _) => {
            let mut settings: FormInput = args.settings.entries()?.into_iter().collect();
            let (client, host) = demo(&args, connector, &mut settings)?;
            (client, args.profile.choice(None)?, settings, Some(host))
        }
        (None, Some(service)) => {
            let service = Service::new(service, &args.profile)?;
            let settings = service.settings(&args.settings)?.into_iter().collect();
            (service.client, service.profile, settings, None)
        }
        (None, None) => return Err("name a service: a URL, @NAME, or --demo".into()),
    };
    if demo.is_none() {
        confirm(&args, &client)?;
    }
    let options = SimulationOptions {
        seed,
        rounds: args.rounds,
        edits: args.edits,
        rate: args.rate,
        connections: usize::from(args.connections),
        language: args.language,
        settings,
        winner: args.winner,
        erp_user: args.erp_user,
        only: args.only,
        read_only: args.read_only,
        keep: args.keep,
        retry_timeout: Duration::from_secs(args.patience),
        crm: args.crm,
    };
    let verbosity = match (args.quiet, args.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Everything,
        _ => Verbosity::Rounds,
    };
    let progress = Progress::new(Box::new(PrintableWriter::new(output)), verbosity, args.connections > 1);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let (client, source) = client.choose_and_try(profile).await?;
        print_source(&source);
        let (address, profile) = (client.address(), client.profile().name());
        progress.write(&format!("simulating against {address} in profile {profile}, seed {seed}\n"));
        let simulation = Simulation::new(options, client, progress, demo);
        let stop = simulation.stop_handle();
        // Dropping the simulation also stops the demo's host.
        tokio::select! {
            report = simulation.run() => Ok(report?),
            error = stop_on_signals(stop) => Err(error.into()),
        }
    })
}

/// Starts the demo's host, picks the connector, and sets the path of the sample workbook.
fn demo(
    args: &Args,
    connector: &str,
    settings: &mut FormInput,
) -> Result<(Client, DemoHost), Box<dyn Error>> {
    let flags = Flags { plugins: args.plugins.clone(), ..Flags::default() };
    let config = Config::load(&flags)?;
    let looked = scratch_folder()?;
    let plugins = Plugins::load(&config.plugins, looked.path(), &config.runtime)?;
    let names: Vec<String> = plugins.connectors().iter().map(|plugin| plugin.name().to_owned()).collect();
    let find = |name: &str| names.iter().find(|known| known.eq_ignore_ascii_case(name));
    let found = match connector {
        "" => find("Excel").or(names.first()),
        name => find(name),
    };
    let Some(name) = found else {
        let folder = config.plugins.display();
        return Err(match names.as_slice() {
            [] => format!("there is no connector in {folder} to demonstrate: name the folder with --plugins"),
            names => format!("there is no connector {connector:?} in {folder}, only {}", names.join(", ")),
        }
        .into());
    };
    let is_excel = name == "Excel";
    // A connector may keep its data in memory, and lose them in a restart. The Excel connector does not.
    let every = |flag: Option<u64>, default: u64| flag.unwrap_or(if is_excel { default } else { 0 });
    let host =
        DemoHost::start(&config.plugins, every(args.restart_every, 3), every(args.lose_store_every, 5))?;
    if is_excel {
        settings.set_default("Filename", &host.workbook().display().to_string());
    }
    let client = Client::new(
        host.url().parse::<erp_host_client::ServiceAddress>()?.connector(name),
        &Options::default(),
    )?;
    Ok((client, host))
}

/// Asks before the simulation writes to an ERP system on another machine.
fn confirm(args: &Args, client: &Client) -> Result<(), Box<dyn Error>> {
    if args.yes || args.read_only || client.address().is_loopback() {
        return Ok(());
    }
    let warning = format!("this writes made-up data into the ERP system behind {}", client.address());
    if !io::stdin().is_terminal() {
        return Err(format!("{warning}: say --yes, or --read-only").into());
    }
    if ask_yes_or_no(&format!("{warning}. Is it a test system?"))? {
        Ok(())
    } else {
        Err("nothing was done; --read-only writes nothing".into())
    }
}

/// The first signal stops the edits, the second one the retries. The third one returns.
async fn stop_on_signals(stop: StopHandle) -> io::Error {
    let mut signals = match StopSignals::new() {
        Ok(signals) => signals,
        Err(error) => return error,
    };
    signals.next().await;
    print_note("stopping: no more edits, what is on its way is synchronised and compared");
    stop.stop();
    signals.next().await;
    print_note("not waiting for a service that is away any more");
    stop.stop_now();
    signals.next().await;
    io::Error::other("stopped at once: nothing was compared, and the connections are left there")
}

fn rate(text: &str) -> Result<f64, String> {
    let expected = "expected a number of calls a second, such as 50 or 0.5";
    let rate: f64 = text.parse().map_err(|_| expected.to_owned())?;
    if rate.is_finite() && (0.001..=1e6).contains(&rate) { Ok(rate) } else { Err(expected.to_owned()) }
}

fn write_json(path: &Path, report: &Report) -> Result<(), Box<dyn Error>> {
    std::fs::write(path, format!("{:#}\n", report.to_json()))
        .map_err(|error| format!("the report cannot be written to {}: {error}", path.display()).into())
}
