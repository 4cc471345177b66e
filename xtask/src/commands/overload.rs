//! `cargo xtask overload`.

use std::error::Error;
use std::net::SocketAddr;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use contract::{Call, Dialect, Envelope, Request};

use test_support::build::{self, Profile};
use test_support::host_process::HostProcess;
use test_support::open_load::{self, Load, Outcome, percentile};
use test_support::{exchange, http};

/// Its calls take a given time.
const PLUGIN: &str = "rogue-connector";
/// How long a call works, and how many may at once: so the host serves `CONCURRENT / SERVICE` a second.
const SERVICE: Duration = Duration::from_millis(50);
const CONCURRENT: u32 = 8;
/// How many calls may wait for their turn.
const QUEUED: u32 = 32;
/// The share of the goodput at capacity that must remain under overload.
const LEAST_GOODPUT: f64 = 0.8;

const GUID: &str = "aaaaaaaa-0000-4000-8000-000000000005";

/// Sends the host more calls than it can serve, at a fixed rate whether it answers or not, and shows the goodput.
///
/// Serves a connector whose calls take a known time, at its capacity, at twice and at five times that, and then at half of
/// it. Ends with an error when goodput falls below 80 % of that at capacity, when an answer is anything but the served
/// call or a 503 with Retry-After, or when the health page does not answer.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  cargo xtask overload              10 seconds a step, about a minute
  cargo xtask overload --seconds 3  a first impression

Latencies count from the time when a request was due (corrected for coordinated omission).")]
pub struct Args {
    /// How long each step lasts
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,

    /// Use the host that was built for development
    #[arg(long)]
    dev: bool,
}

/// A step, and what was seen of it.
struct Step {
    times: f64,
    outcome: Outcome,
    goodput: f64,
    health: Health,
    memory: Option<u64>,
}

/// What the health page answered meanwhile.
#[derive(Default)]
struct Health {
    asked: u32,
    failed: u32,
    slowest: Duration,
}

/// Runs the task.
///
/// # Errors
/// The host cannot be built or started, or does not stand the load.
pub fn run(args: &Args) -> Result<ExitCode, Box<dyn Error>> {
    let profile = if args.dev { Profile::Dev } else { Profile::Release };
    let built = build::build(profile, &[PLUGIN])?;
    let folder = tempfile::tempdir()?;
    let (plugins, configuration) = (folder.path().join("plugins"), folder.path().join("erp-host.toml"));
    build::install(&built, &[PLUGIN], &plugins)?;
    std::fs::write(
        &configuration,
        format!(
            "queued_calls = {QUEUED}\nconcurrent_calls = {CONCURRENT}\n[limits]\nconnections_per_peer = 2000\n"
        ),
    )?;
    let mut command = Command::new(&built.host);
    command.args(["serve", "--listen", "127.0.0.1:0", "--log", "warn", "--config"]).arg(&configuration);
    command.arg("--plugins").arg(&plugins).arg("--data").arg(folder.path().join("data"));
    let host = HostProcess::start(command)?;
    let request = prepare(host.address())?;

    let capacity = f64::from(CONCURRENT) / SERVICE.as_secs_f64();
    println!("capacity: {CONCURRENT} calls at once of {} ms each, {capacity} a second", SERVICE.as_millis());
    println!(
        "{:>6} {:>9} {:>9} {:>9} {:>7} {:>8} {:>8} {:>8} {:>9} {:>9} {:>9}",
        "load",
        "offered/s",
        "served/s",
        "refused/s",
        "other",
        "p50 ms",
        "p99 ms",
        "max ms",
        "503 p99",
        "health ms",
        "memory"
    );
    let mut steps = Vec::new();
    for times in [1.0, 2.0, 5.0, 0.5] {
        let load =
            Load { rate: capacity * times, duration: Duration::from_secs(args.seconds), connections: 400 };
        let (outcome, health) =
            under_watch(host.address(), || open_load::run(host.address(), &request, load));
        #[allow(clippy::cast_precision_loss)]
        let goodput = outcome.served.len() as f64 / load.duration.as_secs_f64();
        let step = Step { times, outcome, goodput, health, memory: memory_of(host.id()) };
        show(&step, load);
        steps.push(step);
    }
    judge(&steps)?;
    println!("passed");
    Ok(ExitCode::SUCCESS)
}

