//! `erp-host plugins new`.

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

use thiserror::Error;

use crate::cli::output::stdout;
use erp_host_runtime::is_connector_name;

/// Write the crate of a new connector, which compiles and passes its tests
///
/// It has a connector with a settings form that keeps its actors in memory, tests (among them the rules for every
/// connector), and a script for CI.
///
/// The crate depends on erp-host-plugin-api, and its tests on erp-host-conformance. Both come from a checkout of erp-host. It
/// is looked for above the current folder and above this program, unless --api-path names its folder plugin-api.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The name of the crate, such as acme-connector. It gives the connector its name: Acme
    name: String,

    /// The folder to make [default: ./NAME]
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,

    /// The folder of plugin-api in a checkout of erp-host [default: looked for]
    #[arg(long, value_name = "DIR")]
    api_path: Option<PathBuf>,
}

/// The files of the crate: where they go, and what is in them.
const FILES: [(&str, &str); 9] = [
    ("Cargo.toml", include_str!("crate/Cargo.toml.in")),
    ("README.md", include_str!("crate/README.md.in")),
    (".gitignore", "/target\n"),
    ("rustfmt.toml", "edition = \"2024\"\n"),
    (CI, include_str!("crate/ci.in")),
    ("src/lib.rs", include_str!("crate/lib.rs.in")),
    ("src/company.rs", include_str!("crate/company.rs.in")),
    ("tests/connector.rs", include_str!("crate/connector.rs.in")),
    ("tests/specification.rs", include_str!("crate/specification.rs.in")),
];

/// The script that runs all checks.
const CI: &str = ".ci/run";

/// The longest name of a crate, in characters. With a longer one the crate's lines would be too long.
const LONGEST: usize = 32;

/// Names that cargo refuses for a crate, and Rust's keywords.
const RESERVED: [&str; 46] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "plugin_api",
    "proc_macro",
    "pub",
    "ref",
    "return",
    "static",
    "std",
    "struct",
    "test",
    "trait",
    "type",
    "use",
    "where",
    "while",
];

/// Type names that the code of the new crate already uses.
const USED: [&str; 28] = [
    "Actor",
    "ActorType",
    "Company",
    "Connection",
    "Connector",
    "Context",
    "Err",
    "Error",
    "Field",
    "Host",
    "ListBased",
    "ListItem",
    "Mutex",
    "MutexGuard",
    "Ok",
    "Operator",
    "Outcome",
    "PoisonError",
    "Restriction",
    "Result",
    "Rows",
    "Self",
    "Settings",
    "SettingsForm",
    "Setup",
    "Specification",
    "Stamps",
    "Vec",
];

/// Why no crate is written.
#[derive(Debug, PartialEq, Eq, Error)]
enum NewError {
    #[error(
        "{0:?} cannot be the name of a crate, expected up to 32 lower-case letters, digits, - and _, beginning with a letter"
    )]
    Name(String),
    #[error(
        "{0:?} cannot be the name of a crate: it is reserved in Rust; take another name, such as {0}-connector"
    )]
    Reserved(String),
    #[error("the connector would be called {0:?}, which is a name of the host's own; take another name")]
    Connector(String),
    #[error("{} exists already; take another name, or another folder with --path", .0.display())]
    Exists(PathBuf),
    #[error(
        "erp-host-plugin-api was not found above the current folder, nor above this program; say where it is with --api-path DIR (a checkout of erp-host has it in its folder plugin-api)"
    )]
    NoApi,
    #[error("{} is not the folder of plugin-api, expected one with its Cargo.toml", .0.display())]
    NotApi(PathBuf),
}

pub(super) fn run(args: Args) -> Result<ExitCode, Box<dyn Error>> {
    let names = Names::new(&args.name)?;
    let folder = args.path.unwrap_or_else(|| PathBuf::from(&args.name));
    if fs::symlink_metadata(&folder).is_ok() {
        return Err(NewError::Exists(folder).into());
    }
    let (api, how) = match args.api_path {
        Some(path) if is_api(&path) => (path, "as you said"),
        Some(path) => return Err(NewError::NotApi(path).into()),
        None => find_api()?,
    };
    let api = fs::canonicalize(api)?;
    let conformance = dependency_path(&folder, &api.with_file_name("conformance"))?;
    let api = dependency_path(&folder, &api)?;
    write(&folder, &names, &api, &conformance)
        .map_err(|error| format!("{} cannot be made: {error}", folder.display()))?;

    let Names { name, file, .. } = &names;
    let folder = folder.display();
    writeln!(
        stdout(),
        "made {folder}: the connector {name}
erp-host-plugin-api comes from {api} ({how}); Cargo.toml says so

  cd {folder}
  cargo test
  cargo build --release
  erp-host plugins inspect target/release/{file}"
    )?;
    Ok(ExitCode::SUCCESS)
}

