//! `cargo xtask demo`.

mod show;

use std::error::Error;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use contract::{Actor, Call, Dialect, Dictionary, Envelope, Operation, Payload, Reply, Request};

use test_support::build::{self, PLUGINS, Profile};
use test_support::exchange::{self, Exchange};
use test_support::host_process::HostProcess;

/// The GUID of the demo's connection. It is constant, so that copied commands still work in the next demo.
pub const CONNECTION: &str = "de30de30-de30-4de3-8de3-de30de30de30";

const ADDRESS: &str = "127.0.0.1:8080";
const WORKBOOK: &str = "sample.xlsx";

/// Builds everything, starts the host with the Excel connector as a real plugin file on a sample workbook, saves a
/// connection, and shows calls to try with their real answers. Runs until Ctrl-C.
///
/// Changes are kept until --fresh.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cargo xtask demo                            the quickest start
  cargo xtask demo --fresh                    start again with a new sample workbook
  cargo xtask demo --release                  built as for operators: slower to build, faster to run
  cargo xtask demo --listen 0.0.0.0:8080      let other machines call")]
pub struct Args {
    /// Address and port to listen on [default: 127.0.0.1:8080, or a free port when that one is taken]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,

    /// Build with optimisation, as for operators
    #[arg(long)]
    release: bool,

    /// Start again: remove the demo's connections and changes
    #[arg(long)]
    fresh: bool,

    /// Show the calls, then stop
    #[arg(long)]
    once: bool,

    /// Keep the demo's files here [default: target/demo]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// Runs the task.
///
/// # Errors
/// Something cannot be built, or the host does not do what is shown.
pub fn run(args: &Args) -> Result<ExitCode, Box<dyn Error>> {
    let listen = free_address(args.listen.as_deref())?;
    eprintln!("building the host and its plugins (the first time this takes a few minutes) ...");
    let built = build::build(if args.release { Profile::Release } else { Profile::Dev }, PLUGINS)?;

    let folder = args.folder.clone().unwrap_or_else(|| build::target().join("demo"));
    let workbook = prepare(&folder, args.fresh)?;
    // The host must not load plugins of an older build.
    let _ = std::fs::remove_dir_all(folder.join("plugins"));
    build::install(&built, PLUGINS, &folder.join("plugins"))?;

    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
    }
    let mut host = start(&built.host, &folder, &listen).map_err(|error| {
        format!("{error}\nif data of an older version is in the way: cargo xtask demo --fresh")
    })?;