/// Saves a connection whose calls take their time; gives the request of such a call.
fn prepare(address: SocketAddr) -> Result<Vec<u8>, Box<dyn Error>> {
    let fault = format!("sleep:{}", SERVICE.as_millis());
    let settings =
        [("Server", Some("somewhere")), ("Port", Some("443")), ("actor_types", Some(fault.as_str()))];
    let call = |request| Call {
        envelope: Envelope::new(Dialect::Message),
        connection_guid: Some(GUID.into()),
        request,
    };
    let save = call(Request::SaveConnection { connection_info: Some(settings.into_iter().collect()) });
    let saved = exchange::exchange(address, exchange::PATH, &save)?.response;
    if saved.status != 200 || !saved.text().contains(">Ok<") {
        return Err(format!("the connection is not saved: {saved:?}").into());
    }
    let call = call(Request::GetSupportedActorTypes);
    let mut body = Vec::new();
    contract::write_request(&mut body, &call);
    let request =
        http::Request::soap(exchange::PATH, &call.soap_action(), body).header("Connection", "keep-alive");
    Ok(request.to_bytes(&address.to_string()))
}

/// Does some work, and requests the health page all the time.
fn under_watch<T>(address: SocketAddr, work: impl FnOnce() -> T) -> (T, Health) {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut health = Health::default();
            while !is_over.load(Ordering::Relaxed) {
                let asked = Instant::now();
                let answer = http::Request::get("/health").send(address);
                health.asked += 1;
                health.failed += u32::from(!answer.is_ok_and(|answer| answer.status == 200));
                health.slowest = health.slowest.max(asked.elapsed());
                thread::sleep(Duration::from_millis(50));
            }
            health
        });
        let result = work();
        is_over.store(true, Ordering::Relaxed);
        (result, watch.join().unwrap_or_default())
    })
}

/// The memory of a process in KiB, where the system shows it.
fn memory_of(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn show(step: &Step, load: Load) {
    let Outcome { served, refused, others } = &step.outcome;
    let milliseconds = |duration: Duration| duration.as_secs_f64() * 1e3;
    #[allow(clippy::cast_precision_loss)]
    let refused_rate = refused.len() as f64 / load.duration.as_secs_f64();
    println!(
        "{:>5}x {:>9.0} {:>9.0} {:>9.0} {:>7} {:>8.1} {:>8.1} {:>8.1} {:>9.1} {:>9.1} {:>6} MiB",
        step.times,
        load.rate,
        step.goodput,
        refused_rate,
        others.len(),
        milliseconds(percentile(served, 50)),
        milliseconds(percentile(served, 99)),
        milliseconds(percentile(served, 100)),
        milliseconds(percentile(refused, 99)),
        milliseconds(step.health.slowest),
        step.memory.map_or("?".to_owned(), |memory| (memory >> 10).to_string()),
    );
}

/// Whether the host did what it should.
fn judge(steps: &[Step]) -> Result<(), Box<dyn Error>> {
    let peak = steps.first().map_or(0.0, |step| step.goodput);
    for Step { times, outcome, goodput, health, .. } in steps {
        if let Some(other) = outcome.others.first() {
            return Err(
                format!("at {times}x {} answers were wrong, such as: {other}", outcome.others.len()).into()
            );
        }
        if health.failed > 0 {
            return Err(format!(
                "at {times}x the health page failed {} of {} times",
                health.failed, health.asked
            )
            .into());
        }
        let least = peak * times.min(1.0) * LEAST_GOODPUT;
        if *goodput < least {
            return Err(format!(
                "at {times}x the host served {goodput:.0} calls a second, expected {least:.0}"
            )
            .into());
        }
    }
    Ok(())
}
