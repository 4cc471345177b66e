//! Builds the host program and the plugin files with cargo, and finds them.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The plugins that ship with the host, and the example: what the demo loads.
pub const PLUGINS: &[&str] = &["excel-connector", "hello-connector"];

/// Plugins that only tests load: the examples over HTTP and for Tryton, one that breaks a conformance rule, a mirror, one with faults on
/// request, and two versions of one.
pub const TEST_PLUGINS: &[&str] = &[
    "broken-connector",
    "http-connector",
    "mirror-connector",
    "rogue-connector",
    "tryton-connector",
    "versioned-connector-first",
    "versioned-connector-second",
];

/// How to build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// Quick to build, slower to run.
    #[default]
    Dev,
    /// Slow to build, and what operators run.
    Release,
}

/// The host's side of the plugin boundary in one file, for tests of compatibility.
const MINIMAL_HOST: &str = "minimal-host";

/// What `cargo xtask test` has built, as JSON, for the tests that it runs: cargo need not look for changes in each of them.
const BUILT: &str = "ERP_HOST_BUILT";

/// What was built.
#[derive(Debug, Clone)]
pub struct Built {
    /// The program `erp-host`.
    pub host: PathBuf,
    /// The program `minimal-host`, which is built for developers only.
    pub minimal_host: Option<PathBuf>,
    /// The plugin files (`.so`, `.dll`, `.dylib`) by the name of their package, in the order asked for.
    pub plugins: Vec<(String, PathBuf)>,
}

impl Built {
    /// The plugin file of a package.
    pub fn plugin(&self, package: &str) -> Option<&Path> {
        self.plugins.iter().find(|(name, _)| name == package).map(|(_, file)| file.as_path())
    }

    /// An environment variable for programs that shall use this instead of building it again.
    pub fn variable(&self) -> (&'static str, String) {
        let Built { host, minimal_host, plugins } = self;
        (BUILT, serde_json::json!([host, minimal_host, plugins]).to_string())
    }

    /// What that variable says, where it is set.
    fn from_variable() -> Option<Self> {
        let (host, minimal_host, plugins) = serde_json::from_str(&std::env::var(BUILT).ok()?).ok()?;
        Some(Built { host, minimal_host, plugins })
    }
}

/// Builds the host and these plugin packages. Compiler messages go to standard error.
///
/// The shipped plugins and, for developers, those of tests are built in any case: which packages cargo is asked for
/// decides the features of what they share, and another choice would compile all of that again.
///
/// # Errors
/// Cargo cannot be run, the build fails (cargo has said why), or a package makes no plugin file.
pub fn build(profile: Profile, plugins: &[&str]) -> Result<Built, Box<dyn Error>> {
    if let (Profile::Dev, Some(built)) = (profile, Built::from_variable())
        && plugins.iter().all(|package| built.plugin(package).is_some())
    {
        return Ok(built);
    }
    let always = match profile {
        Profile::Dev => [PLUGINS, TEST_PLUGINS, &[MINIMAL_HOST]].concat(),
        Profile::Release => PLUGINS.to_vec(),
    };
    let packages = always.iter().chain(plugins.iter().filter(|package| !always.contains(package)));
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(workspace())
        .args(["build", "--locked", "--message-format=json-render-diagnostics", "--package=erp-host"])
        .args(packages.map(|package| format!("--package={package}")))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    if profile == Profile::Release {
        cargo.arg("--release");
    }
    let output = cargo.output().map_err(|error| format!("cannot run cargo: {error}"))?;
    if !output.status.success() {
        return Err("the build failed, cargo says why above".into());
    }

    let (mut host, mut minimal_host) = (None, None);
    let mut libraries: Vec<(String, PathBuf)> = Vec::new();
    for line in output.stdout.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let message: serde_json::Value = serde_json::from_slice(line)?;
        if message["reason"] != "compiler-artifact" {
            continue;
        }
        if let Some(program) = message["executable"].as_str() {
            match message["target"]["name"].as_str() {
                Some("erp-host") => host = Some(PathBuf::from(program)),
                Some(MINIMAL_HOST) => minimal_host = Some(PathBuf::from(program)),
                _ => {}
            }
        }
        let is_plugin = message["target"]["crate_types"]
            .as_array()
            .is_some_and(|types| types.iter().any(|crate_type| crate_type == "cdylib"));
        let files = message["filenames"].as_array().into_iter().flatten().filter_map(|file| file.as_str());
        if is_plugin && let Some(file) = files.map(Path::new).find(|file| is_plugin_file(file)) {
            let package = message["package_id"].as_str().unwrap_or_default();
            libraries.push((package.to_owned(), file.to_owned()));
        }
    }
    let plugins = plugins
        .iter()
        .map(|&package| {
            libraries
                .iter()
                .find(|(id, _)| package_name(id) == package)
                .map(|(_, file)| (package.to_owned(), file.clone()))
                .ok_or_else(|| format!("the package {package} makes no plugin file (crate-type cdylib)"))
        })
        .collect::<Result<_, _>>()?;
    Ok(Built { host: host.ok_or("cargo did not say where the program erp-host is")?, minimal_host, plugins })
}

/// Copies plugin files into a folder, which is made if need be.
///
/// # Errors
/// A file cannot be copied.
pub fn install(built: &Built, packages: &[&str], folder: &Path) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(folder)?;
    not_for_others(folder)?;
    for package in packages {
        let file = built.plugin(package).ok_or_else(|| format!("{package} was not built"))?;
        let name = file.file_name().ok_or("a plugin file without a name")?;
        copy_plugin(file, &folder.join(name))
            .map_err(|error| format!("cannot copy {} into {}: {error}", file.display(), folder.display()))?;
    }
    Ok(())
}

/// Copies a plugin file to where a host loads it.
///
/// # Errors
/// It cannot be copied.
pub fn copy_plugin(file: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::copy(file, to)?;
    not_for_others(to)
}

/// Takes from others the right to change a file or a folder, which what cargo makes may give them: a host loads nothing
/// that others can change.
///
/// # Errors
/// Its permissions cannot be changed.
#[cfg(unix)]
pub fn not_for_others(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mut permissions = std::fs::metadata(path)?.permissions();
    permissions.set_mode(permissions.mode() & !0o022);
    std::fs::set_permissions(path, permissions)
}

/// Windows has no such rights.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn not_for_others(_path: &Path) -> std::io::Result<()> {
    Ok(())
}

/// The workspace's folder.
pub fn workspace() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package).to_owned()
}

/// The workspace's target folder, where the demo and the tests keep their files.
pub fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => workspace().join(folder),
        None => workspace().join("target"),
    }
}

fn is_plugin_file(file: &Path) -> bool {
    file.extension().is_some_and(|extension| ["so", "dll", "dylib"].iter().any(|known| extension == *known))
}

/// The name in a package ID: `path+file:///src/hello-connector#0.1.0` or `path+file:///src/hello#hello-connector@0.1.0`.
fn package_name(id: &str) -> &str {
    let (folder, fragment) = id.rsplit_once('#').unwrap_or((id, ""));
    match fragment.rsplit_once('@') {
        Some((name, _)) => name,
        None => folder.rsplit('/').next().unwrap_or_default(),
    }
}
