//! `erp-host call`: one call of any connector service.

use std::error::Error;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use contract::{Actor, Operation, Payload, Reply, Request, Restriction, Text};
use erp_host_client::call::{
    Argument, Arguments, OutputFormat, TableStyle, actors_from_json, check, parse_operation, parse_parent,
    parse_restriction, write_error_traffic, write_exchange,
};
use erp_host_client::{Exchange, ProfileSource};
use erp_host_files::read_text;

use crate::cli::block_on;
use crate::cli::output::{print_error, stdout, terminal_width};
use crate::cli::profile_flags::{ProfileFlags, print_source};
use crate::cli::service::Service;
use crate::cli::service_flags::ServiceFlags;
use crate::cli::settings_flags::{Entries, MAX_INPUT, SettingsFlags, read_standard_input};

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
    #[arg(value_parser = parse_operation)]
    operation: Operation,
    #[command(flatten)]
    profile: ProfileFlags,
    #[command(flatten)]
    arguments: ArgumentFlags,
    /// Show values in the table as they travel, such as `[F:1.5]`
    #[arg(long, conflicts_with_all = ["json", "xml"])]
    raw: bool,
    /// Show the answer as JSON
    #[arg(long, conflicts_with = "xml")]
    json: bool,
    /// Show what was sent and what came back, byte for byte; passwords, too
    #[arg(long)]
    xml: bool,
}

#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "What it is called with")]
struct ArgumentFlags {
    /// GUID of the connection, in any form
    #[arg(long, short, value_name = "GUID")]
    connection: Option<String>,
    /// Actor type: Customer, Supplier, Partner, Person, Project
    #[arg(long = "type", short = 't', value_name = "TYPE")]
    actor_type: Option<String>,
    /// Key of an actor or of a list item. May be given several times
    #[arg(long, short, value_name = "KEY")]
    key: Vec<String>,
    /// Keys of the fields to answer with, with commas between; `--fields ''` for none. Without it: all
    #[arg(long, short, value_name = "FIELD,..")]
    fields: Option<String>,
    /// A restriction of the search: field, operator, values; `between A and B`, `oneof A,B`. May be given several times
    #[arg(long = "where", short = 'w', value_name = "RESTRICTION", value_parser = parse_restriction)]
    restrictions: Vec<Restriction<'static>>,
    /// Text to search for
    #[arg(long, short, value_name = "TEXT")]
    search: Option<String>,
    /// Actor type and key of the parent
    #[arg(long, short, value_name = "TYPE:KEY", value_parser = parse_parent)]
    parent: Option<(String, String)>,
    /// Name of a list
    #[arg(long, short, value_name = "NAME")]
    list: Option<String>,
    /// Stamp (LastModified) to search changes from; without it from the beginning
    #[arg(long, value_name = "STAMP")]
    since: Option<String>,
    #[command(flatten)]
    set: SettingsFlags,
    /// JSON file with the actors to write, in the form that --json shows them in; `-` for standard input
    #[arg(long, value_name = "FILE")]
    actors: Option<PathBuf>,
    /// File with the signed token to authenticate with; `-` for standard input
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
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
  erp-host call @test testconfigdata              [targets.test] of erp-host.toml
  erp-host call http://localhost:8080 testconfigdata --set Filename=erp.xlsx --ask Password
  erp-host call http://localhost:8080 saveconnection --connection 3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf \\
      --set Filename=erp.xlsx
  erp-host call https://erp.example.com SearchActorsAdvanced --connection 3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf \\
      --type Customer --where 'NAME begins Acme' --where 'CREDIT between [F:0] and [F:1000]' --fields NAME,CREDIT
  erp-host call http://localhost:8080 getactorsbytimestamp --connection 3aef3af686424fc18dc94e08bd76a6bf \\
      --type Person --since 2026-01-01T00:00:00 --json

Exit codes: 0 it worked, 1 it did not (no answer, a fault, State=Error), 2 wrong usage.";

pub(super) fn run(args: Args) -> Result<ExitCode, Box<dyn Error>> {
    let format = match (args.json, args.xml) {
        (true, _) => OutputFormat::Json,
        (_, true) => OutputFormat::Xml,
        _ => OutputFormat::Table(TableStyle { wire_values: args.raw, width: terminal_width() }),
    };
    let prepared = || {
        check(args.operation, &args.arguments.given())?;
        let service = Service::new(&args.service, &args.profile)?;
        let (connection, request) = args.arguments.call(args.operation, &service)?;
        Ok((service, connection, request))
    };
    let (service, connection, request) = match prepared() {
        Ok(prepared) => prepared,
        Err::<_, Box<dyn Error>>(error) => {
            print_error(&error);
            return Ok(ExitCode::from(2));
        }
    };
    let (client, choice, guid) = (service.client, service.profile, connection.as_deref());
    let to_save = names_to_save(&request);
    let result = block_on(async {
        let (client, source) = client.choose(choice, args.operation).await?;
        print_source(&source);
        match source {
            ProfileSource::Given => client.call_with(guid, request).await,
            _ => client.call_detecting_dialect(guid, request).await,
        }
    })?;
    // The messages are shown byte for byte, everything else without unprintable characters.
    let mut out: Box<dyn Write> = match format {
        OutputFormat::Xml => Box::new(BufWriter::new(io::stdout().lock())),
        _ => Box::new(BufWriter::new(stdout())),
    };
    let written = match &result {
        Ok(exchange) => write_exchange(&mut out, exchange, format),
        Err(error) => write_error_traffic(&mut out, error, format),
    };
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
        _ => {}
    }
    let exchange = result?.succeeded()?;
    let not_saved = not_saved(&to_save, &exchange);
    if not_saved.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    Err(format!("not in the reply, so not saved: {}", not_saved.join(", ")).into())
}

