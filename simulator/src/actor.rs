//! Actors of the ERP system and changes of them, with their form in the contract and their text in the progress output.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use contract::{Actor, Dictionary, Payload};

/// An actor of the ERP system.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ErpActor {
    pub(super) actor_type: String,
    pub(super) key: String,
    pub(super) stamp: Option<String>,
    /// Actor type and key.
    pub(super) parent: Option<(String, String)>,
    pub(super) fields: BTreeMap<String, Option<String>>,
}

/// A change of an actor: the fields and their new values.
#[derive(Debug, Clone)]
pub(super) struct Change {
    /// The key of the actor.
    pub(super) key: String,
    pub(super) fields: BTreeMap<String, Option<String>>,
    /// The former values, where they are known.
    pub(super) before: BTreeMap<String, Option<String>>,
    /// The former stamp, where it is known.
    pub(super) stamp: Option<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = self.fields.iter().map(|(key, value)| {
            let before = self.before.get(key).map(|before| format!("{} -> ", shown(before.as_deref())));
            format!("{key} {}{}", before.unwrap_or_default(), shown(value.as_deref()))
        });
        f.write_str(&fields.collect::<Vec<_>>().join(", "))
    }
}

/// The actors of a reply.
pub(super) fn actors(payload: Payload<'static>) -> Vec<ErpActor> {
    match payload {
        Payload::Actors(actors) => actors.into_iter().flatten().map(actor).collect(),
        Payload::Actor(one) => one.into_iter().map(actor).collect(),
        _ => Vec::new(),
    }
}

fn actor(actor: Actor<'static>) -> ErpActor {
    let text = |text: Option<Cow<'static, str>>| text.map(Cow::into_owned);
    let filled = |given: Option<Cow<'static, str>>| text(given).filter(|text| !text.is_empty());
    ErpActor {
        actor_type: text(actor.actor_type).unwrap_or_default(),
        key: text(actor.erp_key).unwrap_or_default(),
        stamp: filled(actor.last_modified),
        parent: filled(actor.parent_actor_type).zip(filled(actor.parent_erp_key)),
        fields: actor
            .field_values
            .into_iter()
            .flat_map(|fields| fields.entries)
            .map(|(key, value)| (key.into_owned(), text(value)))
            .collect(),
    }
}

/// An actor as the contract has it.
pub(super) fn to_contract(actor: &ErpActor) -> Actor<'_> {
    let (parent_type, parent_key) = match &actor.parent {
        Some((actor_type, key)) => (Some(actor_type.as_str()), Some(key.as_str())),
        None => (None, None),
    };
    Actor {
        actor_type: Some(actor.actor_type.as_str().into()),
        field_values: Some(field_values(&actor.fields)),
        parent_actor_type: parent_type.map(Into::into),
        parent_erp_key: parent_key.map(Into::into),
        ..Actor::default()
    }
}

/// Field values as the contract has them.
pub(super) fn field_values(fields: &BTreeMap<String, Option<String>>) -> Dictionary<'_> {
    fields.iter().map(|(key, value)| (key.as_str(), value.as_deref())).collect()
}

/// A value in the progress output and in anomalies.
pub(super) fn shown(value: Option<&str>) -> String {
    value.map_or_else(|| "null".to_owned(), |value| format!("{value:?}"))
}

/// The first few fields that are not empty.
pub(super) fn shown_fields(fields: &BTreeMap<String, Option<String>>) -> String {
    let filled = fields.iter().filter(|(_, value)| value.as_deref().is_some_and(|value| !value.is_empty()));
    let texts: Vec<String> =
        filled.take(4).map(|(key, value)| format!("{key} = {}", shown(value.as_deref()))).collect();
    texts.join(", ")
}
