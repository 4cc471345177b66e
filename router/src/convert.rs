//! Converts the contract's types to those of the plugin API and back. Texts are borrowed where both sides allow it.

use std::borrow::Cow;

use contract::{Dictionary, Text, Texts};
use plugin_api::abi::RowRef;
use plugin_api::{
    Actor, ErrorKind, Field, ListItem, Operator, Outcome, Parent, Restriction, Settings, State,
};

/// Settings, with those that are null: null and missing may mean different things to a connector.
pub(super) fn settings(info: Option<&Dictionary<'_>>) -> Settings {
    info.into_iter().flat_map(Dictionary::iter).collect()
}

/// The texts of an array that are not null.
pub(super) fn texts<'c>(texts: Option<&'c Texts<'_>>) -> Vec<&'c str> {
    texts.into_iter().flatten().filter_map(|text| text.as_deref()).collect()
}

/// A text that must not be missing or empty.
pub(super) fn required<'c>(
    text: &'c Text<'_>,
    member: &str,
    example: &str,
) -> Result<&'c str, contract::Outcome<'static>> {
    text.as_deref().filter(|text| !text.is_empty()).ok_or_else(|| {
        contract::Outcome::error(format!("{member} is missing from the request, expected one like {example}"))
    })
}

/// Restrictions. Fails on an unknown operator.
pub(super) fn restrictions(
    restrictions: Option<&Vec<contract::Restriction<'_>>>,
) -> Result<Vec<Restriction>, contract::Outcome<'static>> {
    let restriction = |restriction: &contract::Restriction<'_>| {
        let field = required(&restriction.field_key, "FieldKey of a restriction", "NAME")?;
        let operator: Operator =
            restriction.operator.as_deref().unwrap_or_default().parse().map_err(|error| {
                contract::Outcome::error(format!("the restriction on {field} cannot be used: {error}"))
            })?;
        let values = restriction.effective_values().iter().map(|value| value.as_deref().unwrap_or_default());
        Ok(Restriction::new(field, operator, values))
    };
    restrictions.into_iter().flatten().map(restriction).collect()
}

/// An actor to be created or saved.
pub(super) fn actor(actor: &contract::Actor<'_>) -> Result<Actor, contract::Outcome<'static>> {
    let owned = |text: &Text<'_>| text.as_deref().unwrap_or_default().to_owned();
    let parent = match (owned(&actor.parent_actor_type), owned(&actor.parent_erp_key)) {
        (_, key) if key.is_empty() => None,
        (actor_type, key) => Some(Parent { actor_type, key }),
    };
    let fields = actor.field_values.iter().flat_map(Dictionary::iter);
    Ok(Actor {
        actor_type: required(&actor.actor_type, "ActorType of an actor", "Customer")?.to_owned(),
        key: owned(&actor.erp_key),
        last_modified: actor.last_modified.as_deref().map(str::to_owned),
        parent,
        fields: fields.map(|(key, value)| (key.to_owned(), value.map(str::to_owned))).collect(),
        ..Actor::default()
    })
}

/// The outcome of a call. The technical text of an error begins with its kind, and the kind gives the code that it does not have
/// itself.
pub(super) fn outcome(outcome: &Outcome) -> contract::Outcome<'_> {
    let kind = Some(outcome.kind).filter(|kind| outcome.state == State::Error && *kind != ErrorKind::Failed);
    let tech = outcome.tech.as_deref();
    contract::Outcome {
        state: outcome.state,
        user_explanation: outcome.user.as_deref().map(Cow::Borrowed),
        tech_explanation: match (kind, tech) {
            (Some(kind), Some(tech)) => Some(format!("{kind}: {tech}").into()),
            (Some(kind), None) => Some(kind.as_str().into()),
            (None, tech) => tech.map(Cow::Borrowed),
        },
        error_code: outcome.code.as_deref().or(kind.and_then(ErrorKind::code)).map(Cow::Borrowed),
    }
}

/// The outcome of a change that was given up, for the plugin API.
pub(super) fn unknown_outcome(outcome: &contract::Outcome<'_>) -> Outcome {
    let owned = |text: &Text<'_>| text.as_deref().unwrap_or_default().to_owned();
    let (user, tech) = (owned(&outcome.user_explanation), owned(&outcome.tech_explanation));
    plugin_api::Error::unknown_outcome(user).tech(tech).to_outcome()
}

/// Descriptions of fields. Defaults of what an author has left out: the key as the label, the position as the rank.
pub(super) fn fields(fields: &[Field]) -> Vec<contract::Field<'_>> {
    fields
        .iter()
        .enumerate()
        .map(|(position, source)| contract::Field {
            default_value: source.default.as_deref().map(Cow::Borrowed),
            display_description: source.description.as_deref().map(Cow::Borrowed),
            display_name: Some(Cow::Borrowed(source.label.as_deref().unwrap_or(&source.key))),
            field_key: Some(Cow::Borrowed(&source.key)),
            list_name: source.list.as_deref().map(Cow::Borrowed),
            access: source.access,
            field_type: source.field_type,
            max_length: source.max_length,
            rank: source.rank.unwrap_or_else(|| i32::try_from(position).unwrap_or(i32::MAX)),
        })
        .collect()
}

/// Items of a list.
pub(super) fn list_items(items: &[ListItem]) -> Dictionary<'_> {
    items.iter().map(|item| (item.key.as_str(), Some(item.text.as_str()))).collect()
}

/// The one actor of a reply.
pub(super) fn actor_of(row: &RowRef<'_>) -> contract::Actor<'static> {
    let owned = |text: &str| Some(Cow::Owned(text.to_owned()));
    contract::Actor {
        actor_type: owned(row.actor_type),
        erp_key: owned(row.key),
        field_values: Some(
            row.fields().map(|(key, value)| (key.to_owned(), value.map(str::to_owned))).collect(),
        ),
        last_modified: row.last_modified.and_then(owned),
        parent_actor_type: row.parent.and_then(|(actor_type, _)| owned(actor_type)),
        parent_erp_key: row.parent.and_then(|(_, key)| owned(key)),
    }
}