/// Type and key of an actor, as they are shown.
fn name_of(actor: &Actor<'_>) -> String {
    let text = |text: &Text<'_>| text.as_deref().unwrap_or_default().to_owned();
    format!("{} {:?}", text(&actor.actor_type), text(&actor.erp_key))
}

/// The actors that a request saves.
fn names_to_save(request: &Request<'_>) -> Vec<String> {
    match request {
        Request::SaveActors { actors } => actors.iter().flatten().map(name_of).collect(),
        _ => Vec::new(),
    }
}

/// Those of them that the reply does not have.
fn not_saved(to_save: &[String], exchange: &Exchange) -> Vec<String> {
    let saved: Vec<String> = match &exchange.answer.reply {
        Reply::Result { payload: Payload::Actors(Some(actors)), .. } => actors.iter().map(name_of).collect(),
        _ => Vec::new(),
    };
    to_save.iter().filter(|name| !saved.contains(name)).cloned().collect()
}

impl ArgumentFlags {
    /// The `ConnectionGuid` and the request of a call to a service. Files are read, and secrets asked for, after the flags are
    /// checked. A target's settings are those of a connection, and no fields of an actor.
    fn call(
        &self,
        operation: Operation,
        service: &Service,
    ) -> Result<(Option<String>, Request<'static>), Box<dyn Error>> {
        let values = match operation {
            Operation::TestConfigData | Operation::SaveConnection => service.settings(&self.set)?,
            _ => self.set.entries()?,
        };
        let arguments = self.read(values)?;
        Ok((arguments.connection(operation), arguments.request(operation)?))
    }

    fn given(&self) -> Vec<Argument> {
        let mut given = vec![Argument::Key; self.key.len()];
        let flags = [
            (Argument::Connection, self.connection.is_some()),
            (Argument::Type, self.actor_type.is_some()),
            (Argument::Fields, self.fields.is_some()),
            (Argument::Where, !self.restrictions.is_empty()),
            (Argument::Search, self.search.is_some()),
            (Argument::Parent, self.parent.is_some()),
            (Argument::List, self.list.is_some()),
            (Argument::Since, self.since.is_some()),
            (Argument::Set, !self.set.is_empty()),
            (Argument::Actors, self.actors.is_some()),
            (Argument::Token, self.token_file.is_some()),
        ];
        given.extend(flags.into_iter().filter(|(_, is_given)| *is_given).map(|(argument, _)| argument));
        given
    }

    fn read(&self, values: Entries) -> Result<Arguments, Box<dyn Error>> {
        let fields = self.fields.as_deref().map(|fields| {
            let keys = fields.split(',').map(str::trim).filter(|key| !key.is_empty());
            keys.map(str::to_owned).collect()
        });
        let token = self.token_file.as_deref().map(read_file).transpose()?;
        Ok(Arguments {
            connection: self.connection.clone(),
            actor_type: self.actor_type.clone(),
            keys: self.key.clone(),
            fields,
            restrictions: self.restrictions.clone(),
            search: self.search.clone(),
            parent: self.parent.clone(),
            list: self.list.clone(),
            since: self.since.clone(),
            values,
            actors: self.actors.as_deref().map(read_actors).transpose()?,
            token: token.map(|token| token.trim().to_owned()),
        })
    }
}

fn read_actors(path: &Path) -> Result<Vec<Actor<'static>>, Box<dyn Error>> {
    let name = path.display();
    let json = serde_json::from_str(&read_file(path)?)
        .map_err(|error| format!("the actors in {name} cannot be read: {error}"))?;
    actors_from_json(&json).map_err(|error| format!("the actors in {name}: {error}").into())
}

/// The text of a file, or of standard input for `-`.
fn read_file(path: &Path) -> Result<String, String> {
    let text = if path == Path::new("-") {
        read_standard_input()
    } else {
        read_text(path, MAX_INPUT).map_err(|error| error.to_string())
    };
    text.map_err(|error| format!("{}: {error}", path.display()))
}
