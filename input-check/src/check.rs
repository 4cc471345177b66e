//! The check of the calls of a connection.

use std::borrow::Cow;
use std::collections::BTreeMap;

use plugin_api::{Access, Actor, ActorType, Field, FieldType, Input, Operator, Outcome, Restriction, Value};

use crate::descriptions::{Descriptions, Fields, Lookup, Source};
use crate::refusal::Refusal;

/// Why a call ends before the connector is called for it.
#[derive(Debug)]
pub enum NotPassed {
    /// What was sent does not fit.
    Refused(Refusal),
    /// What the connection describes cannot be read, with this outcome.
    NotDescribed(Outcome),
}

/// The check of the calls of a connection.
pub struct InputCheck<'c> {
    /// `None`: the connector wants everything as it is.
    checked: Option<(&'c Descriptions, &'c dyn Source)>,
}

impl<'c> InputCheck<'c> {
    /// The check of a connection with these descriptions, which are read from the source.
    pub fn new(input: Input, descriptions: &'c Descriptions, source: &'c dyn Source) -> Self {
        InputCheck { checked: (input == Input::Checked).then_some((descriptions, source)) }
    }

    /// A call about an actor type.
    ///
    /// # Errors
    /// It is none of the connection's.
    pub fn actor_type(&self, actor_type: &str) -> Result<(), NotPassed> {
        self.check(|lookup| known(lookup, actor_type).map(drop)).map(drop)
    }

    /// A search for actors of a type. The values are brought into the form of their type.
    ///
    /// # Errors
    /// A restriction does not fit the fields.
    pub fn search(&self, actor_type: &str, restrictions: &mut [Restriction]) -> Result<(), NotPassed> {
        let forms = self.check(|lookup| {
            known(lookup, actor_type)?;
            let of_fields = |one: &&Restriction| {
                one.field != Restriction::PARENT_TYPE && one.field != Restriction::PARENT_KEY
            };
            if !restrictions.iter().any(|one| of_fields(&one)) {
                return Ok(Vec::new());
            }
            let fields = lookup.fields(actor_type)?;
            let form = |restriction: &Restriction| {
                if !of_fields(&restriction) {
                    return Ok(restriction.values.clone());
                }
                let Some(field) = fields.get(&restriction.field) else {
                    return Err(Refusal::unknown_field(&restriction.field, actor_type, &fields).into());
                };
                checked_restriction(lookup, field, actor_type, restriction)
            };
            restrictions.iter().map(form).collect::<Result<Vec<_>, NotPassed>>()
        })?;
        for (restriction, values) in restrictions.iter_mut().zip(forms.into_iter().flatten()) {
            restriction.values = values;
        }
        Ok(())
    }

    /// An actor that is to be created. Its values are brought into the form of their type.
    ///
    /// # Errors
    /// It does not fit the fields, or has no parent where it needs one. Whether the parent exists is left to the connector.
    pub fn create(&self, actor: &mut Actor) -> Result<(), NotPassed> {
        let edits = self.check(|lookup| {
            let actor_type = known(lookup, &actor.actor_type)?;
            match &actor.parent {
                _ if actor_type.parents.is_empty() => {}
                None => return Err(Refusal::without_parent(&actor_type).into()),
                Some(parent) if !actor_type.parents.contains(&parent.actor_type) => {
                    return Err(Refusal::below_another_type(&actor_type, parent).into());
                }
                Some(_) => {}
            }
            let fields = lookup.fields(&actor.actor_type)?;
            let edits = checked_values(
                lookup,
                &fields,
                actor,
                |_, refusal| Err(refusal.into()),
                |field, value| field.access == Access::ReadOnly && !is_empty(value),
            )?;
            let is_missing = |field: &&Field| {
                field.access == Access::Mandatory
                    && field.field_type != FieldType::Label
                    && is_empty(actor.field(&field.key).flatten())
            };
            match fields.iter().find(is_missing) {
                Some(field) => Err(Refusal::missing(field, &actor.actor_type).into()),
                None => Ok(edits),
            }
        })?;
        edits.into_iter().flatten().for_each(|edit| edit.apply(actor));
        Ok(())
    }

