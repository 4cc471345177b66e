//! The members of a request or a reply, as they are found.

use values::State;

use super::error::Refusal;
use super::reader::{Reader, Seen};
use crate::carriers::{Actor, Dictionary, Field, Restriction, Text, Texts, Token};
use crate::class::Member;
use crate::{Authentication, Operation, Outcome, Payload, PayloadKind, Reply, Request};

/// Every member that any request or reply has. What did not come stays null.
#[derive(Default)]
pub(super) struct Members<'a> {
    seen: Seen,
    actor: Option<Actor<'a>>,
    actor_type: Text<'a>,
    actors: Option<Vec<Actor<'a>>>,
    pub(super) connection_guid: Text<'a>,
    /// `ConnectionInfo` or `ListItems`.
    entries: Option<Dictionary<'a>>,
    field_keys: Option<Texts<'a>>,
    fields: Option<Vec<Field<'a>>>,
    is_ok: bool,
    /// `ErpKeys`, `ListItemKeys` or `Items`.
    items: Option<Texts<'a>>,
    list_name: Text<'a>,
    parent_actor_erp_key: Text<'a>,
    parent_actor_type: Text<'a>,
    reason: Text<'a>,
    restrictions: Option<Vec<Restriction<'a>>>,
    search_text: Text<'a>,
    /// `SignedToken` or `SignedApplicationToken`.
    token: Text<'a>,
    state: Option<State>,
    succeeded: bool,
    error_code: Text<'a>,
    tech_explanation: Text<'a>,
    user_explanation: Text<'a>,
    updated_on_or_after: Text<'a>,
}

impl<'a> Members<'a> {
    /// Reads the member that begins here.
    pub(super) fn read(&mut self, member: Member, reader: &mut Reader<'a, '_>) -> Result<(), Refusal> {
        if !self.seen.add(member) {
            return reader.skip();
        }
        let name = member.name();
        match member {
            Member::Actor => self.actor = reader.actor()?,
            Member::ActorType => self.actor_type = reader.text(name)?,
            Member::Actors => self.actors = reader.actors(name)?,
            Member::ConnectionGuid => self.connection_guid = reader.text(name)?,
            Member::ConnectionInfo | Member::ListItems => self.entries = reader.dictionary(name)?,
            Member::ErpKeys | Member::ListItemKeys | Member::Items => self.items = reader.texts(name)?,
            Member::ErrorCode => self.error_code = reader.text(name)?,
            Member::FieldKeys => self.field_keys = reader.texts(name)?,
            Member::FieldMetaDataObjects => self.fields = reader.fields(name)?,
            Member::IsOk => self.is_ok = reader.boolean(name)?,
            Member::ListName => self.list_name = reader.text(name)?,
            Member::ParentActorErpKey => self.parent_actor_erp_key = reader.text(name)?,
            Member::ParentActorType => self.parent_actor_type = reader.text(name)?,
            Member::Reason => self.reason = reader.text(name)?,
            Member::Restrictions => self.restrictions = reader.restrictions(name)?,
            Member::SearchText => self.search_text = reader.text(name)?,
            Member::SignedApplicationToken | Member::SignedToken => self.token = reader.text(name)?,
            Member::State => {
                let expected = || format!("one of {:?}", State::ALL);
                self.state = reader.parsed(name, None, expected, |text| text.parse().ok().map(Some))?;
            }
            Member::Succeeded => self.succeeded = reader.boolean(name)?,
            Member::TechExplanation => self.tech_explanation = reader.text(name)?,
            Member::UpdatedOnOrAfter => self.updated_on_or_after = reader.text(name)?,
            Member::UserExplanation => self.user_explanation = reader.text(name)?,
            // Members of carriers: no request and no reply has them.
            _ => reader.skip()?,
        }
        Ok(())
    }

