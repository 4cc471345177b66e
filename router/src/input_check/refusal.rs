//! Why something that was sent is refused: for the caller with the value, unless it is a secret, and for the log without it.

use contract::Outcome;
use plugin_api::{Actor, ActorType, Field, FieldType, LocalizedText, error_code};
use values::is_secret_name;

use crate::descriptions::Fields;
use erp_host_store::audit::shortened;

/// Why something that was sent is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// For the log: actor type, field and expectation.
    pub(crate) reason: String,
    /// For the caller.
    explanation: String,
    code: &'static str,
}

/// Names that are listed at most.
const MAX_NAMES: usize = 20;

impl Refusal {
    pub(super) fn unknown_type(sent: &str, known: &[ActorType]) -> Self {
        let known = listed(known.iter().map(|actor_type| actor_type.name.as_str()));
        Refusal {
            reason: format!("an unknown actor type, expected one of {known}"),
            explanation: format!("there is no actor type {:?}, expected one of {known}", shortened(sent)),
            code: error_code::INVALID_INPUT,
        }
    }

    pub(super) fn unknown_field(sent: &str, actor_type: &str, fields: &Fields) -> Self {
        let known = listed(fields.iter().map(|field| field.key.as_str()));
        Refusal {
            reason: format!("an unknown field of {actor_type}, expected one of {known}"),
            explanation: format!("{actor_type} has no field {:?}, expected one of {known}", shortened(sent)),
            code: error_code::UNKOWN_FIELDKEY,
        }
    }

    pub(super) fn missing(field: &Field, actor_type: &str) -> Self {
        let name = name(field);
        Refusal {
            reason: format!("the mandatory field {} of {actor_type} is missing or empty", field.key),
            explanation: format!("the field {name} of a new {actor_type} must be filled in"),
            code: error_code::INVALID_INPUT,
        }
    }

    pub(super) fn read_only(field: &Field, actor_type: &str) -> Self {
        let name = name(field);
        Refusal {
            reason: format!("the field {} of {actor_type} is read-only", field.key),
            explanation: format!(
                "the field {name} of {actor_type} is read-only: leave it out, or send it back as it is"
            ),
            code: error_code::INVALID_INPUT,
        }
    }

    pub(super) fn of_another_type(field: &Field, actor_type: &str, sent: &str) -> Self {
        let expected = match field.field_type {
            FieldType::Integer => "a whole number like 123",
            FieldType::Double => "a number like 1.5",
            FieldType::Checkbox => "1 for yes or 0 for no",
            FieldType::Datetime => "a date like 12/31/2013 23:59:59, month first",
            _ => "a text",
        };
        Refusal::unsuitable(field, actor_type, expected, sent, error_code::INVALID_INPUT)
    }

    pub(super) fn not_in_list(field: &Field, actor_type: &str, sent: &str) -> Self {
        let list = field.list.as_deref().unwrap_or_default();
        let expected = format!("the key of an item of the list {list}");
        Refusal::unsuitable(field, actor_type, &expected, sent, error_code::UNKOWN_LISTITEM_ID)
    }

    pub(super) fn too_long(field: &Field, actor_type: &str, length: usize) -> Self {
        let (name, most) = (name(field), field.max_length);
        let expected = format!("takes at most {most} characters, and {length} were sent");
        Refusal {
            reason: format!("the field {} of {actor_type} {expected}", field.key),
            explanation: format!("the field {name} of {actor_type} {expected}"),
            code: error_code::INVALID_INPUT,
        }
    }

    fn unsuitable(field: &Field, actor_type: &str, expected: &str, sent: &str, code: &'static str) -> Self {
        let is_secret = field.field_type == FieldType::Password || is_secret_name(&field.key);
        let sent = if is_secret { String::new() } else { format!(", not {:?}", shortened(sent)) };
        let name = name(field);
        Refusal {
            reason: format!("the field {} of {actor_type} expects {expected}", field.key),
            explanation: format!("the field {name} of {actor_type} expects {expected}{sent}"),
            code,
        }
    }

    /// Names the actor.
    pub(super) fn of_actor(self, actor: &Actor) -> Self {
        let (actor_type, key) = (shortened(&actor.actor_type), shortened(&actor.key));
        Refusal { explanation: format!("{actor_type} {key:?}: {}", self.explanation), ..self }
    }

    /// The connection did not answer with the actor that the value was to be compared with.
    pub(super) fn without_actor(self) -> Self {
        let more = "the connector has no such actor to compare it with";
        Refusal {
            reason: format!("{}; {more}", self.reason),
            explanation: format!("{}; {more}", self.explanation),
            ..self
        }
    }

    /// The outcome for the caller.
    pub(crate) fn outcome(&self) -> Outcome<'static> {
        Outcome::error(self.explanation.clone())
            .with_error_code(self.code)
            .with_tech_explanation("refused by the host: it does not fit what the connector has described")
    }
}

/// Key and label of a field.
fn name(field: &Field) -> String {
    let label = field.label.as_deref().map(LocalizedText::parse);
    match label.as_ref().map(|label| label.get("US")).filter(|label| !label.is_empty() && *label != field.key)
    {
        Some(label) => format!("{} ({label})", field.key),
        None => field.key.clone(),
    }
}

/// The first few of these names.
fn listed<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let names: Vec<_> = names.collect();
    let first = names.iter().take(MAX_NAMES).copied().collect::<Vec<_>>().join(", ");
    match names.len() {
        0 => "none".to_owned(),
        count if count > MAX_NAMES => format!("{first} and {} more", count - MAX_NAMES),
        _ => first,
    }
}
