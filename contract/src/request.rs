//! Requests: the members of each operation.

use std::borrow::Cow;

use crate::carriers::{Actor, Dictionary, Restriction, Text, Texts, Token};
use crate::{Envelope, Operation};

/// A request as it came, or as it is to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Call<'a> {
    /// How it is wrapped; its reply is wrapped in the same way.
    pub envelope: Envelope,
    /// `ConnectionGuid`, as it was written: see [`values::Guid`] for the forms.
    pub connection_guid: Option<Cow<'a, str>>,
    /// The operation and its own members.
    pub request: Request<'a>,
}

impl Call<'_> {
    /// The operation that is called.
    pub fn operation(&self) -> Operation {
        self.request.operation()
    }

    /// The SOAPAction to send the call with.
    pub fn soap_action(&self) -> String {
        self.envelope.action(self.operation())
    }
}

/// The members of a request, by operation. What is absent or `i:nil` is `None`.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "operations are documented at Operation, members bear the contract's names")]
pub enum Request<'a> {
    GetConfigData,
    TestConfigData {
        connection_info: Option<Dictionary<'a>>,
    },
    SaveConnection {
        connection_info: Option<Dictionary<'a>>,
    },
    TestConnection,
    DeleteConnection,
    GetSupportedActorTypes,
    GetSupportedActorTypeFields {
        actor_type: Text<'a>,
    },
    GetActors {
        actor_type: Text<'a>,
        erp_keys: Option<Texts<'a>>,
        field_keys: Option<Texts<'a>>,
    },
    GetSearchableFields {
        actor_type: Text<'a>,
    },
    SearchActorsAdvanced {
        actor_type: Text<'a>,
        restrictions: Option<Vec<Restriction<'a>>>,
        field_keys: Option<Texts<'a>>,
    },
    SearchActors {
        actor_type: Text<'a>,
        search_text: Text<'a>,
        field_keys: Option<Texts<'a>>,
    },
    SearchActorByParent {
        actor_type: Text<'a>,
        search_text: Text<'a>,
        parent_actor_type: Text<'a>,
        parent_actor_erp_key: Text<'a>,
        field_keys: Option<Texts<'a>>,
    },
    CreateActor {
        actor: Option<Actor<'a>>,
    },
    SaveActors {
        actors: Option<Vec<Actor<'a>>>,
    },
    GetList {
        list_name: Text<'a>,
    },
    GetListItems {
        list_name: Text<'a>,
        list_item_keys: Option<Texts<'a>>,
    },
    GetActorsByTimestamp {
        updated_on_or_after: Text<'a>,
        actor_type: Text<'a>,
        field_keys: Option<Texts<'a>>,
    },
    Authenticate {
        signed_token: Option<Token<'a>>,
    },
}

impl Request<'_> {
    /// The operation that this is a request of.
    pub fn operation(&self) -> Operation {
        match self {
            Request::GetConfigData => Operation::GetConfigData,
            Request::TestConfigData { .. } => Operation::TestConfigData,
            Request::SaveConnection { .. } => Operation::SaveConnection,
            Request::TestConnection => Operation::TestConnection,
            Request::DeleteConnection => Operation::DeleteConnection,
            Request::GetSupportedActorTypes => Operation::GetSupportedActorTypes,
            Request::GetSupportedActorTypeFields { .. } => Operation::GetSupportedActorTypeFields,
            Request::GetActors { .. } => Operation::GetActors,
            Request::GetSearchableFields { .. } => Operation::GetSearchableFields,
            Request::SearchActorsAdvanced { .. } => Operation::SearchActorsAdvanced,
            Request::SearchActors { .. } => Operation::SearchActors,
            Request::SearchActorByParent { .. } => Operation::SearchActorByParent,
            Request::CreateActor { .. } => Operation::CreateActor,
            Request::SaveActors { .. } => Operation::SaveActors,
            Request::GetList { .. } => Operation::GetList,
            Request::GetListItems { .. } => Operation::GetListItems,
            Request::GetActorsByTimestamp { .. } => Operation::GetActorsByTimestamp,
            Request::Authenticate { .. } => Operation::Authenticate,
        }
    }
}