    /// Actors that are to be saved, each alone. Their values are brought into the form of their type. Returns those that do not fit
    /// the fields, by their numbers.
    ///
    /// # Errors
    /// The descriptions cannot be read.
    pub fn save(&self, actors: &mut [Actor]) -> Result<BTreeMap<usize, Refusal>, NotPassed> {
        let Some((descriptions, source)) = self.checked else { return Ok(BTreeMap::new()) };
        let lookup = Lookup::new(descriptions, source);
        let mut checked = checked_actors(&lookup, actors)?;
        if !checked.refused.is_empty() && lookup.has_used_older() {
            checked = checked_actors(&lookup.afresh(), actors)?;
        }
        for (number, edit) in checked.edits {
            if let Some(actor) = actors.get_mut(number) {
                edit.apply(actor);
            }
        }
        Ok(checked.refused)
    }

    /// Checks with the descriptions that are there, and once more with fresh ones before anything is refused.
    fn check<T>(&self, check: impl Fn(&Lookup<'_>) -> Result<T, NotPassed>) -> Result<Option<T>, NotPassed> {
        let Some((descriptions, source)) = self.checked else { return Ok(None) };
        let lookup = Lookup::new(descriptions, source);
        match check(&lookup) {
            Err(NotPassed::Refused(_)) if lookup.has_used_older() => check(&lookup.afresh()),
            result => result,
        }
        .map(Some)
    }
}

/// The actor type; fails if it is none of the connection.
fn known(lookup: &Lookup<'_>, actor_type: &str) -> Result<ActorType, NotPassed> {
    let actor_types = lookup.actor_types()?;
    match actor_types.iter().find(|known| known.name == actor_type) {
        Some(known) => Ok(known.clone()),
        None => Err(Refusal::unknown_type(actor_type, &actor_types).into()),
    }
}

/// The values of a restriction, in the form of the field's type.
fn checked_restriction(
    lookup: &Lookup<'_>,
    field: &Field,
    actor_type: &str,
    restriction: &Restriction,
) -> Result<Vec<String>, NotPassed> {
    let operator = restriction.operator;
    if !Restriction::operators(field.field_type).contains(&operator) {
        return Err(Refusal::unsuitable_operator(field, actor_type, restriction).into());
    }
    let expected = match (operator, restriction.values.len()) {
        (Operator::OneOf | Operator::NotOneOf, _) | (Operator::Between, 2) => None,
        (Operator::Between, _) => Some("two values"),
        // None is what is not filled in.
        (_, 0 | 1) => None,
        _ => Some("one value"),
    };
    if let Some(expected) = expected {
        return Err(Refusal::wrong_count(field, actor_type, restriction, expected).into());
    }
    let may_be_empty = is_text(field)
        || field.field_type == FieldType::List
        || matches!(operator, Operator::Equal | Operator::NotEqual);
    let form = |value: &String| -> Result<String, NotPassed> {
        let parsed = Value::parse(value, field.field_type);
        let parsed = parsed.ok().filter(|parsed| may_be_empty || *parsed != Value::Null);
        let Some(parsed) = parsed else {
            return Err(Refusal::of_another_type(field, actor_type, value).into());
        };
        if is_missing_in_list(lookup, field, value)? {
            return Err(Refusal::not_in_list(field, actor_type, value).into());
        }
        Ok(parsed.to_wire().unwrap_or_default().into_owned())
    };
    restriction.values.iter().map(form).collect()
}

/// Whether a value is the key of no item of the field's list. A list that does not exist is a mistake of the connector's, which
/// no caller can correct.
fn is_missing_in_list(lookup: &Lookup<'_>, field: &Field, value: &str) -> Result<bool, NotPassed> {
    match (field.field_type, &field.list) {
        (FieldType::List, Some(name)) if !value.is_empty() => {
            Ok(lookup.list(name)?.is_some_and(|keys| !keys.contains(value)))
        }
        _ => Ok(false),
    }
}

/// What was found out about actors that are to be saved, by their numbers.
#[derive(Default)]
struct CheckedActors {
    edits: Vec<(usize, Edit)>,
    /// The first reason of each.
    refused: BTreeMap<usize, Refusal>,
}

/// Checks actors that are to be saved, each alone.
fn checked_actors(lookup: &Lookup<'_>, actors: &[Actor]) -> Result<CheckedActors, NotPassed> {
    let mut all = CheckedActors::default();
    let mut suspects: BTreeMap<&str, Vec<Suspect<'_>>> = BTreeMap::new();
    for (number, actor) in actors.iter().enumerate() {
        let mut own = Vec::new();
        let suspect = |position, refusal: Refusal| {
            own.push((position, refusal));
            Ok(())
        };
        let is_read_only = |field: &Field, _: Option<&str>| field.access == Access::ReadOnly;
        let edits = known(lookup, &actor.actor_type).and_then(|_| {
            let fields = lookup.fields(&actor.actor_type)?;
            checked_values(lookup, &fields, actor, suspect, is_read_only)
        });
        match edits {
            Ok(edits) => all.edits.extend(edits.into_iter().map(|edit| (number, edit))),
            Err(NotPassed::Refused(refusal)) => {
                all.refused.insert(number, refusal);
                continue;
            }
            Err(not_described) => return Err(not_described),
        }
        let of_type = suspects.entry(&actor.actor_type).or_default();
        of_type.extend(own.into_iter().map(|(position, refusal)| Suspect {
            number,
            actor,
            position,
            refusal,
        }));
    }
    for (actor_type, suspects) in suspects {
        for (number, checked) in unchanged(lookup, actor_type, suspects)? {
            match checked {
                Ok(edit) => all.edits.push((number, edit)),
                Err(refusal) => drop(all.refused.entry(number).or_insert(refusal)),
            }
        }
    }
    Ok(all)
}

/// What is done to a field of an actor before it is passed on.
struct Edit {
    /// Its place among the fields.
    position: usize,
    /// Its value in the form that is passed on.
    value: Option<String>,
    /// Whether it is marked as unchanged.
    is_unchanged: bool,
}

impl Edit {
    fn apply(self, actor: &mut Actor) {
        if let Some((key, value)) = actor.fields.get_mut(self.position) {
            *value = self.value;
            if self.is_unchanged {
                actor.unchanged.push(key.clone());
            }
        }
    }
}

/// Checks the values of an actor, and returns those that have another form. `refuse` decides about a value that does not fit,
/// with its position; `may_not_be_set` about one that nobody may set.
fn checked_values(
    lookup: &Lookup<'_>,
    fields: &Fields,
    actor: &Actor,
    mut refuse: impl FnMut(usize, Refusal) -> Result<(), NotPassed>,
    may_not_be_set: impl Fn(&Field, Option<&str>) -> bool,
) -> Result<Vec<Edit>, NotPassed> {
    let mut edits = Vec::new();
    for (position, (key, value)) in actor.fields.iter().enumerate() {
        let Some(field) = fields.get(key) else {
            return Err(Refusal::unknown_field(key, &actor.actor_type, fields).into());
        };
        if may_not_be_set(field, value.as_deref()) {
            refuse(position, Refusal::read_only(field, &actor.actor_type))?;
            continue;
        }
        let Some(text) = value.as_deref() else { continue };
        let Ok(parsed) = Value::parse(text, field.field_type) else {
            refuse(position, Refusal::of_another_type(field, &actor.actor_type, text))?;
            continue;
        };
        let longest = usize::try_from(field.max_length).unwrap_or_default();
        if longest > 0 && is_text(field) {
            let length = text.chars().count();
            if length > longest {
                refuse(position, Refusal::too_long(field, &actor.actor_type, length))?;
                continue;
            }
        }
        if is_missing_in_list(lookup, field, text)? {
            refuse(position, Refusal::not_in_list(field, &actor.actor_type, text))?;
            continue;
        }
        let form = parsed.to_wire();
        if form.as_deref() != Some(text) {
            edits.push(Edit { position, value: form.map(Cow::into_owned), is_unchanged: false });
        }
    }
    Ok(edits)
}

/// A value that is only passed on if it is the one that the connection answers with.
struct Suspect<'a> {
    /// The number of its actor.
    number: usize,
    actor: &'a Actor,
    /// Its place among the fields.
    position: usize,
    /// Why it is refused otherwise.
    refusal: Refusal,
}

