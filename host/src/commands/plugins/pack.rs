//! `erp-host plugins pack`.

mod release_build;

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use erp_host_files::private_file::IfPresent;
use erp_host_files::replace;
use erp_host_runtime::{
    MAX_PLUGIN_SIZE, Plugin, PluginFile, SigningKey, Trust, required_glibc, signature_path,
};

use self::release_build::ReleaseBuild;
use super::signing::read_signing_key;
use crate::cli::UsageError;
use crate::cli::own_output::OwnOutput;
use crate::cli::scratch_folder::scratch_folder;
use crate::config::{Config, Flags};
use erp_host_terminal::PrintableWriter;

/// Build a connector for operators: a release build without symbols, checked, with its hash and signature.
///
/// 1. `cargo build --release` of the crate, without symbols. A release profile that builds for debugging is refused.
/// 2. The plugin file is loaded as `erp-host plugins inspect` does: what a host would refuse is not packed.
/// 3. These go to the folder dist of the crate:
///    NAME-VERSION-TARGET.so         the plugin file, such as acme-1.5.0-x86_64-unknown-linux-gnu.so
///    NAME-VERSION-TARGET.so.sha256  its SHA-256, for `sha256sum --check` and for [trust] sha256 of operators
///    NAME-VERSION-TARGET.so.sig     with --key: its signature, for [trust] signers of operators
///
/// The operator runs `erp-host plugins install` with the plugin file; the signature belongs beside it.
///
/// A build runs on systems with the glibc that it was built with, or a newer one: build on the oldest system that you serve.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, after_help = EXAMPLES)]
pub(super) struct Args {
    /// The folder of the crate
    #[arg(default_value = ".")]
    dir: PathBuf,

    /// Sign with this private key (PEM), as `erp-host plugins keygen` makes it
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,

    /// The folder for the packed files [default: dist in the folder of the crate]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    #[command(flatten)]
    flags: Flags,
}

const EXAMPLES: &str = "\
Examples:
  erp-host plugins pack                                       the crate in the current folder
  erp-host plugins pack acme-connector --key partner.pem      signed
  CARGO_NET_OFFLINE=true erp-host plugins pack --out /srv/releases

Exit codes: 0 packed, 1 the build failed or a host would refuse it, 2 wrong usage.";

pub(super) fn run(args: Args) -> Result<ExitCode, Box<dyn Error>> {
    let mut config = Config::load(&args.flags)?;
    // Before the build, which takes long.
    let key = args.key.as_deref().map(read_signing_key).transpose()?;
    let crate_folder = release_build::crate_folder(&args.dir).map_err(UsageError)?;
    let mut output = PrintableWriter::new(OwnOutput::take()?);

    let built = ReleaseBuild::run(&crate_folder)?;
    let bytes = erp_host_files::read(&built.plugin_file, MAX_PLUGIN_SIZE)
        .map_err(|error| format!("{}: {error}", built.plugin_file.display()))?;
    // What cargo makes may be open to a group; what is packed is not trusted by where it lies here.
    config.runtime.trust = Trust { checks_permissions: false, ..Trust::default() };
    let data = scratch_folder()?;
    let refused = |reason: String| format!("{}: not packed: {reason}", built.plugin_file.display());
    let loaded = PluginFile::load(built.plugin_file.clone(), data.path(), &config.runtime).loaded;
    let plugin = loaded.map_err(|error| refused(error.to_string()))?;
    plugin.connector.settings_form().map_err(|outcome| {
        let reason = outcome.user.unwrap_or_default();
        refused(format!("the form of its settings cannot be read: {reason}"))
    })?;

    let folder = args.out.unwrap_or_else(|| args.dir.join("dist"));
    let file = folder.join(file_name(&plugin));
    let packed = Packed { file: &file, bytes: &bytes, plugin: &plugin, key: key.as_ref() };
    packed.write().map_err(|error| format!("{} cannot be written: {error}", folder.display()))?;
    packed.print(&mut output)?;
    Ok(ExitCode::SUCCESS)
}

/// `acme-1.5.0-x86_64-unknown-linux-gnu.so`
fn file_name(plugin: &Plugin) -> String {
    let (version, target) = (&plugin.about.version, &plugin.about.target);
    // A version has no slash, unless somebody has written it by hand.
    let name = format!("{}-{version}-{target}", plugin.name().to_lowercase()).replace(['/', '\\'], "_");
    format!("{name}.{}", std::env::consts::DLL_EXTENSION)
}

/// What is packed.
struct Packed<'a> {
    file: &'a Path,
    bytes: &'a [u8],
    plugin: &'a Plugin,
    key: Option<&'a SigningKey>,
}

impl Packed<'_> {
    /// Writes the files, each one whole or not at all.
    fn write(&self) -> io::Result<()> {
        let folder = self.file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let signature_file = signature_path(self.file);
        match self.key {
            Some(key) => {
                let signature = key.sign(self.bytes).map_err(io::Error::other)?;
                write(&signature_file, format!("{signature}\n").as_bytes())?;
            }
            // Of a build before this one.
            None => match fs::remove_file(&signature_file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            },
        }
        let name = self.file.file_name().unwrap_or_default().to_string_lossy();
        write(&self.hash_file(), format!("{}  {name}\n", self.plugin.sha256).as_bytes())?;
        write(self.file, self.bytes)
    }

    fn hash_file(&self) -> PathBuf {
        let mut name = self.file.as_os_str().to_owned();
        name.push(".sha256");
        name.into()
    }

    fn print(&self, output: &mut impl Write) -> io::Result<()> {
        let Plugin { about, sha256, .. } = self.plugin;
        let mut line = |name: &str, value: &str| writeln!(output, "{:13}{value}", format!("{name}:"));
        line("packed", &self.file.display().to_string())?;
        line("connector", &format!("{} {}", about.connector, about.version))?;
        line("size", &format!("{} bytes", self.bytes.len()))?;
        line("sha256", sha256)?;
        let needs = about.needs;
        line("plugin API", &format!("{} (needs {}.{})", about.api, needs.major, needs.minor))?;
        line("target", &about.target)?;
        if let Some(version) = required_glibc(self.bytes) {
            line("glibc", &format!("{version} or newer"))?;
        }
        match self.key {
            Some(key) => line("signed by", &key.public().to_string()),
            None => line("signed by", "nobody; --key FILE signs it"),
        }
    }
}

/// Writes a file that others can read and only its owner can change.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
    #[cfg(unix)]
    file.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    file.write_all(bytes)?;
    replace::persist(file, path, IfPresent::Replace).map(|_| ())
}
