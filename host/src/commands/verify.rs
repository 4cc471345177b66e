//! `erp-host verify`: whether a connector service keeps the rules.

use std::error::Error;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use values::Guid;

use crate::cli::block_on;
use crate::cli::colours;
use crate::cli::output::print_error;
use crate::cli::profile_flags::ProfileFlags;
use crate::cli::service::Service;
use crate::cli::service_flags::ServiceFlags;
use crate::cli::settings_flags::SettingsFlags;
use erp_host_conformance::{Detail, ErpCommands, Progress, Report, Rule, Verdict, Verification, Weight};
use erp_host_terminal::{printable, printable_lines};

/// Verify that a connector service keeps the rules that SuperOffice depends on
///
/// It makes a connection with the given settings, tries every operation in every way that SuperOffice uses them, and
/// checks the answers against numbered rules. The service may be anybody's. Use a test company: unless --read-only is given,
/// actors are created and saved, and the contract cannot delete them. The connection is deleted at the end.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    service: ServiceFlags,
    #[command(flatten)]
    settings: SettingsFlags,
    #[command(flatten)]
    profile: ProfileFlags,
    /// Create and save no actors
    #[arg(long)]
    read_only: bool,
    /// Use this stored connection instead of making one; it is neither saved nor deleted
    #[arg(long, value_name = "GUID")]
    connection: Option<Guid>,
    /// Check only the rules of these numbers, and those that they need
    #[arg(long, value_name = "RULE,..", value_delimiter = ',')]
    only: Vec<u16>,
    /// How long a rule may take
    #[arg(long, value_name = "SECONDS", default_value_t = Verification::RULE_TIMEOUT.as_secs(), value_parser = clap::value_parser!(u64).range(1..))]
    rule_timeout: u64,
    /// Runs this command to stop the ERP system, and checks what happens while it is away
    #[arg(long, value_name = "COMMAND", requires = "erp_start")]
    erp_stop: Option<String>,
    /// Runs this command to make the ERP system slow, or to halt it, and checks what happens meanwhile
    #[arg(long, value_name = "COMMAND", requires = "erp_start")]
    erp_slow: Option<String>,
    /// Runs this command after --erp-stop and --erp-slow: the ERP system has to answer when it ends
    #[arg(long, value_name = "COMMAND")]
    erp_start: Option<String>,
    /// Write the whole report, with all exchanges, to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write a JUnit report to this file
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Let warnings count as failures
    #[arg(long)]
    strict: bool,
    /// Show no progress, and of the rules only those that fail
    #[arg(long, short)]
    quiet: bool,
}

const EXAMPLES: &str = "\
Examples:
  erp-host verify http://localhost:8080 --set Filename=test.xlsx
  erp-host verify https://erp.example.com/Services/ErpConnectorWS.svc --connector Visma \\
      --set Server=test --ask Password --read-only --junit verify.xml
  erp-host verify http://localhost:8080 --only 801,802    after a change, for these rules
  erp-host verify @test                                   [targets.test] of erp-host.toml
  erp-host verify http://localhost:8080 --set Server=test --erp-stop 'docker stop erp' --erp-start 'docker start erp'
  erp-host verify http://localhost:8080 --connection 3aef3af6-8642-4fc1-8dc9-4e08bd76a6bf --read-only

A rule that is broken fails, or is a warning where SuperOffice can do without it. One that cannot be checked, as the
service has nothing to check it with, is skipped with the reason. The rules and their sources: docs/verify.md.

Exit codes: 0 no rule failed, 1 some did, 2 it could not begin (no service, wrong settings, wrong usage), 130 interrupted.";