/// A value that was compared with the one that the connection answers with.
type CheckedValue = Result<Edit, Refusal>;

/// Compares values with those that the connection answers with. One that differs is refused.
fn unchanged(
    lookup: &Lookup<'_>,
    actor_type: &str,
    suspects: Vec<Suspect<'_>>,
) -> Result<Vec<(usize, CheckedValue)>, NotPassed> {
    if suspects.is_empty() {
        return Ok(Vec::new());
    }
    let fields = lookup.fields(actor_type)?;
    let mut actor_keys: Vec<_> = suspects.iter().map(|suspect| suspect.actor.key.as_str()).collect();
    actor_keys.dedup();
    let mut field_keys: Vec<_> = suspects.iter().map(|suspect| suspect.field().0).collect();
    field_keys.sort_unstable();
    field_keys.dedup();
    let now = lookup.source().get(actor_type, &actor_keys, &field_keys)?;
    let edit = |suspect: Suspect<'_>| {
        let (key, sent) = suspect.field();
        let own =
            now.iter().find(|actor| actor.key == suspect.actor.key).map(|actor| actor.field(key).flatten());
        let field_type = fields.get(key).map_or(FieldType::Text, |field| field.field_type);
        let checked = match own {
            // The connection's own form of it.
            Some(own) if is_same(sent, own, field_type) => {
                Ok(Edit { position: suspect.position, value: own.map(str::to_owned), is_unchanged: true })
            }
            Some(_) => Err(suspect.refusal),
            None => Err(suspect.refusal.without_actor()),
        };
        (suspect.number, checked)
    };
    Ok(suspects.into_iter().map(edit).collect())
}

