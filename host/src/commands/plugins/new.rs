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
/// It has a connector with a settings form, tests (among them the rules for every connector), and a script for CI. There
/// are two kinds:
///
///   list  a connector that can list its actors; searches work by listing. The actors are in memory
///   http  a connector to an ERP system with an HTTP API: login, pages, timeouts. Its tests run against a stand-in
///
/// The crate depends on erp-host-plugin-api, and its tests on erp-host-conformance. They are on no registry yet: they come
/// from a checkout of erp-host, which is looked for above and beside the current folder and this program. --api names it.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, after_help = EXAMPLES)]
pub(super) struct Args {
    /// The name of the crate, such as acme-connector. It gives the connector its name: Acme
    name: String,

    /// What to start with
    #[arg(long, value_enum, default_value_t = Kind::List)]
    kind: Kind,

    /// The folder to make [default: ./NAME]
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,

    /// A checkout of erp-host, or its folder plugin-api [default: looked for]
    #[arg(long, value_name = "DIR")]
    api: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  erp-host plugins new acme-connector
  erp-host plugins new acme-connector --kind http --api ~/src/erp-host

Exit codes: 0 made, 1 not made (nothing is overwritten), 2 wrong usage.";

/// What a new connector starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    List,
    Http,
}

/// A file of the crate: where it goes, and what is in it.
type CrateFile = (&'static str, &'static str);

/// The files of every kind.
const FILES: [CrateFile; 5] = [
    ("Cargo.toml", include_str!("crate/Cargo.toml.in")),
    ("README.md", include_str!("crate/README.md.in")),
    (".gitignore", "/target\n/dist\n"),
    ("rustfmt.toml", "edition = \"2024\"\n"),
    (CI, include_str!("crate/ci.in")),
];

impl Kind {
    /// The sources of this kind.
    fn files(self) -> &'static [CrateFile] {
        match self {
            Kind::List => &[
                ("src/lib.rs", include_str!("crate/list/lib.rs.in")),
                ("src/company.rs", include_str!("crate/list/company.rs.in")),
                ("tests/connector.rs", include_str!("crate/list/connector.rs.in")),
                ("tests/specification.rs", include_str!("crate/list/specification.rs.in")),
            ],
            Kind::Http => &[
                ("src/lib.rs", include_str!("crate/http/lib.rs.in")),
                ("src/api.rs", include_str!("crate/http/api.rs.in")),
                ("src/company.rs", include_str!("crate/http/company.rs.in")),
                ("tests/connector.rs", include_str!("crate/http/connector.rs.in")),
                ("tests/specification.rs", include_str!("crate/http/specification.rs.in")),
                ("tests/stand_in/mod.rs", include_str!("crate/http/stand_in.rs.in")),
            ],
        }
    }

    /// The rows of the README about the sources of this kind.
    fn about_files(self) -> &'static str {
        match self {
            Kind::List => {
                "| `src/lib.rs` | the connector: its name, its settings form, how a connection is opened |\n\
                 | `src/company.rs` | a connection: actor types, fields, actors, lists. It keeps everything in memory: put your ERP system there |"
            }
            Kind::Http => {
                "| `src/lib.rs` | the connector: its name, its settings form, how a connection is opened |\n\
                 | `src/api.rs` | the API of the ERP system: login, pages, what is sent and received. Put yours there |\n\
                 | `src/company.rs` | a connection: actor types, fields, actors |\n\
                 | `tests/stand_in/mod.rs` | a stand-in for the ERP system, with real HTTP |"
            }
        }
    }

    /// What the crate of this kind depends on beside the plugin API, as lines of its Cargo.toml.
    fn dependencies(self) -> &'static str {
        match self {
            Kind::List => "",
            Kind::Http => {
                "# HTTP for connectors: sessions, pages, retries, kinds of failure.\n\
                 erp-host-plugin-http = { path = {{http}} }\n\
                 serde = { version = \"1\", features = [\"derive\"] }\n"
            }
        }
    }

    /// The same for its tests.
    fn test_dependencies(self) -> &'static str {
        match self {
            Kind::List => "",
            Kind::Http => {
                "erp-host-plugin-http = { path = {{http}}, features = [\"test-support\"] }\n\
                 serde_json = \"1\"\n"
            }
        }
    }
}

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
const USED: [&str; 43] = [
    "Actor",
    "ActorRow",
    "ActorType",
    "Answer",
    "Client",
    "Company",
    "Connection",
    "Connector",
    "Context",
    "Customer",
    "Err",
    "Error",
    "Field",
    "Found",
    "Host",
    "ListBased",
    "ListItem",
    "Login",
    "Matcher",
    "Mutex",
    "MutexGuard",
    "None",
    "Ok",
    "Operator",
    "Option",
    "Outcome",
    "Page",
    "PoisonError",
    "Restriction",
    "Result",
    "Rows",
    "Secret",
    "Self",
    "Server",
    "Session",
    "Settings",
    "SettingsForm",
    "Setup",
    "Some",
    "Specification",
    "Stamps",
    "String",
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
        "erp-host-plugin-api was found neither above nor beside the current folder or this program, and it is on no registry yet; give the folder of a checkout of erp-host with --api DIR"
    )]
    NoApi,
    #[error("{} is no checkout of erp-host, expected a folder with plugin-api/Cargo.toml", .0.display())]
    NotApi(PathBuf),
}

