//! `erp-host access`.

use std::error::Error;
use std::io::{self, IsTerminal, Read, Write};
use std::process::ExitCode;

use zeroize::Zeroizing;

use crate::access::{SecretHash, new_secret};
use crate::cli::output::stdout;

/// Create a secret for callers, and its hash for the configuration
///
/// The caller sends the secret as a header, or as the password of basic authentication. The configuration has only its
/// hash; see [access.secrets] and [access.users] in the operator's guide. The secret is printed once and stored nowhere.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, after_help = EXAMPLES)]
pub(super) struct Args {
    /// The name of the caller in the log, or the user name
    #[arg(value_name = "NAME", default_value = "superoffice")]
    name: String,
    /// Read a secret of your own from standard input instead of creating one
    #[arg(long)]
    own: bool,
}

const EXAMPLES: &str = "\
Examples:
  erp-host access                       a secret, and the lines for the configuration
  erp-host access eis                   the same for another name
  printf %s \"$SECRET\" | erp-host access eis --own
                                        the lines for a secret that exists already";

pub(super) fn run(args: &Args) -> Result<ExitCode, Box<dyn Error>> {
    let mut output = stdout();
    let hash = if args.own {
        SecretHash::of_own(own_secret()?.trim_end_matches(['\r', '\n']))?
    } else {
        let (secret, hash) = new_secret()?;
        writeln!(output, "# The secret, for the caller; it is shown only now:\n#   {}\n", *secret)?;
        hash
    };
    let (name, hash) = (toml::Value::from(args.name.as_str()), hash.to_text());
    writeln!(output, "# For a header (access.secret_header, by default X-Connector-Secret):")?;
    writeln!(output, "[access.secrets]\n{name} = \"{hash}\"\n")?;
    writeln!(output, "# Or for basic authentication, with this name and the secret as its password:")?;
    writeln!(output, "# [access.users]\n# {name} = \"{hash}\"")?;
    output.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn own_secret() -> Result<Zeroizing<String>, Box<dyn Error>> {
    if io::stdin().is_terminal() {
        return Ok(Zeroizing::new(rpassword::prompt_password("Secret: ")?));
    }
    let mut secret = Zeroizing::new(String::with_capacity(4096));
    io::stdin().take(4096).read_to_string(&mut secret)?;
    Ok(secret)
}
