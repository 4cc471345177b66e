//! Rules of actor types and their fields.

use super::report::{Findings, Stop};
use super::subject::{NOBODY, Subject, Type, first};
use crate::testing::collect;
use crate::{Connection, Connector, Error, Field, FieldType, Result, Value, actor_type};

pub(super) fn actor_types<C: Connector>(
    subject: &Subject<'_, C>,
    findings: &mut Findings,
) -> Result<(), Stop> {
    let connection = subject.connection()?;
    subject.types()?;
    let ask = || connection.actor_types().map_err(|error| Stop::call("actor_types", &error));
    let (names, again) = (ask()?, ask()?);
    findings.expect(!names.is_empty(), || "there is no actor type, expected at least one".to_owned());
    findings.expect(names == again, || format!("actor_types gave {names:?} and then {again:?}"));
    for (index, name) in names.iter().enumerate() {
        findings.expect(!names[..index].contains(name), || format!("the actor type {name} comes twice"));
        findings.expect(actor_type::ALL.contains(&name.as_str()), || {
            format!("ERP Sync has no actor type {name:?}, expected one of {}", actor_type::ALL.join(", "))
        });
        let told = C::ACTOR_TYPES.is_empty() || C::ACTOR_TYPES.contains(&name.as_str());
        findings.expect(told, || format!("the actor type {name} is not among Connector::ACTOR_TYPES"));
    }
    Ok(())
}

fn fields(one: &Type) -> Result<&[Field], Stop> {
    one.fields.as_deref().map_err(|_| first(7))
}

pub(super) fn keys<C: Connector>(subject: &Subject<'_, C>, findings: &mut Findings) -> Result<(), Stop> {
    let connection = subject.connection()?;
    let other = subject.connector.connect(subject.settings).map_err(|_| first(4))?;
    for one in subject.types()? {
        let name = &one.name;
        let failed = |error: &Error| Stop::call(&format!("{name}: fields"), error);
        let fields = one.fields.as_deref().map_err(failed)?;
        for problem in key_problems(fields) {
            findings.expect(false, || format!("{name}: {problem}"));
        }
        let again = connection.fields(name).map_err(|error| failed(&error))?;
        findings.expect(fields == again, || format!("{name}: fields gives others at the second call"));
        let elsewhere = other.fields(name).map_err(|error| failed(&error))?;
        let keys = |fields: &[Field]| fields.iter().map(|field| field.key.clone()).collect::<Vec<_>>();
        findings.expect(keys(fields) == keys(&elsewhere), || {
            format!("{name}: a second connection with the same settings has other fields")
        });
    }
    Ok(())
}

pub(super) fn defaults<C: Connector>(subject: &Subject<'_, C>, findings: &mut Findings) -> Result<(), Stop> {
    for one in subject.types()? {
        for field in fields(one)? {
            let problem = default_problem(field);
            findings.expect(problem.is_none(), || {
                format!("{}: the field {}", one.name, problem.unwrap_or_default())
            });
        }
    }
    Ok(())
}

pub(super) fn searchable<C: Connector>(
    subject: &Subject<'_, C>,
    findings: &mut Findings,
) -> Result<(), Stop> {
    for one in subject.types()? {
        let (name, fields) = (&one.name, fields(one)?);
        let keys = one
            .searchable
            .as_ref()
            .map_err(|error| Stop::call(&format!("{name}: searchable_fields"), error))?;
        findings.expect(true, String::new);
        for (index, key) in keys.iter().enumerate() {
            findings.expect(!keys[..index].contains(key), || format!("{name}: {key} is searchable twice"));
            let field = fields.iter().find(|field| field.key == *key);
            findings.expect(field.is_some(), || {
                format!("{name}: {key:?} is searchable, but not among its fields")
            });
            let holds_value =
                field.is_none_or(|field| !matches!(field.field_type, FieldType::Password | FieldType::Label));
            findings.expect(holds_value, || {
                format!("{name}: {key} is searchable, but of a type that cannot be searched")
            });
        }
    }
    Ok(())
}

pub(super) fn unknown_actor_type<C: Connector>(
    subject: &Subject<'_, C>,
    findings: &mut Findings,
) -> Result<(), Stop> {
    let connection = subject.connection()?;
    let mut answered = |method: &str, answered: bool| {
        findings.expect(!answered, || {
            format!(
                "{method} answers for the actor type {NOBODY:?}, expected an error that says what there is"
            )
        });
    };
    answered("fields", connection.fields(NOBODY).is_ok());
    answered("searchable_fields", connection.searchable_fields(NOBODY).is_ok());
    answered("actors", collect(NOBODY, None, |rows| connection.actors(NOBODY, rows)).is_ok());
    answered("get", collect(NOBODY, None, |rows| connection.get(NOBODY, &[NOBODY], rows)).is_ok());
    answered("search", collect(NOBODY, None, |rows| connection.search(NOBODY, &[], rows)).is_ok());
    let found = collect(NOBODY, None, |rows| connection.search_text(NOBODY, NOBODY, None, rows));
    answered("search_text", found.is_ok());
    let found = collect(NOBODY, None, |rows| connection.changed_since(NOBODY, None, rows));
    answered("changed_since", found.is_ok());
    Ok(())
}

/// What is wrong with the keys of fields.
pub(super) fn key_problems(fields: &[Field]) -> Vec<String> {
    let mut problems = Vec::new();
    for (index, field) in fields.iter().enumerate() {
        let key = &field.key;
        if key.trim().is_empty() {
            problems.push(format!("the field at place {} has no key", index + 1));
        } else if fields[..index].iter().any(|before| before.key == *key) {
            problems.push(format!("the key {key:?} comes twice"));
        }
    }
    problems
}

/// What is wrong with the default or the length of a field.
pub(super) fn default_problem(field: &Field) -> Option<String> {
    let (key, longest) = (&field.key, field.max_length);
    if longest < 0 {
        return Some(format!("{key} has the greatest length {longest}, expected 0 or more"));
    }
    let default = field.default.as_deref().filter(|default| !default.is_empty())?;
    if field.field_type == FieldType::Password {
        return Some(format!("{key} is a password with a default, expected none: it would be shown"));
    }
    if let Err(error) = Value::parse(default, field.field_type) {
        return Some(format!("{key} has a wrong default: {error}"));
    }
    let length = default.chars().count();
    let limit = usize::try_from(longest).unwrap_or(0);
    (limit > 0 && length > limit)
        .then(|| format!("{key} has a default of {length} characters, expected at most {limit}"))
}
