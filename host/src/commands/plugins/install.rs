//! `erp-host plugins install`.

mod placement;

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use erp_host_files::permissions::shell_quoted;
use erp_host_runtime::{InstalledFile, Plugin, PluginFile, installed};

use self::placement::{Candidate, Placement};
use crate::cli::host_reload::{is_host_running, reload_host};
use crate::cli::own_output::OwnOutput;
use crate::cli::scratch_folder::scratch_folder;
use crate::config::{Config, Flags};
use crate::control::Serving;
use erp_host_terminal::PrintableWriter;

/// Put a plugin file into the plugins folder, and let the running host serve it.
///
/// 1. The file is checked as the host checks it: permissions, [trust], completeness, system, API version. Then it is loaded,
///    so its code runs: install only what you trust. FILE.sig, if it is there, is its signature.
/// 2. It is copied into the plugins folder in one step, with its signature. An installed version of the same connector is
///    replaced, under the name that its file has; a new one is called after its connector, such as acme.so.
/// 3. The running host, which is found by its data folder, reloads; the command waits for it. If the host refuses the
///    file, the replaced one is put back, so that the next start does not find a bad one. Without a running host the file
///    is loaded at the next start.
///
/// Run it as the host's user, or as root, with the flags or the configuration file that the host has.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, after_help = EXAMPLES)]
pub(super) struct Args {
    /// The plugin file (.so, .dll, .dylib), as `erp-host plugins pack` makes it
    file: PathBuf,

    #[command(flatten)]
    flags: Flags,
}

const EXAMPLES: &str = "\
Examples:
  erp-host plugins install acme-1.5.0-x86_64-unknown-linux-gnu.so
  erp-host plugins install acme.so --config /etc/erp-host/erp-host.toml

Exit codes: 0 installed, 1 refused (what was installed before is as it was), 2 wrong usage.";

pub(super) fn run(args: Args) -> Result<ExitCode, Box<dyn Error>> {
    let config = Config::load(&args.flags)?;
    let output = OwnOutput::take()?;
    let mut output = PrintableWriter::new(output);
    let files = installed(&config.plugins, &config.runtime)?;
    let candidate = Candidate::copy(&args.file, &config.plugins)?;
    let plugin = check(&args.file, &candidate, &config)?;
    let replaced = replaced(&files, &plugin, &config.plugins)?;
    let name = format!("{}.{}", plugin.name().to_lowercase(), std::env::consts::DLL_EXTENSION);
    let destination = replaced.map_or_else(|| config.plugins.join(name), |file| file.path.clone());

    let is_running = is_host_running(&config.data)?;
    let placement = Placement::put(candidate, &destination)
        .map_err(|error| format!("{} cannot be written: {error}", destination.display()))?;
    if !is_running {
        placement.keep();
        writeln!(output, "{}", outcome(&plugin, replaced, &destination))?;
        let data = config.data.display();
        writeln!(output, "no host runs on the data folder {data}: it is loaded at the next start")?;
        return Ok(ExitCode::SUCCESS);
    }
    match serving(&plugin, &destination, &config.data) {
        Ok(serving) => {
            placement.keep();
            writeln!(output, "{}", outcome(&plugin, replaced, &destination))?;
            writeln!(output, "serving: {serving}")?;
            Ok(ExitCode::SUCCESS)
        }
        Err(reason) => {
            placement.undo().map_err(|error| {
                format!("{reason}; and what was installed before cannot be put back: {error}")
            })?;
            let before = match replaced.and_then(|file| file.about.as_ref()) {
                Some(about) => format!("{} {} is in its place again", about.connector, about.version),
                None => "the file is removed again".to_owned(),
            };
            Err(format!("{reason}; {before}").into())
        }
    }
}

/// Loads the file as the host does, with an empty data folder.
fn check(
    file: &Path,
    candidate: &Candidate,
    config: &Config,
) -> Result<std::sync::Arc<Plugin>, Box<dyn Error>> {
    let data = scratch_folder()?;
    let refused = |reason: String| format!("{}: not installed: {reason}", file.display());
    let loaded = PluginFile::load(candidate.file().to_owned(), data.path(), &config.runtime).loaded;
    let plugin = loaded.map_err(|error| refused(error.to_string()))?;
    plugin.connector.settings_form().map_err(|outcome| {
        let reason = outcome.user.unwrap_or_default();
        refused(format!("the form of its settings cannot be read: {reason}"))
    })?;
    Ok(plugin)
}

/// The installed file that has the same connector.
fn replaced<'f>(
    files: &'f [InstalledFile],
    plugin: &Plugin,
    folder: &Path,
) -> Result<Option<&'f InstalledFile>, String> {
    let name = plugin.name();
    let mut same = files.iter().filter(|file| file.has_connector(name));
    match (same.next(), same.next()) {
        (Some(file), None) => return Ok(Some(file)),
        (Some(one), Some(other)) => {
            return Err(format!(
                "the connector {name} is in two installed files, {} and {}; remove the one that does not serve (erp-host plugins shows which)",
                one.path.display(),
                other.path.display()
            ));
        }
        (None, _) => {}
    }
    let destination = folder.join(format!("{}.{}", name.to_lowercase(), std::env::consts::DLL_EXTENSION));
    let Some(file) = files.iter().find(|file| file.path == destination) else { return Ok(None) };
    let content = match &file.about {
        Some(about) => format!("has the connector {}", about.connector),
        None => "is not a plugin that can be read".to_owned(),
    };
    let quoted = shell_quoted(&destination);
    Err(format!(
        "{} is there already and {content}, so {name} cannot have that name; give that file another name (mv {quoted} ...), or remove it",
        destination.display()
    ))
}

/// Makes the host reload. Returns how it serves the plugin now.
fn serving(plugin: &Plugin, destination: &Path, data: &Path) -> Result<Serving, String> {
    let report = reload_host(data)?;
    let is_it = |serving: &Serving| {
        serving.sha256 == plugin.sha256 && serving.connector.eq_ignore_ascii_case(plugin.name())
    };
    if let Some(serving) = report.serving.into_iter().find(is_it) {
        return Ok(serving);
    }
    let file = destination.file_name().unwrap_or_default().to_string_lossy();
    let prefix = format!("{file}: ");
    let reason = report.changes.into_iter().find(|line| line.starts_with(&prefix));
    Err(reason.unwrap_or_else(|| {
        format!(
            "{file}: the host on the data folder {} has another plugins folder, or does not serve the file; see its log",
            data.display()
        )
    }))
}

/// What was done, in one line.
fn outcome(plugin: &Plugin, replaced: Option<&InstalledFile>, destination: &Path) -> String {
    let file = destination.file_name().unwrap_or_default().to_string_lossy();
    let (name, version, hash) = (plugin.name(), &plugin.about.version, plugin.short_hash());
    match replaced.and_then(|file| Some((file.sha256.as_ref()?, file.about.as_ref()?))) {
        Some((sha256, _)) if *sha256 == plugin.sha256 => {
            format!("{file}: {name} {version} was installed already (sha256 {hash})")
        }
        Some((_, before)) => {
            let before = &before.version;
            format!("{file}: {name} {before} is replaced by {version} (sha256 {hash})")
        }
        None => format!("{file}: {name} {version} is installed (sha256 {hash})"),
    }
}
