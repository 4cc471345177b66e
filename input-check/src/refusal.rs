//! Why something that was sent is refused: for the caller with the value, unless it is a secret, and for the log without it.

use plugin_api::{ActorType, Error, Field, FieldType, LocalizedText, Parent, Restriction, error_code};
use values::is_secret_name;

use crate::descriptions::Fields;

/// Why something that was sent is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// For the log: actor type, field and expectation.
    pub reason: String,
    /// For the caller.
    explanation: String,
    code: &'static str,
}

const TECH: &str = "refused by the host: it does not fit what the connector has described";

/// Names that are listed at most.
const MAX_NAMES: usize = 20;

impl Refusal {
    pub(crate) fn unknown_type(sent: &str, known: &[ActorType]) -> Self {
        let known = listed(known.iter().map(|actor_type| actor_type.name.as_str()));
        Refusal {
            reason: format!("an unknown actor type, expected one of {known}"),
            explanation: format!("there is no actor type {:?}, expected one of {known}", shortened(sent)),
            code: error_code::INVALID_INPUT,
        }
    }

    pub(crate) fn unknown_field(sent: &str, actor_type: &str, fields: &Fields) -> Self {
        let known = listed(fields.iter().map(|field| field.key.as_str()));
        Refusal {
            reason: format!("an unknown field of {actor_type}, expected one of {known}"),
            explanation: format!("{actor_type} has no field {:?}, expected one of {known}", shortened(sent)),
            code: error_code::UNKOWN_FIELDKEY,
        }
    }

    pub(crate) fn missing(field: &Field, actor_type: &str) -> Self {
        let name = name(field);
        Refusal {
            reason: format!("the mandatory field {} of {actor_type} is missing or empty", field.key),
            explanation: format!("the field {name} of a new {actor_type} must be filled in"),
            code: error_code::INVALID_INPUT,
        }
    }

    pub(crate) fn read_only(field: &Field, actor_type: &str) -> Self {
        let name = name(field);
        Refusal {
            reason: format!("the field {} of {actor_type} is read-only", field.key),
            explanation: format!(
                "the field {name} of {actor_type} is read-only: leave it out, or send it back as it is"
            ),
            code: error_code::INVALID_INPUT,
        }
    }

    pub(crate) fn of_another_type(field: &Field, actor_type: &str, sent: &str) -> Self {
        let expected = match field.field_type {
            FieldType::Integer => "a whole number like 123",
            FieldType::Double => "a number like 1.5",
            FieldType::Checkbox => "1 for yes or 0 for no",
            FieldType::Datetime => "a date like 12/31/2013 23:59:59, month first",
            _ => "a text",
        };
        Refusal::unsuitable(field, actor_type, expected, sent, error_code::INVALID_INPUT)
    }

    pub(crate) fn not_in_list(field: &Field, actor_type: &str, sent: &str) -> Self {
        let list = field.list.as_deref().unwrap_or_default();
        let expected = format!("the key of an item of the list {list}");
        Refusal::unsuitable(field, actor_type, &expected, sent, error_code::UNKOWN_LISTITEM_ID)
    }

    pub(crate) fn too_long(field: &Field, actor_type: &str, length: usize) -> Self {
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

    /// The connection did not answer with the actor that the value was to be compared with.
    pub(crate) fn without_actor(self) -> Self {
        let more = "the connector has no such actor to compare it with";
        Refusal {
            reason: format!("{}; {more}", self.reason),
            explanation: format!("{}; {more}", self.explanation),
            ..self
        }
    }

    pub(crate) fn without_parent(actor_type: &ActorType) -> Self {
        let (name, parents) = (&actor_type.name, listed(actor_type.parents.iter().map(String::as_str)));
        Refusal {
            reason: format!("a new {name} without a parent, expected one of the type {parents}"),
            explanation: format!(
                "a new {name} needs a parent: ParentActorType ({parents}) and ParentErpKey are missing"
            ),
            code: error_code::INVALID_INPUT,
        }
    }

    pub(crate) fn below_another_type(actor_type: &ActorType, parent: &Parent) -> Self {
        let (name, parents) = (&actor_type.name, listed(actor_type.parents.iter().map(String::as_str)));
        Refusal {
            reason: format!("a parent of another type for a new {name}, expected one of {parents}"),
            explanation: format!(
                "the parent of a new {name} cannot be of the type {:?}, expected one of {parents}",
                shortened(&parent.actor_type)
            ),
            code: error_code::INVALID_INPUT,
        }
    }

    pub(crate) fn unsuitable_operator(field: &Field, actor_type: &str, restriction: &Restriction) -> Self {
        let field_type = field.field_type;
        let allowed = Restriction::operators(field_type);
        let expected = match allowed {
            [] => format!("of the type {field_type} cannot be searched"),
            allowed => {
                let allowed = listed(allowed.iter().map(|operator| operator.as_str()));
                format!("of the type {field_type} is searched with one of {allowed}")
            }
        };
        let name = name(field);
        Refusal {
            reason: format!("the field {} of {actor_type} {expected}", field.key),
            explanation: format!("the field {name} of {actor_type} {expected}, not {}", restriction.operator),
            code: error_code::INVALID_INPUT,
        }
    }

    pub(crate) fn wrong_count(
        field: &Field,
        actor_type: &str,
        restriction: &Restriction,
        expected: &str,
    ) -> Self {
        let (operator, count) = (restriction.operator, restriction.values.len());
        let expected = format!("is searched with {expected} after {operator}, and {count} were sent");
        let name = name(field);
        Refusal {
            reason: format!("the field {} of {actor_type} {expected}", field.key),
            explanation: format!("the field {name} of {actor_type} {expected}"),
            code: error_code::INVALID_INPUT,
        }
    }

    /// The error for the caller.
    pub fn to_error(&self) -> Error {
        Error::user(self.explanation.clone()).code(self.code).tech(TECH)
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

/// The text, cut at 300 characters.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