pub(super) fn run(args: Args) -> Result<ExitCode, Box<dyn Error>> {
    let names = Names::new(&args.name)?;
    let folder = args.path.unwrap_or_else(|| PathBuf::from(&args.name));
    if fs::symlink_metadata(&folder).is_ok() {
        return Err(NewError::Exists(folder).into());
    }
    let (api, how) = match args.api {
        Some(path) => {
            let api = [path.join("plugin-api"), path.clone()].into_iter().find(|folder| is_api(folder));
            (api.ok_or(NewError::NotApi(path))?, "given with --api")
        }
        None => find_api()?,
    };
    let api = fs::canonicalize(api)?;
    let paths = ApiPaths::new(&folder, &api)?;
    write(&folder, args.kind, &names, &paths)
        .map_err(|error| format!("{} cannot be made: {error}", folder.display()))?;

    let Names { name, lower, .. } = &names;
    let (folder, api, suffix) = (folder.display(), paths.api, std::env::consts::DLL_SUFFIX);
    writeln!(
        stdout(),
        "made {folder}: the connector {name}
erp-host-plugin-api comes from {api} ({how}); Cargo.toml says so

  cd {folder}
  cargo test                  its own tests, and the rules for every connector
  erp-host plugins pack       a release build in dist, checked, with its hash
  erp-host plugins install dist/{lower}-*{suffix}
                              into the plugins folder of a host, which serves it at once"
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
    /// `acme`, which a packed file's name begins with
    lower: String,
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
        let lower = name.to_lowercase();
        Ok(Names { crate_name: crate_name.to_owned(), ident, name, lower })
    }
}

fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + chars.as_str())
}

/// The folder plugin-api, from the folder that a checkout is in.
const CHECKOUT: &str = "erp-host/plugin-api";

/// Finds the folder plugin-api in a checkout of erp-host; also returns where it was found, for the user.
fn find_api() -> Result<(PathBuf, &'static str), NewError> {
    let above = |start: io::Result<PathBuf>| {
        let start = start.ok()?;
        let places =
            start.ancestors().flat_map(|folder| ["plugin-api", CHECKOUT].map(|name| folder.join(name)));
        places.into_iter().find(|folder| is_api(folder))
    };
    let here = above(std::env::current_dir()).map(|folder| (folder, "found from the current folder"));
    here.or_else(|| above(std::env::current_exe()).map(|folder| (folder, "found from this program")))
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

/// The paths from the new crate to the crates of the checkout that it depends on.
struct ApiPaths {
    api: String,
    conformance: String,
    http: String,
}

impl ApiPaths {
    /// `api` is the folder plugin-api.
    fn new(folder: &Path, api: &Path) -> io::Result<Self> {
        let path = |name: &str| dependency_path(folder, &api.with_file_name(name));
        Ok(ApiPaths {
            api: path("plugin-api")?,
            conformance: path("conformance")?,
            http: path("plugin-http")?,
        })
    }
}

/// Writes the crate: whole, or not at all.
fn write(folder: &Path, kind: Kind, names: &Names, paths: &ApiPaths) -> io::Result<()> {
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let scratch = tempfile::Builder::new().prefix(".erp-host-new-").tempdir_in(parent)?;
    let made = scratch.path().join("crate");
    for (path, text) in FILES.iter().chain(kind.files()) {
        let path = made.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&made))?;
        let is_toml = path.extension().is_some_and(|extension| extension == "toml");
        let quoted = |path: &str| if is_toml { toml::Value::from(path).to_string() } else { path.to_owned() };
        let text = text
            .replace("{{files}}", kind.about_files())
            .replace("{{dependencies}}\n", kind.dependencies())
            .replace("{{test_dependencies}}\n", kind.test_dependencies())
            .replace("{{crate}}", &names.crate_name)
            .replace("{{ident}}", &names.ident)
            .replace("{{name}}", &names.name)
            .replace("{{lower}}", &names.lower)
            .replace("{{suffix}}", std::env::consts::DLL_SUFFIX)
            .replace("{{rust}}", env!("CARGO_PKG_RUST_VERSION"))
            .replace("{{api}}", &quoted(&paths.api))
            .replace("{{http}}", &quoted(&paths.http))
            .replace("{{conformance}}", &quoted(&paths.conformance));
        fs::write(path, text)?;
    }
    #[cfg(unix)]
    fs::set_permissions(made.join(CI), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    fs::rename(made, folder)
}

#[cfg(test)]
mod tests;