    /// These members, and of those that did not come the ones that came as SOAP headers.
    pub(super) fn or(self, headers: Members<'a>) -> Self {
        if headers.seen.is_empty() {
            return self;
        }
        let has = |member: Member| self.seen.has(member);
        Members {
            seen: self.seen.or(headers.seen),
            is_ok: if has(Member::IsOk) { self.is_ok } else { headers.is_ok },
            succeeded: if has(Member::Succeeded) { self.succeeded } else { headers.succeeded },
            actor: self.actor.or(headers.actor),
            actor_type: self.actor_type.or(headers.actor_type),
            actors: self.actors.or(headers.actors),
            connection_guid: self.connection_guid.or(headers.connection_guid),
            entries: self.entries.or(headers.entries),
            field_keys: self.field_keys.or(headers.field_keys),
            fields: self.fields.or(headers.fields),
            items: self.items.or(headers.items),
            list_name: self.list_name.or(headers.list_name),
            parent_actor_erp_key: self.parent_actor_erp_key.or(headers.parent_actor_erp_key),
            parent_actor_type: self.parent_actor_type.or(headers.parent_actor_type),
            reason: self.reason.or(headers.reason),
            restrictions: self.restrictions.or(headers.restrictions),
            search_text: self.search_text.or(headers.search_text),
            token: self.token.or(headers.token),
            state: self.state.or(headers.state),
            error_code: self.error_code.or(headers.error_code),
            tech_explanation: self.tech_explanation.or(headers.tech_explanation),
            user_explanation: self.user_explanation.or(headers.user_explanation),
            updated_on_or_after: self.updated_on_or_after.or(headers.updated_on_or_after),
        }
    }

    pub(super) fn into_request(self, operation: Operation) -> Request<'a> {
        let Members { actor_type, field_keys, list_name, search_text, .. } = self;
        match operation {
            Operation::GetConfigData => Request::GetConfigData,
            Operation::TestConfigData => Request::TestConfigData { connection_info: self.entries },
            Operation::SaveConnection => Request::SaveConnection { connection_info: self.entries },
            Operation::TestConnection => Request::TestConnection,
            Operation::DeleteConnection => Request::DeleteConnection,
            Operation::GetSupportedActorTypes => Request::GetSupportedActorTypes,
            Operation::GetSupportedActorTypeFields => Request::GetSupportedActorTypeFields { actor_type },
            Operation::GetActors => Request::GetActors { actor_type, erp_keys: self.items, field_keys },
            Operation::GetSearchableFields => Request::GetSearchableFields { actor_type },
            Operation::SearchActorsAdvanced => {
                Request::SearchActorsAdvanced { actor_type, restrictions: self.restrictions, field_keys }
            }
            Operation::SearchActors => Request::SearchActors { actor_type, search_text, field_keys },
            Operation::SearchActorByParent => Request::SearchActorByParent {
                actor_type,
                search_text,
                parent_actor_type: self.parent_actor_type,
                parent_actor_erp_key: self.parent_actor_erp_key,
                field_keys,
            },
            Operation::CreateActor => Request::CreateActor { actor: self.actor },
            Operation::SaveActors => Request::SaveActors { actors: self.actors },
            Operation::GetList => Request::GetList { list_name },
            Operation::GetListItems => Request::GetListItems { list_name, list_item_keys: self.items },
            Operation::GetActorsByTimestamp => Request::GetActorsByTimestamp {
                updated_on_or_after: self.updated_on_or_after,
                actor_type,
                field_keys,
            },
            Operation::Authenticate => Request::Authenticate { signed_token: self.token.map(Token) },
        }
    }

    pub(super) fn into_reply(self, operation: Operation) -> Reply<'a> {
        let was_false = !self.is_ok && self.seen.has(Member::IsOk);
        let implied = if was_false { State::Error } else { State::Ok };
        let outcome = Outcome {
            state: self.state.unwrap_or(implied),
            user_explanation: self.user_explanation,
            tech_explanation: self.tech_explanation,
            error_code: self.error_code,
        };
        let payload = match operation.payload() {
            PayloadKind::Authentication => {
                return Reply::Authentication(Authentication {
                    reason: self.reason,
                    signed_application_token: self.token.map(Token),
                    succeeded: self.succeeded,
                });
            }
            PayloadKind::None => Payload::None,
            PayloadKind::Fields => Payload::Fields(self.fields),
            PayloadKind::Items => Payload::Items(self.items),
            PayloadKind::Actors => Payload::Actors(self.actors),
            PayloadKind::Actor => Payload::Actor(self.actor),
            PayloadKind::ListItems => Payload::ListItems(self.entries),
        };
        Reply::Result { outcome, payload }
    }
}
