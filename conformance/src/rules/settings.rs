//! Rules of the form of settings, and of trying settings out.

use contract::{Dictionary, Guid, Request};
use plugin_api::{Access, Field, FieldType, Value};

use super::problems::{default_problem, item_problems, key_problems};
use crate::reply::{Reply, text};

use crate::rule::{Findings, Stop};
use crate::subject::Subject;

pub(super) async fn form(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    let reply = subject.ok_of(Guid::ZERO, Request::GetConfigData).await?;
    findings.expect(reply.fields().is_some(), &reply.shown_by, || {
        "FieldMetaDataObjects is null, expected the fields of the form, or an empty array".to_owned()
    });
    if let Some(fields) = reply.fields() {
        let _ = subject.form.set(fields.to_vec());
    }
    Ok(())
}

fn known<'s>(subject: &'s Subject<'_>) -> Result<&'s [Field], Stop> {
    subject.form.get().map(Vec::as_slice).ok_or_else(|| Stop::after(401))
}

pub(super) async fn keys(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    let form = known(subject)?;
    let again = subject.ok_of(Guid::ZERO, Request::GetConfigData).await?;
    findings.expect(again.fields() == Some(form), &again.shown_by, || {
        "the form is another one at the second call".to_owned()
    });
    for problem in key_problems(form) {
        findings.expect(false, &again.shown_by, || format!("the form: {problem}"));
    }
    Ok(())
}

pub(super) async fn defaults(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    findings.needs("no setting has a default");
    let has_default = |field: &&Field| field.default.as_deref().is_some_and(|default| !default.is_empty());
    for field in known(subject)?.iter().filter(has_default) {
        let problem = default_problem(field);
        findings.expect_all(problem.is_none(), || format!("the setting {}", problem.unwrap_or_default()));
    }
    Ok(())
}

pub(super) async fn lists(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    findings.needs("no setting is of type List");
    for field in known(subject)?.iter().filter(|field| field.field_type == FieldType::List) {
        let (key, name) = (&field.key, field.list.as_deref().unwrap_or_default());
        findings
            .expect_all(!name.is_empty(), || format!("the setting {key} is of type List, but names no list"));
        if name.is_empty() {
            continue;
        }
        let called = subject.ok_of(Guid::ZERO, Request::GetList { list_name: text(name) }).await;
        let Some(reply) = findings.take(called) else { continue };
        let items = reply.list().unwrap_or_default();
        findings.expect(!items.is_empty(), &reply.shown_by, || {
            format!("the list {name:?} of the setting {key} is null or empty while a connection is set up")
        });
        let problem = item_problems(items);
        findings.expect(problem.is_none(), &reply.shown_by, || {
            format!("the list {name:?} {}", problem.unwrap_or_default())
        });
        let default = field.default.as_deref().unwrap_or_default();
        findings.expect(
            default.is_empty() || items.iter().any(|item| item.key == default),
            &reply.shown_by,
            || format!("the setting {key} has the default {default:?}, which is not in its list {name:?}"),
        );
    }
    Ok(())
}

/// The settings to use: those that were given, in the wire form of their types, and the form's defaults for the others.
pub(super) fn to_use(subject: &Subject<'_>) -> Vec<(String, Option<String>)> {
    let form = subject.form.get().map(Vec::as_slice).unwrap_or_default();
    let mut settings: Vec<(String, Option<String>)> = Vec::new();
    for (key, value) in &subject.given {
        let field = form.iter().find(|field| field.key == *key);
        let typed = value.as_deref().map(|value| match field {
            Some(field) => wire_form(value, field.field_type),
            None => value.to_owned(),
        });
        settings.push((key.clone(), typed));
    }
    for field in form.iter().filter(|field| field.field_type != FieldType::Label) {
        if !settings.iter().any(|(known, _)| *known == field.key) {
            settings.push((field.key.clone(), Some(field.default.clone().unwrap_or_default())));
        }
    }
    settings
}

/// `8080` as `[I:8080]` for a whole number, as SuperOffice would send it.
fn wire_form(value: &str, field_type: FieldType) -> String {
    match Value::parse(value, field_type) {
        Ok(typed) => typed.to_wire().unwrap_or_default().into_owned(),
        Err(_) => value.to_owned(),
    }
}

pub(super) fn info(settings: &[(String, Option<String>)]) -> Option<Dictionary<'_>> {
    Some(settings.iter().map(|(key, value)| (key.as_str(), value.as_deref())).collect())
}

pub(super) async fn test(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    if subject.existing.is_some() {
        return Err(Stop::skip("an existing connection is used, so no settings were given"));
    }
    known(subject)?;
    let reply = tested(subject).await?;
    findings.expect(!reply.is_error(), &reply.shown_by, || {
        format!("the settings do not pass the test: {}", reply.explanation())
    });
    Ok(())
}

/// Tests the given settings, once.
pub(crate) async fn tested(subject: &Subject<'_>) -> Result<Reply, Stop> {
    if let Some(known) = subject.tested.get() {
        return known.clone();
    }
    let settings = to_use(subject);
    let reply = subject.setup(Request::TestConfigData { connection_info: info(&settings) }).await;
    let _ = subject.tested.set(reply.clone());
    reply
}

pub(super) async fn mandatory(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    if subject.existing.is_none() {
        subject.needs(&[405])?;
    }
    findings.needs("no setting is mandatory");
    let settings = to_use(subject);
    for field in known(subject)?.iter().filter(|field| field.access == Access::Mandatory) {
        let key = &field.key;
        let mut without = settings.clone();
        without.iter_mut().filter(|(known, _)| known == key).for_each(|entry| entry.1 = Some(String::new()));
        let request = Request::TestConfigData { connection_info: info(&without) };
        let reply = subject.setup(request).await?;
        findings.expect(reply.is_error(), &reply.shown_by, || {
            format!("the test passes with the mandatory setting {key} left empty, expected State=Error")
        });
    }
    Ok(())
}

pub(super) async fn nothing(subject: &Subject<'_>, findings: &mut Findings) -> Result<(), Stop> {
    for (what, info) in [("null", None), ("empty", Some(Dictionary::default()))] {
        let called = subject.setup(Request::TestConfigData { connection_info: info }).await;
        if let Err(Stop::Failed(finding)) = called {
            findings.add(format!("{what} settings: {}", finding.text), finding.shown_by);
        } else {
            findings.expect_all(true, String::new);
        }
    }
    Ok(())
}