impl Suspect<'_> {
    fn field(&self) -> (&str, Option<&str>) {
        self.actor.fields.get(self.position).map_or(("", None), |(key, value)| (key, value.as_deref()))
    }
}

/// Whether a value that was sent back is the same one. It has gone through a system that may have another precision: white space
/// at the ends, the seconds of a date and the last digits of a number do not count. Nothing is the same as an empty text.
fn is_same(sent: Option<&str>, own: Option<&str>, field_type: FieldType) -> bool {
    let text = |text: Option<&str>| text.unwrap_or_default().replace("\r\n", "\n").trim().to_owned();
    match (parsed(sent, field_type), parsed(own, field_type)) {
        (Some(Value::Double(sent)), Some(Value::Double(own))) => {
            (sent - own).abs() <= 1e-9 * sent.abs().max(own.abs())
        }
        (Some(Value::DateTime(sent)), Some(Value::DateTime(own))) => {
            sent.without_seconds() == own.without_seconds()
        }
        (Some(sent @ (Value::Integer(_) | Value::Checkbox(_))), Some(own)) => sent == own,
        _ => text(sent) == text(own),
    }
}

fn parsed(text: Option<&str>, field_type: FieldType) -> Option<Value<'_>> {
    Value::parse(text.unwrap_or_default().trim(), field_type).ok()
}

fn is_text(field: &Field) -> bool {
    matches!(field.field_type, FieldType::Text | FieldType::Password)
}

fn is_empty(value: Option<&str>) -> bool {
    value.is_none_or(|value| value.trim().is_empty())
}

impl From<Refusal> for NotPassed {
    fn from(refusal: Refusal) -> Self {
        NotPassed::Refused(refusal)
    }
}

impl From<Outcome> for NotPassed {
    fn from(outcome: Outcome) -> Self {
        NotPassed::NotDescribed(outcome)
    }
}
