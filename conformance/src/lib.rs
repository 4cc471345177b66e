//! A conformance suite for connector services, ours or anybody's: every rule that SuperOffice depends on, tried over
//! HTTP.
//!
//! A rule is a sentence with a number and a source ([`Rule`]), and a function that looks whether it is kept. Rules run
//! one after the other; what one of them finds out about the service (its form, its connection, its actors) is what the
//! next ones go by (`subject`). One file for each group of rules.

mod actors;
mod connections;
mod faults;
mod fields;
mod lists;
mod load;
mod message;
mod oddities;
mod report;
mod rule;
mod rules;
mod searching;
mod settings;
mod stamps;
mod subject;
mod transport;
mod wire;
mod writing;
mod wsdl;

#[cfg(test)]
mod tests;

use contract::{Access, Dialect, Field, FieldType, Guid, Payload, Reply, Request};

pub use report::{Counts, Report};
pub use rule::{Finding, Rule, Verdict, Weight};

use erp_host_client::{CallError, Client};
use rule::Findings;
use rules::{group_name, rules};
use subject::Subject;

/// What to verify, and how.
#[derive(Debug)]
pub struct Verification {
    /// A client of the service, in any dialect.
    pub client: Client,
    /// The dialect to call it in; without one, that in which it answers.
    pub dialect: Option<Dialect>,
    /// Settings for a connection. What is not given and has a default is filled in, as SuperOffice's form does.
    pub settings: Vec<(String, Option<String>)>,
    /// Whether to leave out creating and saving actors.
    pub read_only: bool,
    /// A stored connection to use instead of making one.
    pub connection: Option<Guid>,
}

/// A verification that could not begin.
#[derive(Debug, thiserror::Error)]
pub enum CannotBegin {
    /// There is no connector service, or it does not answer.
    #[error("{0}")]
    NoService(#[from] CallError),
    /// Settings are missing or unknown.
    #[error("{0}")]
    Settings(String),
}

/// What happens while a verification runs.
#[derive(Debug, Clone, Copy)]
pub enum Progress<'p> {
    /// A rule is looked at now: which one of how many.
    Looking(&'p Rule, usize, usize),
    /// That is what came of it.
    Done(&'p Rule, &'p Verdict),
    /// Deletes what was made.
    CleaningUp,
}

impl Verification {
    /// Looks at every rule. Ends early, but cleans up, when `interrupted` is ready.
    ///
    /// # Errors
    /// The service cannot be reached or is none, or the settings are not what its form asks for.
    pub async fn run(
        self,
        interrupted: impl Future<Output = ()>,
        mut progress: impl FnMut(Progress<'_>),
    ) -> Result<Report, CannotBegin> {
        let client = match self.dialect {
            Some(dialect) => self.client.in_dialect(dialect),
            None => self.client.detect_dialect().await?,
        };
        let form = form_of(&client).await?;
        if self.connection.is_none() {
            check_settings(&form, &self.settings)?;
        }
        let (address, dialect) = (client.address().to_string(), client.dialect().to_string());
        let secrets = secrets_of(&form, &self.settings);
        let subject = Subject::new(client, self.settings, self.read_only, self.connection);
        let mut report = Report {
            address,
            dialect,
            results: Vec::new(),
            left_behind: Vec::new(),
            interrupted: false,
            secrets,
        };
        let rules = rules();
        let count = rules.len();
        let mut interrupted = std::pin::pin!(interrupted);
        for (at, (rule, check)) in rules.into_iter().enumerate() {
            progress(Progress::Looking(&rule, at + 1, count));
            let mut findings = Findings::default();
            let checked = tokio::select! {
                biased;
                () = &mut interrupted => {
                    report.interrupted = true;
                    break;
                }
                checked = check(&subject, &mut findings) => checked,
            };
            let verdict = findings.verdict(checked);
            if matches!(verdict, Verdict::Failed(_)) {
                subject.broken.borrow_mut().push(rule.number);
            }
            progress(Progress::Done(&rule, &verdict));
            report.results.push((rule, verdict));
        }
        progress(Progress::CleaningUp);
        let saved = subject.saved.borrow().clone();
        for guid in saved {
            if !connections::delete_saved(&subject, guid).await {
                report.left_behind.push(format!("the connection {guid}, which could not be deleted"));
            }
        }
        report.left_behind.extend(subject.left_behind.take());
        Ok(report)
    }
}

/// The form of the settings; empty when the service has none to give, which the rules will say.
async fn form_of(client: &Client) -> Result<Vec<Field<'static>>, CannotBegin> {
    let exchange = client.call(None, Request::GetConfigData).await?;
    Ok(match exchange.answer.reply {
        Reply::Result { payload: Payload::Fields(Some(fields)), .. } => fields,
        _ => Vec::new(),
    })
}

/// Says what is missing before anything is tried, as a form does.
fn check_settings(form: &[Field<'_>], given: &[(String, Option<String>)]) -> Result<(), CannotBegin> {
    let key = |field: &Field<'_>| field.field_key.as_deref().unwrap_or_default().to_owned();
    if form.is_empty() {
        return Ok(());
    }
    let known: Vec<String> =
        form.iter().filter(|field| field.field_type != FieldType::Label).map(key).collect();
    if let Some((stranger, _)) = given.iter().find(|(name, _)| !known.contains(name)) {
        let known = known.join(", ");
        return Err(CannotBegin::Settings(format!("the service has no setting {stranger:?}, only {known}")));
    }
    let missing: Vec<String> = form
        .iter()
        .filter(|field| field.access == Access::Mandatory)
        .filter(|field| field.default_value.as_deref().unwrap_or_default().is_empty())
        .map(key)
        .filter(|name| {
            !given.iter().any(|(known, value)| {
                known == name && value.as_deref().is_some_and(|value| !value.is_empty())
            })
        })
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let flags: Vec<String> = missing.iter().map(|name| format!("--set {name}=..")).collect();
    Err(CannotBegin::Settings(format!(
        "the service asks for settings that have no default: give {}",
        flags.join(" ")
    )))
}

/// The values of password settings, as they stand in a message.
fn secrets_of(form: &[Field<'_>], given: &[(String, Option<String>)]) -> Vec<String> {
    let is_secret = |key: &str| {
        form.iter()
            .any(|field| field.field_type == FieldType::Password && field.field_key.as_deref() == Some(key))
    };
    let values = given.iter().filter(|(key, _)| is_secret(key)).filter_map(|(_, value)| value.as_deref());
    let escaped = |value: &str| {
        let mut out = Vec::new();
        contract::xml::escape(&mut out, value);
        format!(">{}<", String::from_utf8_lossy(&out))
    };
    values.filter(|value| !value.is_empty()).map(escaped).collect()
}
