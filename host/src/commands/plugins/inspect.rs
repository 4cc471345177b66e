//! `erp-host plugins inspect`.

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use plugin_api::abi::ApiVersion;
use plugin_api::{Field, LocalizedText};
use serde_json::json;

use crate::cli::own_output::OwnOutput;
use crate::cli::scratch_folder::scratch_folder;
use crate::config::{Config, Flags};
use erp_host_runtime::PluginFile;
use erp_host_terminal::{PrintableWriter, printable};

/// Show everything about one plugin file, or why it is refused.
///
/// The file is loaded as `serve` does, so its code runs: inspect only what you trust. Its data folder is an empty one
/// that is deleted afterwards.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The plugin file (.so, .dll, .dylib)
    file: PathBuf,

    #[command(flatten)]
    flags: Flags,

    /// Print a JSON object.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  erp-host plugins inspect acme-1.5.0-x86_64-unknown-linux-gnu.so
  erp-host plugins inspect plugins/acme.so --json

Exit codes: 0 the file can be loaded, 1 it cannot, 2 wrong usage.";

pub(super) fn run(args: Args) -> Result<ExitCode, Box<dyn Error>> {
    let config = Config::load(&args.flags)?;
    let path = std::path::absolute(args.file)?;
    let output = OwnOutput::take()?;
    let data = scratch_folder()?;
    let size = fs::metadata(&path).ok().map(|metadata| metadata.len());
    let file = PluginFile::load(path, data.path(), &config.runtime);
    let form =
        file.loaded.as_ref().ok().map(|plugin| {
            plugin.connector.settings_form().map_err(|outcome| outcome.user.unwrap_or_default())
        });
    let report = FileReport { file, size, form };
    let mut output = PrintableWriter::new(io::BufWriter::new(output));
    if args.json {
        report.print_json(&mut output)?;
    } else {
        report.print_text(&mut output)?;
    }
    output.flush()?;
    let all_right = matches!(report.form, Some(Ok(_)));
    Ok(if all_right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Everything about a plugin file.
struct FileReport {
    file: PluginFile,
    /// In bytes; `None` when it cannot be read.
    size: Option<u64>,
    /// The form of its settings, or why there is none; `None` when it is not loaded.
    form: Option<Result<Vec<Field>, String>>,
}

impl FileReport {
    fn print_text(&self, output: &mut impl Write) -> io::Result<()> {
        let mut line =
            |name: &str, value: &str| writeln!(output, "{:13}{}", format!("{name}:"), printable(value));
        line("file", &self.file.path.display().to_string())?;
        if let Some(size) = self.size {
            line("size", &format!("{size} bytes"))?;
        }
        if let Some(sha256) = &self.file.sha256 {
            line("sha256", sha256)?;
        }
        if let Some(about) = &self.file.about {
            line("connector", &about.connector)?;
            line("version", &about.version)?;
            let (api, needs) = (about.api, about.needs);
            let needs = format!("{}.{}", needs.major, needs.minor);
            line("plugin API", &format!("{api} (needs {needs}, this host: {})", ApiVersion::OURS))?;
            line("rustc", &about.rustc)?;
            line("target", &about.target)?;
            line("panics", panics(about.panic_aborts))?;
        }
        match &self.file.loaded {
            Err(error) => return line("not loaded", &error.to_string()),
            Ok(plugin) => {
                if !plugin.description.is_empty() {
                    line("description", &plugin.description)?;
                }
                let types = match plugin.actor_types.as_slice() {
                    [] => "known when a connection is open".to_owned(),
                    types => types.join(", "),
                };
                line("actor types", &types)?;
            }
        }
        match &self.form {
            Some(Ok(form)) if form.is_empty() => line("settings", "none"),
            Some(Ok(form)) => {
                line("settings", "")?;
                print_form(form, output)
            }
            Some(Err(error)) => line("settings", &format!("the form cannot be read: {error}")),
            None => Ok(()),
        }
    }

    fn print_json(&self, output: &mut impl Write) -> io::Result<()> {
        let about = self.file.about.as_ref();
        let plugin = self.file.loaded.as_ref().ok();
        let form = self.form.as_ref();
        let settings = form
            .and_then(|form| form.as_ref().ok())
            .map(|form| form.iter().map(field_json).collect::<Vec<_>>());
        let error = self.file.loaded.as_ref().err().map(ToString::to_string);
        let object = json!({
            "file": self.file.path.display().to_string(),
            "size": self.size,
            "sha256": self.file.sha256,
            "loaded": plugin.is_some(),
            "error": error.as_ref().or(form.and_then(|form| form.as_ref().err())),
            "connector": about.map(|about| &about.connector),
            "description": plugin.map(|plugin| &plugin.description),
            "version": about.map(|about| &about.version),
            "api_version": about.map(|about| about.api.to_string()),
            "needs_api_version": about.map(|about| about.needs.to_string()),
            "host_api_version": ApiVersion::OURS.to_string(),
            "rustc": about.map(|about| &about.rustc),
            "target": about.map(|about| &about.target),
            "panics": about.map(|about| panics(about.panic_aborts)),
            "actor_types": plugin.map(|plugin| &plugin.actor_types),
            "settings": settings,
        });
        writeln!(output, "{object:#}")
    }
}

/// What a panic in the connector does.
fn panics(abort: bool) -> &'static str {
    if abort { "abort" } else { "unwind" }
}

fn print_form(form: &[Field], output: &mut impl Write) -> io::Result<()> {
    let mut rows = vec![["KEY", "TYPE", "ACCESS", "DEFAULT", "LENGTH", "LIST", "LABEL"].map(str::to_owned)];
    rows.extend(form.iter().map(|field| {
        let or_none = |text: Option<&str>| text.unwrap_or("-").to_owned();
        let length = if field.max_length == 0 { "-".to_owned() } else { field.max_length.to_string() };
        [
            field.key.clone(),
            field.field_type.to_string(),
            field.access.to_string(),
            or_none(field.default.as_deref()),
            length,
            or_none(field.list.as_deref()),
            field
                .label
                .as_deref()
                .map_or_else(|| field.key.clone(), |label| LocalizedText::parse(label).get("US").to_owned()),
        ]
        .map(|cell| printable(&cell))
    }));
    let widths: [usize; 7] = std::array::from_fn(|column| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    });
    for row in &rows {
        let cells = row.iter().zip(widths).map(|(text, width)| format!("{text:width$}"));
        let text = cells.collect::<Vec<_>>().join("  ");
        writeln!(output, "  {}", text.trim_end())?;
    }
    Ok(())
}

fn field_json(field: &Field) -> serde_json::Value {
    json!({
        "key": field.key,
        "label": field.label,
        "description": field.description,
        "type": field.field_type.as_str(),
        "access": field.access.as_str(),
        "list": field.list,
        "default": field.default,
        "max_length": field.max_length,
        "rank": field.rank,
    })
}
