//! Replies and actors as JSON, with the member names of the contract.

use std::borrow::Cow;

use contract::{Actor, Dictionary, Field, Payload, Reply};
use serde_json::{Map, Value as Json, json};

/// JSON that is no actor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JsonError(String);

/// A reply as JSON.
pub fn reply_to_json(reply: &Reply<'_>) -> Json {
    let (outcome, payload) = match reply {
        Reply::Authentication(reply) => {
            return json!({
                "Reason": reply.reason,
                "SignedApplicationToken": reply.signed_application_token.as_ref().map(|token| &token.0),
                "Succeeded": reply.succeeded,
            });
        }
        Reply::Result { outcome, payload } => (outcome, payload),
    };
    let mut members = Map::new();
    members.insert("State".to_owned(), json!(outcome.state.as_str()));
    members.insert("IsOk".to_owned(), json!(outcome.state.is_ok()));
    members.insert("ErrorCode".to_owned(), json!(outcome.error_code));
    members.insert("UserExplanation".to_owned(), json!(outcome.user_explanation));
    members.insert("TechExplanation".to_owned(), json!(outcome.tech_explanation));
    match payload {
        Payload::None => {}
        Payload::Fields(fields) => {
            let fields = fields.as_ref().map(|fields| fields.iter().map(field_json).collect::<Vec<_>>());
            members.insert("FieldMetaDataObjects".to_owned(), json!(fields));
        }
        Payload::Items(items) => {
            members.insert("Items".to_owned(), json!(items));
        }
        Payload::Actors(actors) => {
            let actors = actors.as_ref().map(|actors| actors.iter().map(actor_json).collect::<Vec<_>>());
            members.insert("Actors".to_owned(), json!(actors));
        }
        Payload::Actor(actor) => {
            members.insert("Actor".to_owned(), json!(actor.as_ref().map(actor_json)));
        }
        Payload::ListItems(items) => {
            members.insert("ListItems".to_owned(), json!(items.as_ref().map(dictionary_json)));
        }
    }
    Json::Object(members)
}

fn actor_json(actor: &Actor<'_>) -> Json {
    json!({
        "ActorType": actor.actor_type,
        "ErpKey": actor.erp_key,
        "FieldValues": actor.field_values.as_ref().map(dictionary_json),
        "LastModified": actor.last_modified,
        "ParentActorType": actor.parent_actor_type,
        "ParentErpKey": actor.parent_erp_key,
    })
}

fn field_json(field: &Field<'_>) -> Json {
    json!({
        "FieldKey": field.field_key,
        "FieldType": field.field_type.as_str(),
        "Access": field.access.as_str(),
        "DisplayName": field.display_name,
        "DisplayDescription": field.display_description,
        "DefaultValue": field.default_value,
        "ListName": field.list_name,
        "MaxLength": field.max_length,
        "Rank": field.rank,
    })
}

fn dictionary_json(dictionary: &Dictionary<'_>) -> Json {
    Json::Object(dictionary.iter().map(|(key, value)| (key.to_owned(), json!(value))).collect())
}

/// Parses actors: one, an array of them, or a whole reply with `Actors` or `Actor`.
///
/// # Errors
/// The JSON is none of these.
pub fn actors_from_json(json: &Json) -> Result<Vec<Actor<'static>>, JsonError> {
    match json {
        Json::Array(all) => all.iter().map(actor_from_json).collect(),
        Json::Object(reply) if reply.contains_key("Actors") => actors_from_json(&reply["Actors"]),
        Json::Object(reply) if reply.contains_key("Actor") => actors_from_json(&reply["Actor"]),
        one => Ok(vec![actor_from_json(one)?]),
    }
}

fn actor_from_json(json: &Json) -> Result<Actor<'static>, JsonError> {
    let members =
        json.as_object().ok_or_else(|| JsonError(format!("expected an object for an actor, not {json}")))?;
    let mut actor = Actor::default();
    for (name, value) in members {
        let text = || match value {
            Json::Null => Ok(None),
            Json::String(text) => Ok(Some(Cow::Owned(text.clone()))),
            other => Err(JsonError(format!("{name}: expected a text or null, not {other}"))),
        };
        match name.as_str() {
            "ActorType" => actor.actor_type = text()?,
            "ErpKey" => actor.erp_key = text()?,
            "LastModified" => actor.last_modified = text()?,
            "ParentActorType" => actor.parent_actor_type = text()?,
            "ParentErpKey" => actor.parent_erp_key = text()?,
            "FieldValues" => actor.field_values = fields_from_json(value)?,
            _ => {
                let known = "ActorType, ErpKey, FieldValues, LastModified, ParentActorType, ParentErpKey";
                return Err(JsonError(format!("an actor has no member {name:?}, expected some of {known}")));
            }
        }
    }
    Ok(actor)
}

fn fields_from_json(json: &Json) -> Result<Option<Dictionary<'static>>, JsonError> {
    if json.is_null() {
        return Ok(None);
    }
    let fields =
        json.as_object().ok_or_else(|| JsonError(format!("FieldValues: expected an object, not {json}")))?;
    let mut entries = Vec::new();
    for (key, value) in fields {
        let value = match value {
            Json::Null => None,
            Json::String(text) => Some(text.clone()),
            other => return Err(JsonError(format!("the field {key}: expected a text or null, not {other}"))),
        };
        entries.push((key.clone(), value));
    }
    Ok(Some(entries.into_iter().collect()))
}
