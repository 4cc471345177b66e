//! `erp-host serve`.

use std::error::Error;
use std::io::{self, Write};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

use crate::cli::own_output::OwnOutput;
use crate::cli::signals::StopSignals;
use crate::config::{Config, Flags};
use crate::control::HostLock;
use crate::logging;
use crate::server::{ConnectorCard, Server};
use erp_host_auth::Online;
use erp_host_files::hot_reload::FileReloader;
use erp_host_files::{permissions, private_file};
use erp_host_router::{Router, RouterConfig};
use erp_host_runtime::{PluginWatcher, Plugins};

mod open_files;
mod plugin_events;
mod plugin_reload;

use plugin_reload::{PluginReload, ReloadTrigger};

/// Grace period: how long running calls may take to finish after a signal to stop.
const SHUTDOWN_GRACE_PERIOD: Duration = Duration::from_secs(30);

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    flags: Flags,
    /// Address and port to listen on; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR", env = "ERP_HOST_LISTEN")]
    listen: Option<String>,
    /// Contract file that requests are recognised by and answered in; may be given several times
    #[arg(long, value_name = "FILE", env = "ERP_HOST_CONTRACT")]
    contract: Vec<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  erp-host serve
  erp-host serve --listen 127.0.0.1:0 --plugins ./plugins --data ./data
  erp-host serve --config /etc/erp-host/erp-host.toml --log debug --log-format json

