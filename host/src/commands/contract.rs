//! `erp-host contract`: contract profiles, which are learned from the WSDL of a service.

use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use contract::learn::{Comparison, Learned, compare, differences, learn, missing};
use contract::{Call, ContractFile, Envelope, MAX_CONTRACT_FILE, Operation, Profiles, sample};
use erp_host_client::call::parse_operation;
use erp_host_client::wsdl::{self, Source};
use erp_host_files::private_file::IfPresent;
use erp_host_files::{read_text, replace};
use erp_host_router::ServedProfiles;

use crate::cli::address_parser::AddressParser;
use crate::cli::block_on;
use crate::cli::output::stdout;
use crate::cli::profile_flags::read_contract_file;
use crate::cli::service_flags::TransportFlags;

/// Contract profiles: how a connector service wraps and orders its messages
///
/// SuperOffice reads replies only in the wrapping, the namespaces and the order of members that its own contract has. A
/// connector service that works with SuperOffice already publishes these in its WSDL: `learn` reads them from there into a
/// contract file, and the host serves by it with `[contract] profiles = ["contract.toml"]`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: ContractCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ContractCommand {
    Learn(Box<LearnArgs>),
    Check(CheckArgs),
    Show(ShowArgs),
}

/// Learn the profile of a connector service from its WSDL
///
/// Shows how the profile differs from the built-in ones, or which of them it equals, and what the contract has that this
/// host does not know. With --out it is written to a contract file, along with the WSDL.
#[derive(Debug, clap::Args)]
#[command(after_help = LEARN_EXAMPLES)]
struct LearnArgs {
    /// Address of the service or of its WSDL, or a file with the WSDL. To an address without ?wsdl or ?singleWsdl,
    /// ?singleWsdl is added, then ?wsdl
    #[arg(value_name = "URL|FILE", value_parser = AddressParser::<Source>::default())]
    source: Source,
    /// The contract file to write
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace a contract file that is there already
    #[arg(long, requires = "out")]
    force: bool,
    /// The name of the profile, for the log and for ?dialect=NAME; without it the name of the file to write
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Fetch also what the WSDL imports from other hosts
    #[arg(long)]
    follow_other_hosts: bool,
    #[command(flatten)]
    transport: TransportFlags,
}

const LEARN_EXAMPLES: &str = "\
Examples:
  erp-host contract learn https://erp.example.com/Services/ErpConnectorWS.svc
  erp-host contract learn https://erp.example.com/Services/ErpConnectorWS.svc --out contract.toml
  erp-host contract learn localhost:8080
  erp-host contract learn service.wsdl --out contract.toml

Exit codes: 0 the profile was learned, 1 it was not, 2 wrong usage.";

/// Check contract files
///
/// Shows what is wrong with a file, which operations and members of the contract it does not have, and whether it still
/// agrees with the WSDL that it was learned from.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 the host can serve by every file, 1 it cannot, 2 wrong usage.")]
struct CheckArgs {
    /// Contract files
    #[arg(value_name = "PROFILE", required = true)]
    files: Vec<PathBuf>,
}

/// Show a sample request and reply of an operation in a profile
#[derive(Debug, clap::Args)]
#[command(after_help = SHOW_EXAMPLES)]
struct ShowArgs {
    /// A contract file, or a built-in profile: message, message-by-operation, data, plain, and each with -declared
    #[arg(value_name = "PROFILE")]
    profile: PathBuf,
    /// The operation, such as GetActors
    #[arg(value_parser = parse_operation)]
    operation: Operation,
}

const SHOW_EXAMPLES: &str = "\
Examples:
  erp-host contract show contract.toml GetActors
  erp-host contract show message GetActors

Exit codes: 0 the messages are shown, 1 the file cannot be used or does not have the operation, 2 wrong usage.";

/// The profile's name where neither --name nor --out gives one.
const DEFAULT_NAME: &str = "learned";

/// The most characters of a profile's name.
const MAX_NAME: usize = 64;

/// The most lines of a list.
const MAX_LINES: usize = 40;

pub(super) fn run(args: Args) -> Result<ExitCode, Box<dyn Error>> {
    match args.command {
        ContractCommand::Learn(args) => run_learn(&args),
        ContractCommand::Check(args) => check(&args),
        ContractCommand::Show(args) => show(&args),
    }
}

fn run_learn(args: &LearnArgs) -> Result<ExitCode, Box<dyn Error>> {
    let options = args.transport.options(None)?;
    let documents = block_on(wsdl::fetch(&args.source, &options, args.follow_other_hosts))??;
    let learned = learn(&name(args), &documents)?;
    let file =
        ContractFile { layout: learned.layout.clone(), source: Some(args.source.to_string()), documents };
    file.profile()?;
    let mut text = description(&learned);
    let written = match &args.out {
        Some(path) => write(path, &file.without_secrets()?.to_toml(), args.force).map(|()| {
            let path = path.display();
            text += &format!(
                "\nwritten to {path}; the host serves by it with\n  [contract]\n  profiles = [\"{path}\"]\n"
            );
        }),
        None => {
            text += "\nnothing was written; --out FILE writes the contract file\n";
            Ok(())
        }
    };
    print(&text)?;
    written?;
    Ok(ExitCode::SUCCESS)
}

