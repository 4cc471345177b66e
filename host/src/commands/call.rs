//! `erp-host call`: one call of any connector service.

use std::error::Error;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use contract::{Dialect, Operation, Request};

use self::arguments::{Arguments, operation};
use self::show::Form;
use super::on_this_thread;
use super::service::{DialectChoice, ServiceFlags};
use erp_host_client::{CallError, Client, Exchange};

mod arguments;
mod restriction;
mod show;

#[cfg(test)]
mod tests;

/// Make one call to a connector service, and show the answer
///
/// The service may be this host or any other one: SuperOffice's sample, a partner's own. OPERATION is a name of the
/// contract in any case, with or without WS. Which flags an operation takes is listed below.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    service: ServiceFlags,
    /// What to call, such as GetActors
    #[arg(value_parser = operation)]
    operation: Operation,
    /// How the call is wrapped: message, message-by-operation, data, plain; auto finds out what the service answers to
    /// when it does not understand the first one
    #[arg(long, value_name = "DIALECT", default_value = "auto")]
    dialect: DialectChoice,
    #[command(flatten)]
    arguments: Arguments,
    /// Show the answer as JSON
    #[arg(long, conflicts_with = "xml")]
    json: bool,
    /// Show what was sent and what came back, byte for byte; passwords, too
    #[arg(long)]
    xml: bool,
}

const EXAMPLES: &str = "\
What each operation takes (all but the first two also --connection GUID):
  GetConfigData                 nothing: shows which settings a connection needs
  TestConfigData                --set KEY=VALUE ..
  SaveConnection                --set KEY=VALUE ..
  TestConnection                nothing
  DeleteConnection              nothing
  GetSupportedActorTypes        nothing
  GetSupportedActorTypeFields   --type TYPE
  GetActors                     --type TYPE --key KEY .. [--fields ..]
  GetSearchableFields           --type TYPE
  SearchActorsAdvanced          --type TYPE [--where RESTRICTION ..] [--parent TYPE:KEY] [--fields ..]
  SearchActors                  --type TYPE [--search TEXT] [--fields ..]
  SearchActorByParent           --type TYPE [--search TEXT] --parent TYPE:KEY [--fields ..]
  CreateActor                   --type TYPE --set FIELD=VALUE .. [--parent TYPE:KEY], or --actors FILE
  SaveActors                    --type TYPE --key KEY --set FIELD=VALUE .., or --actors FILE
  GetList                       --list NAME (without --connection: as while a connection is set up)
  GetListItems                  --list NAME --key KEY ..
  GetActorsByTimestamp          --type TYPE [--since STAMP] [--fields ..]
  Authenticate                  --token-file FILE (no connection)

Examples:
  erp-host call http://localhost:8080 getconfigdata
  erp-host call http://localhost:8080 testconfigdata --set Filename=erp.xlsx --ask Password
  erp-host call http://localhost:8080 saveconnection --connection 3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf \\
      --set Filename=erp.xlsx
  erp-host call https://erp.example.com SearchActorsAdvanced --connection 3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf \\
      --type Customer --where 'NAME begins Acme' --where 'CREDIT between [F:0] and [F:1000]' --fields NAME,CREDIT
  erp-host call http://localhost:8080 getactorsbytimestamp --connection 3aef3af686424fc18dc94e08bd76a6bf \\
      --type Person --since 2026-01-01T00:00:00 --json

Exit codes: 0 it worked, 1 it did not (no answer, a fault, State=Error), 2 wrong usage.";

pub(super) fn run(args: Args) -> Result<ExitCode, Box<dyn Error>> {
    let form = match (args.json, args.xml) {
        (true, _) => Form::Json,
        (_, true) => Form::Xml,
        _ => Form::Table,
    };
    let request = match args.arguments.request(args.operation) {
        Ok(request) => request,
        Err(error) => {
            eprintln!("erp-host: {error}");
            return Ok(ExitCode::from(2));
        }
    };
    let connection = args.arguments.connection(args.operation);
    let client = args.service.client()?;
    let answered = on_this_thread(call(client, args.dialect, connection.as_deref(), request))?;
    let mut out = BufWriter::new(io::stdout().lock());
    let shown = match &answered {
        Ok(exchange) => show::exchange(&mut out, exchange, form),
        Err(error) => show::what_came(&mut out, error, form),
    };
    match shown.and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
        _ => {}
    }
    let _ = answered?.succeeded()?;
    Ok(ExitCode::SUCCESS)
}

/// Makes the call; when the dialect is not given and not understood, once more in that of the service. A fault means
/// that nothing was done, so nothing is done twice.
async fn call(
    client: Client,
    choice: DialectChoice,
    connection: Option<&str>,
    request: Request<'_>,
) -> Result<Exchange, CallError> {
    if let DialectChoice::Only(dialect) = choice {
        return client.in_dialect(dialect).call_with(connection, request).await;
    }
    match client.call_with(connection, request.clone()).await {
        Err(error) if error.kind.may_be_wrong_dialect() => match client.detect_dialect().await {
            Ok(client) if client.dialect() != Dialect::Message => client.call_with(connection, request).await,
            _ => Err(error),
        },
        answered => answered,
    }
}
