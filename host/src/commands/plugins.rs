//! `erp-host plugins`.

mod inspect;
mod install;
mod new;
mod pack;
mod signing;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use serde_json::json;

use crate::cli::UsageError;
use crate::cli::output::print_error;
use crate::cli::own_output::OwnOutput;
use crate::cli::scratch_folder::scratch_folder;
use crate::config::{Config, Flags};
use erp_host_runtime::{PluginFile, Plugins};
use erp_host_terminal::{PrintableWriter, printable};

/// Loads every plugin file as `serve` does, and shows what is in it or why it cannot be loaded.
///
/// Nothing is changed in the data folder of the host: each connector gets an empty folder, which is deleted afterwards.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    flags: Flags,

    /// Print a JSON array, an object for each file.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  erp-host plugins                               what is in the plugins folder of the configuration
  erp-host plugins inspect acme.so               what is in one file, wherever it is
  erp-host plugins install acme.so               checked, copied, and served by the running host
  erp-host plugins new acme-connector            a new connector, for authors
  erp-host plugins pack --key partner.pem        its release build, for operators

Exit codes: 0 every file can be loaded, 1 one cannot, 2 wrong usage.";

#[derive(Debug, clap::Subcommand)]
enum Command {
    Inspect(inspect::Args),
    Install(install::Args),
    New(new::Args),
    Pack(pack::Args),
    Keygen(signing::KeygenArgs),
    Sign(signing::SignArgs),
    Verify(signing::VerifyArgs),
}

pub(super) fn run(args: Args) -> Result<ExitCode, Box<dyn Error>> {
    match run_command(args) {
        Err(error) if error.is::<UsageError>() => {
            print_error(&error);
            Ok(ExitCode::from(2))
        }
        result => result,
    }
}

fn run_command(args: Args) -> Result<ExitCode, Box<dyn Error>> {
    match args.command {
        Some(Command::Inspect(args)) => inspect::run(args),
        Some(Command::Install(args)) => install::run(args),
        Some(Command::New(args)) => new::run(args),
        Some(Command::Pack(args)) => pack::run(args),
        Some(Command::Keygen(args)) => signing::keygen(&args),
        Some(Command::Sign(args)) => signing::sign(&args),
        Some(Command::Verify(args)) => signing::verify(&args),
        None => list(args),
    }
}

fn list(args: Args) -> Result<ExitCode, Box<dyn Error>> {
    let config = Config::load(&args.flags)?;
    let output = OwnOutput::take()?;
    // Nothing is created in the host's data folder, also not by a connector: what root creates there locks the host out.
    let data = scratch_folder()?;
    let plugins = Plugins::load(&config.plugins, data.path(), &config.runtime)?;
    let mut output = PrintableWriter::new(io::BufWriter::new(output));
    if args.json {
        print_json(&plugins, &mut output)?;
    } else {
        print_table(&plugins, &mut output)?;
    }
    output.flush()?;
    let all_loaded = plugins.files().iter().all(|file| file.loaded.is_ok());
    Ok(if all_loaded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print_table(plugins: &Plugins, output: &mut impl Write) -> io::Result<()> {
    if plugins.files().is_empty() {
        return writeln!(output, "no plugin files in {}", plugins.folder().display());
    }
    let mut rows = vec![["FILE", "CONNECTOR", "VERSION", "API", "ACTOR TYPES"].map(str::to_owned)];
    rows.extend(plugins.files().iter().map(row));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; 4] = std::array::from_fn(width);
    for [file, connector, version, api, last] in &rows {
        let [a, b, c, d] = widths;
        writeln!(output, "{file:a$}  {connector:b$}  {version:c$}  {api:d$}  {last}")?;
    }
    Ok(())
}

/// File, connector, version, API version, and actor types or why it is not loaded.
fn row(file: &PluginFile) -> [String; 5] {
    let about = |text: fn(&plugin_api::abi::About) -> String| {
        file.about.as_ref().map_or_else(|| "-".to_owned(), text)
    };
    let last = match &file.loaded {
        Ok(plugin) if plugin.actor_types.is_empty() => "known when a connection is open".to_owned(),
        Ok(plugin) => plugin.actor_types.join(", "),
        Err(error) => format!("not loaded: {error}"),
    };
    [
        name(file),
        about(|about| about.connector.clone()),
        about(|about| about.version.clone()),
        about(|about| about.api.to_string()),
        last,
    ]
    .map(|cell| printable(&cell))
}

fn print_json(plugins: &Plugins, output: &mut impl Write) -> io::Result<()> {
    let default = plugins.default_connector().map(|plugin| plugin.path.as_path());
    let files = plugins.files().iter().map(|file| {
        let about = file.about.as_ref();
        let plugin = file.loaded.as_ref().ok();
        json!({
            "file": name(file),
            "sha256": file.sha256,
            "loaded": plugin.is_some(),
            "error": file.loaded.as_ref().err().map(ToString::to_string),
            "connector": about.map(|about| &about.connector),
            "default": default == Some(&file.path),
            "description": plugin.map(|plugin| &plugin.description),
            "version": about.map(|about| &about.version),
            "api_version": about.map(|about| about.api.to_string()),
            "actor_types": plugin.map(|plugin| &plugin.actor_types),
            "rustc": about.map(|about| &about.rustc),
            "target": about.map(|about| &about.target),
        })
    });
    writeln!(output, "{:#}", serde_json::Value::from_iter(files))
}

/// The file's name without the folder, which is the same for all.
fn name(file: &PluginFile) -> String {
    file.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
