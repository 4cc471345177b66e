//! Rules of the form of settings, and of trying settings out.

use std::collections::HashSet;

use contract::{Access, Dictionary, Field, FieldType, Guid, Operation, Request};
use plugin_api::Value;

use super::rule::{Findings, Stop};
use super::subject::{Subject, owned, text};

pub(super) async fn form(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    let reply = subject.call(None, Request::GetConfigData).await?.well(Operation::GetConfigData)?;
    let fields = reply.fields();
    findings.expect(fields.is_some(), &reply.traffic, || {
        "FieldMetaDataObjects is null, expected the fields of the form, or an empty array".to_owned()
    });
    if let Some(fields) = fields {
        let _ = subject.form.set(fields);
    }
    Ok(())
}

fn known(subject: &Subject) -> Result<&[Field<'static>], Stop> {
    subject.form.get().map(Vec::as_slice).ok_or_else(|| Stop::after(401))
}

pub(super) async fn keys(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    let form = known(subject)?;
    let again = subject.call(None, Request::GetConfigData).await?.well(Operation::GetConfigData)?;
    findings.expect(again.fields().as_deref() == Some(form), &again.traffic, || {
        "the form is another one at the second call".to_owned()
    });
    let mut seen = HashSet::new();
    for field in form {
        let key = owned(&field.field_key);
        findings.expect(!key.is_empty(), &again.traffic, || "a setting has no key".to_owned());
        findings.expect(seen.insert(key.clone()), &again.traffic, || format!("the key {key:?} comes twice"));
    }
    Ok(())
}

pub(super) async fn defaults(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    findings.needs("no setting has a default");
    for field in known(subject)? {
        let (key, default) = (owned(&field.field_key), owned(&field.default_value));
        if default.is_empty() {
            continue;
        }
        let field_type = field.field_type;
        findings.expect_all(field_type != FieldType::Password, || {
            format!("the setting {key} is a password and has a default, which everybody can read")
        });
        findings.expect_all(Value::parse(&default, field_type).is_ok(), || {
            format!("the default {default:?} of {key} is no {field_type}")
        });
        let longest = usize::try_from(field.max_length).unwrap_or(0);
        findings.expect_all(longest == 0 || default.chars().count() <= longest, || {
            format!("the default {default:?} of {key} is longer than {longest} characters")
        });
    }
    Ok(())
}

pub(super) async fn lists(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    findings.needs("no setting is of type List");
    let nobody = Guid::ZERO.to_string();
    for field in known(subject)?.iter().filter(|field| field.field_type == FieldType::List) {
        let (key, name) = (owned(&field.field_key), owned(&field.list_name));
        findings
            .expect_all(!name.is_empty(), || format!("the setting {key} is of type List, but names no list"));
        if !name.is_empty() {
            let request = Request::GetList { list_name: text(&name) };
            let called = subject.call(Some(&nobody), request).await;
            let Some(reply) = findings.take(called.and_then(|reply| reply.well(Operation::GetList))) else {
                continue;
            };
            findings.expect(reply.list().is_some_and(|items| !items.is_empty()), &reply.traffic, || {
                format!(
                    "the list {name:?} of the setting {key} is null or empty while a connection is set up"
                )
            });
        }
    }
    Ok(())
}

/// The settings to use: those that were given, in the wire form of their types, and the form's defaults for the others.
pub(super) fn to_use(subject: &Subject) -> Vec<(String, Option<String>)> {
    let form = subject.form.get().map(Vec::as_slice).unwrap_or_default();
    let mut settings: Vec<(String, Option<String>)> = Vec::new();
    for (key, value) in &subject.given {
        let field = form.iter().find(|field| field.field_key.as_deref() == Some(key));
        let typed = value.as_deref().map(|value| match field {
            Some(field) => wire_form(value, field.field_type),
            None => value.to_owned(),
        });
        settings.push((key.clone(), typed));
    }
    for field in form.iter().filter(|field| field.field_type != FieldType::Label) {
        let key = owned(&field.field_key);
        if !settings.iter().any(|(known, _)| *known == key) {
            settings.push((key, Some(owned(&field.default_value))));
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

pub(super) async fn test(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    if subject.existing.is_some() {
        return Err(Stop::skip("an existing connection is used, so no settings were given"));
    }
    let settings = to_use(subject);
    let request = Request::TestConfigData { connection_info: info(&settings) };
    let reply = subject.call(None, request).await?;
    findings.expect(!reply.is_error(), &reply.traffic, || {
        format!("the settings do not pass the test: {}; set others with --set", reply.said())
    });
    subject.settings_refused.set(reply.is_error());
    Ok(())
}

pub(super) async fn mandatory(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    if subject.existing.is_none() {
        subject.needs(&[405])?;
    }
    findings.needs("no setting is mandatory");
    let settings = to_use(subject);
    for field in known(subject)?.iter().filter(|field| field.access == Access::Mandatory) {
        let key = owned(&field.field_key);
        let mut without = settings.clone();
        without.iter_mut().filter(|(known, _)| *known == key).for_each(|entry| entry.1 = Some(String::new()));
        let request = Request::TestConfigData { connection_info: info(&without) };
        let reply = subject.call(None, request).await?;
        findings.expect(reply.is_error(), &reply.traffic, || {
            format!("the test passes with the mandatory setting {key} left empty, expected State=Error")
        });
    }
    Ok(())
}

pub(super) async fn nothing(subject: &Subject, findings: &mut Findings) -> Result<(), Stop> {
    for (what, info) in [("null", None), ("empty", Some(Dictionary::default()))] {
        let called = subject.call(None, Request::TestConfigData { connection_info: info }).await;
        if let Err(Stop::Failed(finding)) = called {
            findings.add(format!("{what} settings: {}", finding.text), finding.shown_by);
        } else {
            findings.expect_all(true, String::new);
        }
    }
    Ok(())
}
