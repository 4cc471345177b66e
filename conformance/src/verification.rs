//! Checking a connector service: what `erp-host verify` runs.

use std::rc::Rc;
use std::time::Duration;

use contract::{Access, Field, FieldType, Guid, Payload, Reply, Request};
use erp_host_client::{CallError, CallErrorKind, Client, ProfileChoice};

use crate::clock::{self, Clock};
use crate::engine::{Progress, check_all};
use crate::erp_commands::ErpCommands;
use crate::report::{Contract, Report, Target};
use crate::rules::{delete_saved, is_rule, test_settings};
use crate::soap::{Soap, field};
use crate::subject::{Adapter, Subject, Writes};

/// What to verify, and how.
#[derive(Debug)]
pub struct Verification {
    /// A client of the service, in any profile.
    pub client: Client,
    /// The profile to call it in.
    pub profile: ProfileChoice,
    /// Settings for a connection. What is not given and has a default is filled in, as SuperOffice's form does.
    pub settings: Vec<(String, Option<String>)>,
    /// Whether to leave out creating and saving actors.
    pub read_only: bool,
    /// A stored connection to use instead of making one.
    pub connection: Option<Guid>,
    /// The rules to check, with those that they need; all if there are none.
    pub only: Vec<u16>,
    /// How long a rule may take.
    pub rule_timeout: Duration,
    /// Commands that stop and start the ERP system behind the service.
    pub erp: Option<ErpCommands>,
}

/// A verification that could not begin.
#[derive(Debug, thiserror::Error)]
pub enum CannotBegin {
    /// There is no connector service, or it does not answer.
    #[error("{0}")]
    NoService(#[from] CallError),
    /// The service refuses WSGetConfigData: it does not have the connector that the address names.
    #[error("the service does not show the settings of this connector: {0}")]
    Connector(String),
    /// A rule to check does not exist.
    #[error("there is no rule {0}; docs/verify.md lists them")]
    NoRule(u16),
    /// Settings are missing or unknown.
    #[error("{0}")]
    Settings(String),
    /// The settings do not pass the test of the service. Nothing more was tried with them.
    #[error(
        "the settings do not pass the test (WSTestConfigData): {0}; nothing more was tried with them, as an ERP system may lock \
         its user out"
    )]
    RefusedSettings(String),
    /// The stored connection does not work.
    #[error("the connection {0} does not work (WSTestConnection): {1}")]
    Connection(Guid, String),
}

impl Verification {
    /// How long a rule may take, unless one wants it otherwise.
    pub const RULE_TIMEOUT: Duration = clock::DEFAULT_LIMIT;

    /// Checks every rule. Ends early, but cleans up, when `interrupted` is ready.
    ///
    /// # Errors
    /// The service cannot be reached or is none, or the settings are not what its form asks for.
    pub async fn run(
        self,
        interrupted: impl Future<Output = ()>,
        mut progress: impl FnMut(Progress<'_>),
    ) -> Result<Report, CannotBegin> {
        if let Some(unknown) = self.only.iter().find(|rule| !is_rule(**rule)) {
            return Err(CannotBegin::NoRule(*unknown));
        }
        let (client, source) = self.client.choose_and_try(self.profile).await?;
        let form = form_of(&client).await?;
        let fields = form.as_deref().unwrap_or_default();
        if self.connection.is_none() {
            check_settings(fields, &self.settings)?;
        }
        let target = Target::Service {
            address: client.address().to_string(),
            contract: Contract::new(client.profile(), &source),
        };
        let mut report = Report::new(target);
        report.secrets = secrets_of(fields, &self.settings);
        let writes = if self.read_only {
            Writes::Nothing("nothing may be written: --read-only")
        } else {
            Writes::Everything
        };
        let clock = Rc::new(Clock::default());
        clock.set_limit(self.rule_timeout);
        let adapter = Adapter::Soap(Box::new(Soap::new(client, Rc::clone(&clock))));
        let mut subject = Subject::new(adapter, self.settings, writes);
        subject.existing = self.connection;
        subject.clock = clock;
        subject.erp = match &self.erp {
            Some(erp) => Ok(erp),
            None => Err("no commands were given to stop and start the ERP system: see --erp-stop"),
        };
        if let Some(form) = &form {
            let _ = subject.form.set(form.iter().map(field).collect());
        }
        expect_access(&subject).await?;
        (report.results, report.interrupted) =
            check_all(&subject, &self.only, interrupted, &mut progress).await;
        progress(Progress::CleaningUp);
        subject.clock.start_rule();
        let saved = subject.saved.borrow().clone();
        for guid in saved {
            if !delete_saved(&subject, guid).await {
                report.left_behind.push(format!("the connection {guid}, which could not be deleted"));
            }
        }
        report.left_behind.extend(subject.left_behind.take());
        report.created = subject.created_count.take();
        report.requests = subject.clock.requests();
        Ok(report)
    }
}

/// The form of the settings; `None` when the service has none to give, which breaks a rule.
async fn form_of(client: &Client) -> Result<Option<Vec<Field<'static>>>, CannotBegin> {
    let exchange = match client.call(None, Request::GetConfigData).await {
        Err(error) if matches!(error.kind, CallErrorKind::NoOperation) => return Ok(None),
        result => result?,
    };
    match exchange.answer.reply {
        Reply::Result { outcome, .. } if !outcome.state.is_ok() => {
            let texts = [&outcome.user_explanation, &outcome.tech_explanation, &outcome.error_code];
            let explanation =
                texts.into_iter().find_map(|text| text.as_deref().filter(|text| !text.is_empty()));
            Err(CannotBegin::Connector(
                explanation.unwrap_or("State=Error without an explanation").to_owned(),
            ))
        }
        Reply::Result { payload: Payload::Fields(fields), .. } => Ok(fields),
        _ => Ok(None),
    }
}

/// Tries the settings, or the stored connection, once before anything else. What is no reply breaks the rule that it is for.
async fn expect_access(subject: &Subject<'_>) -> Result<(), CannotBegin> {
    if let Some(guid) = subject.existing {
        return match subject.call(guid, Request::TestConnection).await {
            Ok(reply) if reply.is_error() => Err(CannotBegin::Connection(guid, reply.explanation())),
            _ => Ok(()),
        };
    }
    if subject.form.get().is_none() {
        return Ok(());
    }
    match test_settings(subject).await {
        Ok(reply) if reply.is_error() => Err(CannotBegin::RefusedSettings(reply.explanation())),
        _ => Ok(()),
    }
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
        let is_declared = |field: &Field<'_>| {
            field.field_type == FieldType::Password
                && field.field_key.as_deref().is_some_and(|declared| declared.eq_ignore_ascii_case(key))
        };
        contract::is_secret_name(key) || form.iter().any(is_declared)
    };
    let values = given.iter().filter(|(key, _)| is_secret(key)).filter_map(|(_, value)| value.as_deref());
    let escaped = |value: &str| {
        let mut out = Vec::new();
        contract::xml::escape(&mut out, value);
        format!(">{}<", String::from_utf8_lossy(&out))
    };
    values.filter(|value| !value.is_empty()).map(escaped).collect()
}
