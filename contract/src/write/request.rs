//! Writing requests, for the client side.

use crate::carriers::{Actor, Dictionary, Restriction, Text};
use crate::class::Member;
use crate::profile::Direction;
use crate::profile::plan::{CarrierPlans, Part, Tags};
use crate::{Call, Request};

/// Appends a request, to be sent with the action [`Call::soap_action`].
pub fn write_request(out: &mut Vec<u8>, call: &Call<'_>) {
    let plan = call.envelope.plan(call.operation(), Direction::Request);
    let carriers = call.envelope.profile().carriers();
    for part in &plan.parts {
        match part {
            Part::Bytes(bytes) => out.extend_from_slice(bytes),
            Part::Member(member, tags) => write_member(out, tags, &value(call, *member), carriers),
        }
    }
}

fn write_member(out: &mut Vec<u8>, tags: &Tags, value: &Value<'_, '_>, carriers: &CarrierPlans) {
    match *value {
        Value::Text(value) => tags.text(out, value),
        Value::Texts(value) => tags.nullable(out, value, |out, texts| carriers.texts(out, texts)),
        Value::Dictionary(value) => tags.nullable(out, value, |out, items| carriers.dictionary(out, items)),
        Value::Actor(value) => tags.nullable(out, value, |out, actor| carriers.actor(out, actor)),
        Value::Actors(value) => tags.nullable(out, value, |out, actors| carriers.actors(out, actors)),
        Value::Restrictions(value) => {
            tags.nullable(out, value, |out, restrictions| carriers.restrictions(out, restrictions));
        }
    }
}

/// What a member holds.
enum Value<'c, 'a> {
    Text(Option<&'c str>),
    Texts(Option<&'c [Text<'a>]>),
    Dictionary(Option<&'c Dictionary<'a>>),
    Actor(Option<&'c Actor<'a>>),
    Actors(Option<&'c [Actor<'a>]>),
    Restrictions(Option<&'c [Restriction<'a>]>),
}

fn value<'c, 'a>(call: &'c Call<'a>, member: Member) -> Value<'c, 'a> {
    use Request as R;
    match (member, &call.request) {
        (Member::ConnectionGuid, _) => Value::Text(call.connection_guid.as_deref()),
        (
            Member::ActorType,
            R::GetSupportedActorTypeFields { actor_type }
            | R::GetActors { actor_type, .. }
            | R::GetSearchableFields { actor_type }
            | R::SearchActorsAdvanced { actor_type, .. }
            | R::SearchActors { actor_type, .. }
            | R::SearchActorByParent { actor_type, .. }
            | R::GetActorsByTimestamp { actor_type, .. },
        ) => Value::Text(actor_type.as_deref()),
        (
            Member::FieldKeys,
            R::GetActors { field_keys, .. }
            | R::SearchActorsAdvanced { field_keys, .. }
            | R::SearchActors { field_keys, .. }
            | R::SearchActorByParent { field_keys, .. }
            | R::GetActorsByTimestamp { field_keys, .. },
        ) => Value::Texts(field_keys.as_deref()),
        (
            Member::SearchText,
            R::SearchActors { search_text, .. } | R::SearchActorByParent { search_text, .. },
        ) => Value::Text(search_text.as_deref()),
        (
            Member::ConnectionInfo,
            R::TestConfigData { connection_info } | R::SaveConnection { connection_info },
        ) => Value::Dictionary(connection_info.as_ref()),
        (Member::ListName, R::GetList { list_name } | R::GetListItems { list_name, .. }) => {
            Value::Text(list_name.as_deref())
        }
        (Member::ErpKeys, R::GetActors { erp_keys, .. }) => Value::Texts(erp_keys.as_deref()),
        (Member::ListItemKeys, R::GetListItems { list_item_keys, .. }) => {
            Value::Texts(list_item_keys.as_deref())
        }
        (Member::Restrictions, R::SearchActorsAdvanced { restrictions, .. }) => {
            Value::Restrictions(restrictions.as_deref())
        }
        (Member::ParentActorType, R::SearchActorByParent { parent_actor_type, .. }) => {
            Value::Text(parent_actor_type.as_deref())
        }
        (Member::ParentActorErpKey, R::SearchActorByParent { parent_actor_erp_key, .. }) => {
            Value::Text(parent_actor_erp_key.as_deref())
        }
        (Member::Actor, R::CreateActor { actor }) => Value::Actor(actor.as_ref()),
        (Member::Actors, R::SaveActors { actors }) => Value::Actors(actors.as_deref()),
        (Member::UpdatedOnOrAfter, R::GetActorsByTimestamp { updated_on_or_after, .. }) => {
            Value::Text(updated_on_or_after.as_deref())
        }
        (Member::SignedToken, R::Authenticate { signed_token }) => {
            Value::Text(signed_token.as_ref().map(|token| token.0.as_ref()))
        }
        // A class has no members but those of its request.
        _ => Value::Text(None),
    }
}