A configuration file, with some of what it may say:
  listen = \"127.0.0.1:8080\"
  plugins = \"/opt/erp-host/plugins\"
  data = \"/var/lib/erp-host\"
  default_connector = \"Excel\"        # serves calls without ?ConnectorName
  trusted_proxies = [\"127.0.0.1\"]    # whose X-Forwarded-* headers are believed
  call_deadline = \"100s\"
  [limits]
  body = \"16MiB\"
  [connectors.Excel]
  concurrent_calls = 8
  [connectors.Excel.options]
  roots = [\"/srv/workbooks\"]

When it is ready it prints one line to standard output:
  listening on http://ADDR/Services/ErpConnectorWS.svc
Plugin files that are added, replaced or removed are noticed within a few seconds, and at
SIGHUP; no call is lost. So are certificate, key and contract files. See erp-host reload.
The log goes to standard error. SIGINT or SIGTERM ends it when running calls are done (30 s
at most), a second one at once.";

pub(super) fn run(args: Args) -> Result<ExitCode, Box<dyn Error>> {
    let mut config = Config::load(&args.flags)?;
    config.server.listen = args.listen.unwrap_or(config.server.listen);
    if !args.contract.is_empty() {
        config.router.contract.profiles = args.contract;
        config.make_paths_absolute()?;
    }
    logging::start(&config.log)?;
    make_data_folder(&config.data)
        .map_err(|problem| format!("the data folder {} {problem}", config.data.display()))?;
    open_files::allow(&config.server.limits);
    let (output, printed) = OwnOutput::take_and_log_others()
        .map_err(|error| format!("standard output cannot be kept from connectors: {error}"))?;
    let _lock = HostLock::acquire(&config.data);
    let watcher = PluginWatcher::load(&config.plugins, &config.data, &config.runtime)?;
    warn_of_unknown_connectors(&config, watcher.plugins());

    for plugin in watcher.plugins().connectors() {
        let (file, sha256) = (plugin.file_name(), plugin.short_hash());
        tracing::info!(file, connector = plugin.name(), version = plugin.about.version, sha256, "loaded");
    }
    let threads = blocking_threads(&config, watcher.plugins());
    config.router.threads = u32::try_from(threads).ok().and_then(NonZeroU32::new);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(io_threads())
        .max_blocking_threads(threads)
        .build()?;
    let end = runtime.block_on(serve(&config, watcher, output))?;
    // What still runs in a connector has the rest of the time, and no more.
    runtime.shutdown_timeout(end.saturating_duration_since(Instant::now()));
    printed.finish();
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// Creates the data folder if it is missing. One that others can write to is refused: whoever can put files there controls
/// the host.
fn make_data_folder(data: &Path) -> Result<(), String> {
    private_file::make_folder(data).map_err(|error| format!("cannot be made: {error}"))?;
    let metadata = data.metadata().map_err(|error| format!("cannot be reached: {error}"))?;
    permissions::refuse_writable_by_others(data, &metadata).map_err(|loose| format!("is not safe: {loose}"))
}

/// One I/O thread for each core, and one that takes over when a connector blocks one of them (see `router::watchdog`).
fn io_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from) + 1
}

/// The most threads for work that blocks, from now on: connectors that are added later share them.
fn blocking_threads(config: &Config, plugins: &Plugins) -> usize {
    let connectors = plugins.connectors();
    let names = || connectors.iter().map(|plugin| plugin.name());
    let threads = config.router.blocking_threads(names());
    let for_calls = RouterConfig::call_threads(threads);
    let concurrent_calls: usize = names().map(|name| config.router.concurrent_calls(name)).sum();
    if concurrent_calls > for_calls {
        tracing::warn!(
            threads,
            for_calls,
            concurrent_calls,
            "limits.threads is too few for the concurrent_calls of all connectors together: calls may be refused with 503"
        );
    } else {
        tracing::info!(threads, for_calls, concurrent_calls, "limit of threads");
    }
    threads
}

/// Serves until a signal; returns by when all must be over.
async fn serve(
    config: &Config,
    watcher: PluginWatcher,
    output: OwnOutput,
) -> Result<Instant, Box<dyn Error>> {
    let plugins = watcher.plugins();
    let clients = plugins.connectors().into_iter().map(|plugin| plugin.connector.clone());
    let online = Online::new(&config.online)
        .map_err(|why| format!("online authentication cannot be set up: {why}"))?;
    let online = Arc::new(online);
    let key_file = config.key_file.as_deref();
    let router = Router::new(&config.router, &config.data, key_file, Arc::clone(&online), clients).await?;
    let router = Arc::new(router);
    let server =
        Server::bind(&config.server, &config.access, Arc::clone(&router), &cards(config, plugins)).await?;
    router.record(plugin_events::of_start(plugins), "starting").await;
    let stop = stop_on_signals()?;
    let (config, help) = (config.clone(), server.help_page());
    let file_reloader: FileReloader =
        [online.files(), server.files(), router.files()].into_iter().flatten().collect();
    let until_stopped = file_reloader.start()?;
    let trigger =
        PluginReload { config, watcher, router: Arc::clone(&router), help, file_reloader }.start()?;
    let reloading = reload_on_signals(&trigger)?;
    print_ready(output, &server.url());

    let serving = server.run(stop.notified()).await;
    // Nothing is replaced any more.
    reloading.abort();
    drop((trigger, until_stopped));
    tracing::info!("stopping: waiting for running calls, {} s at most", SHUTDOWN_GRACE_PERIOD.as_secs());
    let end = Instant::now() + SHUTDOWN_GRACE_PERIOD;
    router.stop_background_work();
    let finished = timeout_at(end, async {
        serving.finish().await;
        // A call that has timed out for its caller may still be changing something.
        router.idle().await;
    });
    if finished.await.is_err() {
        tracing::warn!("some calls did not end in time");
    }
    if timeout_at(end, router.shut_down()).await.is_err() {
        tracing::warn!("the connections could not be closed in time");
    }
    Ok(end)
}

/// Prints the line that shows that the host is ready. Scripts wait for it.
fn print_ready(mut output: OwnOutput, url: &str) {
    // In one write: nobody sees half a line.
    let printed = output.write_all(format!("listening on {url}\n").as_bytes());
    if let Err(error) = printed {
        tracing::warn!(%error, "nobody reads standard output; listening on {url}");
    }
}

fn cards(config: &Config, plugins: &Plugins) -> Vec<ConnectorCard> {
    let names = plugins.connectors();
    let first = names.first().map(|plugin| plugin.name());
    let default = config.router.default_connector.as_deref().or(first);
    names
        .iter()
        .map(|plugin| ConnectorCard {
            name: plugin.name().to_owned(),
            version: plugin.about.version.to_string(),
            description: plugin.description.clone(),
            actor_types: plugin.actor_types.clone(),
            is_default: default.is_some_and(|name| name.eq_ignore_ascii_case(plugin.name())),
        })
        .collect()
}

/// Warns of connectors that the configuration names and that are not loaded: a typing error, or a plugin that failed.
fn warn_of_unknown_connectors(config: &Config, plugins: &Plugins) {
    let is_unknown = |name: &str| plugins.connector(Some(name)).is_err();
    if let Some(name) = config.router.default_connector.as_deref().filter(|name| is_unknown(name)) {
        tracing::error!("default_connector names the connector '{name}', which is not loaded");
    }
    for name in config.runtime.connectors.keys().filter(|name| is_unknown(name)) {
        tracing::warn!("the configuration has a section for the connector '{name}', which is not loaded");
    }
    for (client, online) in &config.online.clients {
        for name in online.connectors.iter().flatten().filter(|name| is_unknown(name)) {
            tracing::warn!(client, "the client ID is for the connector '{name}', which is not loaded");
        }
    }
}

/// Notifies at the first signal to stop; ends the process at the second.
fn stop_on_signals() -> io::Result<Arc<Notify>> {
    let mut signals = StopSignals::new()?;
    let stop = Arc::new(Notify::new());
    let first = Arc::clone(&stop);
    tokio::spawn(async move {
        signals.next().await;
        first.notify_one();
        signals.next().await;
        tracing::warn!("stopped at once");
        std::process::exit(1);
    });
    Ok(stop)
}

/// Reloads at SIGHUP.
#[cfg(unix)]
fn reload_on_signals(trigger: &ReloadTrigger) -> io::Result<AbortHandle> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hang_up = signal(SignalKind::hangup())?;
    let trigger = trigger.clone();
    let reloading = tokio::spawn(async move {
        while hang_up.recv().await.is_some() {
            tracing::info!("reloading, as SIGHUP says");
            trigger.reload();
        }
    });
    Ok(reloading.abort_handle())
}

/// There is no such signal; `erp-host reload` does the same.
#[cfg(windows)]
fn reload_on_signals(_: &ReloadTrigger) -> io::Result<AbortHandle> {
    Ok(tokio::spawn(std::future::pending::<()>()).abort_handle())
}
