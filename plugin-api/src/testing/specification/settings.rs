//! Rules of the settings form.

use super::fields::{default_problem, key_problems};
use super::lists::item_problems;
use super::report::{Findings, Stop};
use super::subject::{Subject, first};
use crate::{Access, Connector, Field, FieldType, Settings};

fn form<'s, C: Connector>(subject: &'s Subject<'_, C>) -> Result<&'s [Field], Stop> {
    subject.form.as_deref().map_err(|_| first(1))
}

pub(super) fn keys<C: Connector>(subject: &Subject<'_, C>, findings: &mut Findings) -> Result<(), Stop> {
    let form = subject.form.as_deref().map_err(|error| Stop::call("settings", error))?;
    let again = subject.connector.settings().map_err(|error| Stop::call("settings", &error))?;
    findings.expect(form == again, || "settings gives another form at the second call".to_owned());
    for problem in key_problems(form) {
        findings.expect(false, || format!("the form: {problem}"));
    }
    Ok(())
}

pub(super) fn defaults<C: Connector>(subject: &Subject<'_, C>, findings: &mut Findings) -> Result<(), Stop> {
    findings.needs("the form has no settings");
    for field in form(subject)? {
        let problem = default_problem(field);
        findings.expect(problem.is_none(), || format!("the setting {}", problem.unwrap_or_default()));
    }
    Ok(())
}

pub(super) fn lists<C: Connector>(subject: &Subject<'_, C>, findings: &mut Findings) -> Result<(), Stop> {
    findings.needs("no setting is of type List");
    for field in form(subject)?.iter().filter(|field| field.field_type == FieldType::List) {
        let key = &field.key;
        let Some(name) = field.list.as_deref().filter(|name| !name.is_empty()) else {
            findings.expect(false, || format!("the setting {key} is of type List, but names no list"));
            continue;
        };
        let list =
            subject.connector.list(name).map_err(|error| Stop::call(&format!("list {name:?}"), &error))?;
        let Some(items) = list else {
            findings
                .expect(false, || format!("the setting {key} names the list {name:?}, which is not there"));
            continue;
        };
        let problem = item_problems(&items);
        findings.expect(problem.is_none(), || format!("the list {name:?} {}", problem.unwrap_or_default()));
        if let Some(default) = field.default.as_deref().filter(|default| !default.is_empty()) {
            findings.expect(items.iter().any(|item| item.key == default), || {
                format!("the setting {key} has the default {default:?}, which is not in its list {name:?}")
            });
        }
    }
    Ok(())
}

pub(super) fn open<C: Connector>(subject: &Subject<'_, C>, findings: &mut Findings) -> Result<(), Stop> {
    subject.opened().map_err(|error| Stop::call("connect", error))?;
    let tested = subject.connector.test(subject.settings).map_err(|error| Stop::call("test", &error))?;
    findings.expect(tested.state.is_ok(), || {
        format!("test ended with state Error, expected Ok: {}", tested.user.unwrap_or_default())
    });
    let other = subject.connector.connect(subject.settings);
    other.map(drop).map_err(|error| Stop::call("connect, the second time,", &error))
}

pub(super) fn mandatory<C: Connector>(subject: &Subject<'_, C>, findings: &mut Findings) -> Result<(), Stop> {
    subject.after(&[4])?;
    findings.needs("no setting is mandatory");
    for field in form(subject)?.iter().filter(|field| field.access == Access::Mandatory) {
        let others = subject.settings.iter().filter(|(key, _)| *key != field.key);
        let settings: Settings = others.chain([(field.key.as_str(), Some(""))]).collect();
        let refused = subject.connector.test(&settings).map_or(true, |outcome| !outcome.state.is_ok());
        findings.expect(refused, || {
            format!("test passes with an empty {}, which is mandatory: expected an error", field.key)
        });
    }
    Ok(())
}