    show_calls(&host, &workbook)?;
    if !args.once {
        println!("\nThe host runs until Ctrl-C: {}, connection {CONNECTION}. Its log:\n", host.url());
        host.follow_log();
        while !interrupted.load(Ordering::Relaxed) {
            if let Some(status) = host.has_ended()? {
                return Err(format!("the host ended with {status}").into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        println!("\nstopping ...");
    }
    let status = host.stop()?;
    if status.success() { Ok(ExitCode::SUCCESS) } else { Err(format!("the host ended with {status}").into()) }
}

/// The requested address, or the default one, or a free port.
fn free_address(asked: Option<&str>) -> Result<String, Box<dyn Error>> {
    let address = asked.unwrap_or(ADDRESS);
    match (TcpListener::bind(address), asked) {
        (Ok(_), _) => Ok(address.to_owned()),
        (Err(error), Some(_)) => Err(format!("cannot listen on {address}: {error}").into()),
        (Err(error), None) => {
            eprintln!("cannot listen on {address} ({error}): taking a free port; --listen says which");
            Ok("127.0.0.1:0".to_owned())
        }
    }
}

/// Creates the folders and the sample workbook, unless they exist.
fn prepare(folder: &Path, fresh: bool) -> Result<PathBuf, Box<dyn Error>> {
    if fresh && folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    let workbooks = folder.join("data").join("excel");
    std::fs::create_dir_all(&workbooks)?;
    let workbook = workbooks.join(WORKBOOK);
    if !workbook.exists() {
        sample_workbook::write_sample(&workbook)?;
    }
    Ok(workbook)
}

fn start(program: &Path, folder: &Path, listen: &str) -> Result<HostProcess, Box<dyn Error>> {
    let mut command = Command::new(program);
    command.current_dir(folder).args(["serve", "--listen", listen, "--plugins", "plugins", "--data", "data"]);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("ERP_HOST_")) {
        command.env_remove(name);
    }
    // Ctrl-C must not reach the host: this task stops it.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    HostProcess::start(command)
}

/// Makes the calls and prints them with their replies.
fn show_calls(host: &HostProcess, workbook: &Path) -> Result<(), Box<dyn Error>> {
    let caller = Caller { address: host.address(), url: host.url() };

    let settings = || Some(Dictionary::from_iter([("Filename", Some(WORKBOOK))]));
    caller.expect_ok(None, Request::TestConfigData { connection_info: settings() })?;
    caller.expect_ok(Some(CONNECTION), Request::SaveConnection { connection_info: settings() })?;
    caller.expect_ok(Some(CONNECTION), Request::TestConnection)?;

    println!(
        "
erp-host serves a sample workbook.

  address     {url}
              open it in a browser, or read its WSDL: {url}?singleWsdl
  connection  {CONNECTION}
              saved with Filename={WORKBOOK}, and tested: Ok
  workbook    {workbook}
              change it, and the next call sees it

Calls to try, and what the host has just answered:",
        url = host.url(),
        workbook = workbook.display(),
    );

    caller.show("Which actor types are there?", Request::GetSupportedActorTypes)?;

    let fields = || Some(vec![Some("NAME".into()), Some("POSTALCITY".into())]);
    let found = caller.show(
        "Which customers have \"møbler holding\" in a text?",
        Request::SearchActors {
            actor_type: Some("Customer".into()),
            search_text: Some("møbler holding".into()),
            field_keys: fields(),
        },
    )?;
    let key = first_key(&found)?;

    caller.show(
        "One customer by its key, with all its fields.",
        Request::GetActors {
            actor_type: Some("Customer".into()),
            erp_keys: Some(vec![Some(key.clone().into())]),
            field_keys: None,
        },
    )?;
    caller.show(
        "Save a change: look into the workbook afterwards.",
        Request::SaveActors {
            actors: Some(vec![Actor {
                actor_type: Some("Customer".into()),
                erp_key: Some(key.into()),
                field_values: Some(Dictionary::from_iter([("POSTALCITY", Some("Longyearbyen"))])),
                ..Actor::default()
            }]),
        },
    )?;
    Ok(())
}

/// The key of the first actor of an answer.
fn first_key(found: &Exchange) -> Result<String, Box<dyn Error>> {
    let answer = contract::read_reply(&found.response.body, Operation::SearchActors)?;
    let Reply::Result { payload: Payload::Actors(Some(actors)), .. } = answer.reply else {
        return Err("the search answered without actors".into());
    };
    let first = actors.into_iter().next().ok_or("the sample workbook has no such customer")?;
    Ok(first.erp_key.ok_or("an actor without a key")?.into_owned())
}

/// Calls the running host.
struct Caller<'h> {
    address: SocketAddr,
    url: &'h str,
}

impl Caller<'_> {
    fn expect_ok(&self, connection: Option<&str>, request: Request<'_>) -> Result<Exchange, Box<dyn Error>> {
        let call = Call {
            envelope: Envelope::new(Dialect::Message),
            connection_guid: connection.map(Into::into),
            request,
        };
        let operation = call.operation();
        let exchange = exchange::exchange(self.address, exchange::PATH, &call)?;
        let answer = contract::read_reply(&exchange.response.body, operation)
            .map_err(|error| format!("{operation}: {error}\n{}", exchange.response.text()))?;
        match answer.reply.outcome() {
            Some(outcome) if outcome.state.is_ok() => Ok(exchange),
            _ => Err(format!("{operation} did not work: {:?}", answer.reply).into()),
        }
    }

    fn show(&self, question: &str, request: Request<'_>) -> Result<Exchange, Box<dyn Error>> {
        let exchange = self.expect_ok(Some(CONNECTION), request)?;
        println!("\n# {question}");
        println!("{}", show::curl(self.url, &exchange));
        println!("\n{}", show::indented(&exchange.response.text()));
        Ok(exchange)
    }
}