/// Shows a text on standard output.
fn print(text: &str) -> io::Result<()> {
    let mut out = stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // The reader of our output has closed the pipe (`| head`).
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// The name that was given, or else that of the file, as far as a name may have its characters.
fn name(args: &LearnArgs) -> String {
    let allowed = |char: char| if char.is_ascii_alphanumeric() || ".-_".contains(char) { char } else { '-' };
    if let Some(name) = &args.name {
        return name.clone();
    }
    let stem = args.out.as_deref().and_then(Path::file_stem).unwrap_or_default().to_string_lossy();
    let name: String = stem.chars().map(allowed).skip_while(|char| *char == '-').take(MAX_NAME).collect();
    if name.is_empty() { DEFAULT_NAME.to_owned() } else { name }
}

/// What was learned, in sentences.
fn description(learned: &Learned) -> String {
    let mut text = of_comparison(&compare(&learned.layout));
    list(
        &mut text,
        "The service has what this host does not know; it is left out of requests, and has no value in replies:",
        &learned.unknown,
    );
    list(&mut text, "The service does not have:", &learned.missing);
    text
}

fn of_comparison(comparison: &Comparison) -> String {
    let builtin = &comparison.builtin;
    if comparison.differences.is_empty() {
        let how = if builtin.ends_with("-declared") {
            "with reply_order = \"declared\" in [contract]"
        } else {
            "without a contract file"
        };
        return format!("The contract equals the built-in profile {builtin}: the host serves it {how}.\n");
    }
    let mut text = String::new();
    list(
        &mut text,
        &format!("The contract is most like the built-in profile {builtin}, and differs from it:"),
        &comparison.differences,
    );
    text
}

fn list(text: &mut String, head: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{head}");
    for line in lines.iter().take(MAX_LINES) {
        let _ = writeln!(text, "  {line}");
    }
    if let Some(more) = lines.len().checked_sub(MAX_LINES).filter(|more| *more > 0) {
        let _ = writeln!(text, "  and {more} more");
    }
}

fn write(path: &Path, text: &str, force: bool) -> Result<(), String> {
    if text.len() as u64 > MAX_CONTRACT_FILE {
        return Err(format!(
            "{} is not written: it would have {} bytes, and a contract file has {MAX_CONTRACT_FILE} at most; a \
             connector's WSDL has a tenth of it, so check the address",
            path.display(),
            text.len()
        ));
    }
    let failed = |error: io::Error| format!("{} cannot be written: {error}", path.display());
    match read_text(path, MAX_CONTRACT_FILE) {
        Ok(present) if present == text => return Ok(()),
        Err(error) if error.is_not_found() => {}
        _ if force => {}
        _ => return Err(format!("{} exists; --force replaces it", path.display())),
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    // The user of the service reads it, too.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    let mut file = builder.tempfile_in(folder).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    replace::persist(file, path, IfPresent::Replace).map_err(failed)?;
    Ok(())
}

fn check(args: &CheckArgs) -> Result<ExitCode, Box<dyn Error>> {
    let mut code = ExitCode::SUCCESS;
    for path in &args.files {
        // What the host does with it at its start.
        let served = ServedProfiles::read(std::slice::from_ref(path));
        let text = match served.and_then(|_| read_contract_file(path)) {
            Ok(file) => format!("{}: {}", path.display(), report(&file)),
            Err(error) => {
                code = ExitCode::FAILURE;
                format!("{error}\n")
            }
        };
        print(&text)?;
    }
    Ok(code)
}

/// Whether a contract file is complete, and agrees with its WSDL.
fn report(file: &ContractFile) -> String {
    let layout = &file.layout;
    let operations = match layout.operations.len() {
        1 => "1 operation".to_owned(),
        count => format!("{count} operations"),
    };
    let mut text = format!("the profile {} has {operations}", layout.name);
    let missing = missing(layout);
    if missing.is_empty() {
        text += ", all of the contract";
    }
    text += "\n";
    text += &of_comparison(&compare(layout));
    list(&mut text, "It does not have:", &missing);
    if file.documents.is_empty() {
        text += "It has no WSDL: ?wsdl answers that there is none.\n";
        return text;
    }
    match learn(&layout.name, &file.documents) {
        Err(error) => {
            let _ = writeln!(text, "The WSDL in it cannot be read: {error}");
        }
        Ok(learned) => {
            let edited = differences(layout, &learned.layout);
            list(&mut text, "It was edited, and differs from the WSDL in it:", &edited);
            list(&mut text, "The WSDL in it has what this host does not know:", &learned.unknown);
        }
    }
    text
}

fn show(args: &ShowArgs) -> Result<ExitCode, Box<dyn Error>> {
    let builtin = args.profile.to_str().and_then(|name| Profiles::builtin().find(name));
    let profile = match builtin {
        Some(profile) => profile.clone(),
        None => read_contract_file(&args.profile)?.profile()?,
    };
    let operation = args.operation;
    if profile.operation(operation).is_none() {
        return Err(format!("the profile {} does not have the operation {operation}", profile.name()).into());
    }
    let envelope = Envelope::from(profile);
    let connection_guid = Some(sample::CONNECTION_GUID.into());
    let call = Call { envelope, connection_guid, request: sample::request(operation) };
    let (mut request, mut reply) = (Vec::new(), Vec::new());
    contract::write_request(&mut request, &call);
    contract::write_reply(&mut reply, &call.envelope, operation, &sample::reply(operation));
    let mut text = String::new();
    for (what, message) in [
        (format!("Request, with SOAPAction: {:?}", call.soap_action()), request),
        ("Reply".to_owned(), reply),
    ] {
        let message = sample::indented(&String::from_utf8_lossy(&message));
        text += &format!("<!-- {what} -->\n{message}\n");
    }
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}