pub(super) fn run(args: Args) -> Result<ExitCode, Box<dyn Error>> {
    let prepared = || {
        let service = Service::new(&args.service, &args.profile)?;
        let settings = service.settings(&args.settings)?;
        Ok((service, settings))
    };
    let (service, settings) = match prepared() {
        Ok(prepared) => prepared,
        Err::<_, Box<dyn Error>>(error) => return Ok(cannot_begin(&error)),
    };
    let verification = Verification {
        client: service.client,
        profile: service.profile,
        settings,
        read_only: args.read_only,
        connection: args.connection,
        only: args.only.clone(),
        rule_timeout: Duration::from_secs(args.rule_timeout),
        erp: args.erp_start.clone().map(|start| ErpCommands {
            stop: args.erp_stop.clone(),
            slow: args.erp_slow.clone(),
            start,
        }),
    };
    let mut shown = Shown::new(args.quiet);
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let ended = block_on(verification.run(interrupted, |progress| shown.show(progress)))?;
    shown.clear();
    let report = match ended {
        Ok(report) => report,
        Err(error) => return Ok(cannot_begin(&error)),
    };
    if let Some(path) = &args.json {
        write_file(path, &format!("{:#}\n", report.to_json()))?;
    }
    if let Some(path) = &args.junit {
        write_file(path, &report.to_junit())?;
    }
    match write_report(&report.text(detail(&args))) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
        _ => {}
    }
    Ok(exit_code(&report, args.strict))
}

fn exit_code(report: &Report, strict: bool) -> ExitCode {
    let counts = report.counts();
    match counts.failed + if strict { counts.warned } else { 0 } {
        _ if report.interrupted => ExitCode::from(130),
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// What is shown of a report. Progress at a terminal has a line for each rule already.
fn detail(args: &Args) -> Detail {
    match args.quiet {
        true if args.strict => Detail::Broken,
        true => Detail::Failed,
        false if io::stderr().is_terminal() && io::stdout().is_terminal() => Detail::Broken,
        false => Detail::Everything,
    }
}

fn write_report(report: &impl std::fmt::Display) -> io::Result<()> {
    let text = printable_lines(&report.to_string());
    let text = if colours::are_wanted(&io::stdout()) { colours::paint(&text) } else { text };
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn cannot_begin(error: &impl std::fmt::Display) -> ExitCode {
    print_error(&error);
    ExitCode::from(2)
}

fn write_file(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text)
        .map_err(|error| format!("the report cannot be written to {}: {error}", path.display()))
}

/// Progress on standard error: a line for each rule at a terminal, else for each rule that is not kept.
struct Shown {
    quiet: bool,
    at_terminal: bool,
    coloured: bool,
}

impl Shown {
    fn new(quiet: bool) -> Self {
        let at_terminal = io::stderr().is_terminal();
        Shown { quiet, at_terminal, coloured: colours::are_wanted(&io::stderr()) }
    }

    fn show(&mut self, progress: Progress<'_>) {
        if self.quiet {
            return;
        }
        // Progress that cannot be shown is no reason to end.
        let mut out = io::stderr().lock();
        let _ = match progress {
            Progress::Checking(rule, at, of) if self.at_terminal => {
                let text: String = rule.text.chars().take(60).collect();
                write!(out, "\r\x1b[K{at}/{of}  {} {text}", rule.number).and_then(|()| out.flush())
            }
            Progress::Checking(rule, at, of) if at % 20 == 1 => {
                writeln!(out, "checking rule {} ({at} of {of})", rule.number)
            }
            Progress::Checking(..) => Ok(()),
            Progress::Checked(rule, verdict) => match self.line(rule, verdict) {
                Some(line) if self.coloured => writeln!(out, "\r\x1b[K{}", colours::paint(&line)),
                Some(line) if self.at_terminal => writeln!(out, "\r\x1b[K{line}"),
                Some(line) => writeln!(out, "{line}"),
                None => Ok(()),
            },
            Progress::CleaningUp if self.at_terminal => write!(out, "\r\x1b[Kcleaning up"),
            Progress::CleaningUp => Ok(()),
        };
    }

    /// The line of a rule that was checked.
    fn line(&self, rule: &Rule, verdict: &Verdict) -> Option<String> {
        match verdict {
            Verdict::Failed(findings) => {
                let word = if rule.weight == Weight::Must { "FAILED" } else { "warning" };
                let first = findings.first().map(|finding| finding.text.as_str()).unwrap_or_default();
                Some(format!("rule {} {word}: {}", rule.number, printable(first)))
            }
            _ if !self.at_terminal => None,
            Verdict::Passed => Some(format!("rule {} passed: {}", rule.number, rule.text)),
            Verdict::Skipped(why) => Some(format!("rule {} skipped: {}", rule.number, printable(why))),
            Verdict::NotApplicable => None,
        }
    }

    fn clear(&self) {
        if self.at_terminal && !self.quiet {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
