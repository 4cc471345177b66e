//! `erp-host plugins keygen`, `sign` and `verify`: signatures of plugin files.

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use zeroize::Zeroizing;

use crate::cli::output::stdout;
use crate::config::{Config, Flags};
use erp_host_files::permissions::refuse_readable_by_others;
use erp_host_runtime::{MAX_PLUGIN_SIZE, PublicKey, Signature, SigningKey, signature_path};
use erp_host_store::private_file::{self, IfPresent};

/// Make a key to sign plugin files with.
///
/// Writes the private key to FILE, which only its owner can read, and the public key to FILE.pub; both are PEM, as
/// OpenSSL reads them. Keep the private key where plugins are built, never where they run. An existing file is not
/// overwritten.
///
/// Operators trust what is signed with it by these lines in their configuration:
///   [trust]
///   signers = ["<the line that this prints>"]
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct KeygenArgs {
    /// Where the private key goes, such as partner.pem
    file: PathBuf,
}

/// Sign plugin files: writes FILE.sig, which belongs beside the file in the plugins folder.
///
/// The signature is Ed25519 over the whole file (RFC 8032), in base64. OpenSSL makes the same one:
///   openssl pkeyutl -sign -rawin -inkey partner.pem -in FILE -out FILE.sig
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct SignArgs {
    /// The plugin files
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The private key (PEM), as `erp-host plugins keygen` makes it
    #[arg(long, value_name = "KEY")]
    key: PathBuf,
}

/// Check the signature of a plugin file: FILE.sig must be beside it.
///
/// The file is not loaded. Without --key the signers of the configuration count.
///
/// Exit code: 0 when the signature is right, 1 when it is not.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct VerifyArgs {
    /// The plugin file
    file: PathBuf,
    /// The public key (PEM), as `erp-host plugins keygen` makes it [default: [trust] signers]
    #[arg(long, value_name = "PUB")]
    key: Option<PathBuf>,

    #[command(flatten)]
    flags: Flags,
}

pub(super) fn keygen(args: &KeygenArgs) -> Result<ExitCode, Box<dyn Error>> {
    let mut public_file = args.file.clone().into_os_string();
    public_file.push(".pub");
    let public_file = PathBuf::from(public_file);
    let cannot = |file: &Path, error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            format!("{} is there already, and a key that is lost is lost; name another file", file.display())
        }
        _ => format!("{} cannot be written: {error}", file.display()),
    };
    if public_file.exists() {
        return Err(cannot(&public_file, io::ErrorKind::AlreadyExists.into()).into());
    }
    let key = SigningKey::generate()?;
    private_file::write(&args.file, key.to_pem()?.as_bytes(), IfPresent::Keep)
        .map_err(|error| cannot(&args.file, error))?;
    fs::write(&public_file, key.public().to_pem()).map_err(|error| cannot(&public_file, error))?;
    let mut output = stdout();
    writeln!(output, "private key: {}, for whoever signs plugins and nobody else", args.file.display())?;
    writeln!(output, "public key:  {}", public_file.display())?;
    writeln!(output, "signers = [\"{}\"]", key.public())?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn sign(args: &SignArgs) -> Result<ExitCode, Box<dyn Error>> {
    let key = read_signing_key(&args.key)?;
    let mut output = stdout();
    for file in &args.files {
        let signature = key.sign(&read(file)?)?;
        let signature_file = signature_path(file);
        fs::write(&signature_file, format!("{signature}\n"))
            .map_err(|error| format!("{} cannot be written: {error}", signature_file.display()))?;
        writeln!(output, "{}: signed by {}", signature_file.display(), key.public())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads a private key, which nobody else may be able to read.
pub(super) fn read_signing_key(file: &Path) -> Result<SigningKey, String> {
    let refused = |reason: String| format!("{}: {reason}", file.display());
    let text = Zeroizing::new(read_text(file)?);
    let key = SigningKey::from_pem(&text).map_err(|error| refused(error.to_string()))?;
    // After it is known to be a private key: everybody may read a public one.
    let metadata = fs::metadata(file).map_err(|error| refused(error.to_string()))?;
    refuse_readable_by_others(file, &metadata).map_err(|loose| refused(loose.to_string()))?;
    Ok(key)
}

pub(super) fn verify(args: &VerifyArgs) -> Result<ExitCode, Box<dyn Error>> {
    let signers = match &args.key {
        Some(file) => {
            let key = PublicKey::parse(&read_text(file)?);
            vec![key.map_err(|error| format!("{}: {error}", file.display()))?]
        }
        None => Config::load(&args.flags)?.runtime.trust.signers,
    };
    if signers.is_empty() {
        return Err("nobody's signature counts; name a public key with --key, or in the configuration ([trust] signers)".into());
    }
    let bytes = read(&args.file)?;
    let signature_file = signature_path(&args.file);
    let signature = Signature::parse(&read(&signature_file)?)
        .map_err(|error| format!("{}: {error}", signature_file.display()))?;
    let shown = args.file.display();
    match signers.iter().find(|signer| signer.verifies(&bytes, &signature)) {
        Some(signer) => {
            writeln!(stdout(), "{shown}: signed by {signer}")?;
            Ok(ExitCode::SUCCESS)
        }
        None => Err(format!(
            "{shown}: the signature is not of this file by {}",
            if args.key.is_some() { "that key" } else { "one of [trust] signers" }
        )
        .into()),
    }
}

/// The largest key file.
const MAX_KEY: u64 = 64 * 1024;

/// Reads a plugin file. Its signature is made over the whole file at once.
fn read(file: &Path) -> Result<Vec<u8>, String> {
    erp_host_files::read(file, MAX_PLUGIN_SIZE).map_err(|error| format!("{}: {error}", file.display()))
}

fn read_text(file: &Path) -> Result<String, String> {
    erp_host_files::read_text(file, MAX_KEY).map_err(|error| format!("{}: {error}", file.display()))
}
