//! Checking a connector service: what `erp-host verify` runs.

use contract::{Access, Field, FieldType, Guid, Payload, Reply, Request};
use erp_host_client::{CallError, CallErrorKind, Client, ProfileChoice};

use crate::engine::{Progress, check_all};
use crate::report::{Contract, Report, Target};
use crate::rules::delete_saved;
use crate::soap::Soap;
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

impl Verification {
    /// Checks every rule. Ends early, but cleans up, when `interrupted` is ready.
    ///
    /// # Errors
    /// The service cannot be reached or is none, or the settings are not what its form asks for.
    pub async fn run(
        self,
        interrupted: impl Future<Output = ()>,
        mut progress: impl FnMut(Progress<'_>),
    ) -> Result<Report, CannotBegin> {
        let (client, source) = self.client.choose_and_try(self.profile).await?;
        let form = form_of(&client).await?;
        if self.connection.is_none() {
            check_settings(&form, &self.settings)?;
        }
        let target = Target::Service {
            address: client.address().to_string(),
            contract: Contract::new(client.profile(), &source),
        };
        let mut report = Report::new(target);
        report.secrets = secrets_of(&form, &self.settings);
        let writes = if self.read_only {
            Writes::Nothing("nothing may be written: --read-only")
        } else {
            Writes::Everything
        };
        let adapter = Adapter::Soap(Box::new(Soap::new(client)));
        let mut subject = Subject::new(adapter, self.settings, writes);
        subject.existing = self.connection;
        (report.results, report.interrupted) = check_all(&subject, interrupted, &mut progress).await;
        progress(Progress::CleaningUp);
        let saved = subject.saved.borrow().clone();
        for guid in saved {
            if !delete_saved(&subject, guid).await {
                report.left_behind.push(format!("the connection {guid}, which could not be deleted"));
            }
        }
        report.left_behind.extend(subject.left_behind.take());
        Ok(report)
    }
}

/// The form of the settings; empty when the service has none to give, which the rules will say.
async fn form_of(client: &Client) -> Result<Vec<Field<'static>>, CannotBegin> {
    let exchange = match client.call(None, Request::GetConfigData).await {
        Err(error) if matches!(error.kind, CallErrorKind::NoOperation) => return Ok(Vec::new()),
        result => result?,
    };
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