/// The names that are made from the crate's.
#[derive(Debug, PartialEq, Eq)]
struct Names {
    /// `acme-connector`
    crate_name: String,
    /// `acme_connector`
    ident: String,
    /// `Acme`
    name: String,
    /// `libacme_connector.so`
    file: String,
}

impl Names {
    fn new(crate_name: &str) -> Result<Self, NewError> {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        let begins = crate_name.starts_with(|c: char| c.is_ascii_lowercase());
        if !begins || crate_name.len() > LONGEST || !crate_name.chars().all(is_plain) {
            return Err(NewError::Name(crate_name.to_owned()));
        }
        let ident = crate_name.replace('-', "_");
        if RESERVED.contains(&ident.as_str()) {
            return Err(NewError::Reserved(crate_name.to_owned()));
        }
        let stem = ident.strip_suffix("_connector").filter(|stem| !stem.is_empty()).unwrap_or(&ident);
        let name: String = stem.split('_').map(capitalised).collect();
        let name = if USED.contains(&name.as_str()) { format!("{name}Erp") } else { name };
        if !is_connector_name(&name) {
            return Err(NewError::Connector(name));
        }
        let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
        let file = format!("{prefix}{ident}{suffix}");
        Ok(Names { crate_name: crate_name.to_owned(), ident, name, file })
    }
}

fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + chars.as_str())
}

/// Finds the folder plugin-api in a checkout of erp-host; also returns where it was found, for the user.
fn find_api() -> Result<(PathBuf, &'static str), NewError> {
    let above = |start: io::Result<PathBuf>| {
        let start = start.ok()?;
        start.ancestors().map(|folder| folder.join("plugin-api")).find(|folder| is_api(folder))
    };
    let here = above(std::env::current_dir()).map(|folder| (folder, "found above the current folder"));
    here.or_else(|| above(std::env::current_exe()).map(|folder| (folder, "found above this program")))
        .ok_or(NewError::NoApi)
}

/// Whether a folder is that of plugin-api.
fn is_api(folder: &Path) -> bool {
    fs::read_to_string(folder.join("Cargo.toml"))
        .ok()
        .and_then(|text| text.parse::<toml::Table>().ok())
        .is_some_and(|manifest| {
            let name = manifest.get("package").and_then(|package| package.get("name"));
            name.and_then(toml::Value::as_str) == Some("erp-host-plugin-api")
        })
}

/// The path from the new crate to a crate of the checkout: relative where there is one, so that both can move together.
fn dependency_path(folder: &Path, api: &Path) -> io::Result<String> {
    let folder = std::path::absolute(folder)?;
    let parent = folder.parent().unwrap_or(&folder);
    fs::create_dir_all(parent)?;
    let folder = fs::canonicalize(parent)?.join(folder.file_name().unwrap_or_default());
    let shared = folder.components().zip(api.components()).take_while(|(one, other)| one == other).count();
    let only_root = folder.components().take(shared).all(|part| !matches!(part, Component::Normal(_)));
    let path: PathBuf = if only_root {
        api.to_owned()
    } else {
        let up = folder.components().skip(shared).map(|_| Component::ParentDir);
        up.chain(api.components().skip(shared)).collect()
    };
    // Cargo reads slashes on every system.
    Ok(path.to_string_lossy().replace('\\', "/"))
}

/// Writes the crate: whole, or not at all.
fn write(folder: &Path, names: &Names, api: &str, conformance: &str) -> io::Result<()> {
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let scratch = tempfile::Builder::new().prefix(".erp-host-new-").tempdir_in(parent)?;
    let made = scratch.path().join("crate");
    for (path, text) in FILES {
        let path = made.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&made))?;
        let quoted = toml::Value::from(api).to_string();
        let api = if path.extension().is_some_and(|extension| extension == "toml") { &quoted } else { api };
        let text = text
            .replace("{{crate}}", &names.crate_name)
            .replace("{{ident}}", &names.ident)
            .replace("{{name}}", &names.name)
            .replace("{{file}}", &names.file)
            .replace("{{rust}}", env!("CARGO_PKG_RUST_VERSION"))
            .replace("{{api}}", api)
            .replace("{{conformance}}", &toml::Value::from(conformance).to_string());
        fs::write(path, text)?;
    }
    #[cfg(unix)]
    fs::set_permissions(made.join(CI), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    fs::rename(made, folder)
}

#[cfg(test)]
mod tests;
