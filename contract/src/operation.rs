//! The operations, from one table (contract page, section 2).

use std::fmt;

use crate::class::{self, Class};

/// What a reply carries besides its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadKind {
    /// Nothing.
    None,
    /// `FieldMetaDataObjects`: descriptions of fields.
    Fields,
    /// `Items`: texts.
    Items,
    /// `Actors`: actors, which [`crate::ReplyWriter`] writes as they arrive.
    Actors,
    /// `Actor`: one actor.
    Actor,
    /// `ListItems`: keys and texts.
    ListItems,
    /// `Reason`, `SignedApplicationToken` and `Succeeded`, instead of a state.
    Authentication,
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $request:expr, $reply:ident, $payload:ident;)+) => {
        /// An operation of the contract.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Operation { $($(#[$doc])* $name,)+ }

        impl Operation {
            /// Every operation, in the order of the contract page and the WSDL.
            pub const ALL: &'static [Operation] = &[$(Operation::$name,)+];

            /// The name on the wire, such as `WSGetActors`.
            pub const fn name(self) -> &'static str {
                match self { $(Operation::$name => $text,)+ }
            }

            /// The operation of this name, spelt exactly so.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Operation::$name),)+ _ => None }
            }

            pub(crate) fn request(self) -> Option<&'static Class> {
                match self { $(Operation::$name => $request,)+ }
            }

            pub(crate) fn reply(self) -> &'static Class {
                match self { $(Operation::$name => &class::$reply,)+ }
            }

            /// What the reply carries.
            pub const fn payload(self) -> PayloadKind {
                match self { $(Operation::$name => PayloadKind::$payload,)+ }
            }
        }
    };
}

operations! {
    /// What settings a connection needs.
    GetConfigData = "WSGetConfigData", None, FIELDS_REPLY, Fields;
    /// Whether a connection could be made with these settings.
    TestConfigData = "WSTestConfigData", Some(&class::TEST_CONFIG_DATA), RESULT, None;
    /// Stores the settings of a connection under its GUID.
    SaveConnection = "WSSaveConnection", Some(&class::SAVE_CONNECTION), RESULT, None;
    /// Whether a stored connection works.
    TestConnection = "WSTestConnection", Some(&class::REQUEST_BASE), RESULT, None;
    /// Forgets a connection.
    DeleteConnection = "WSDeleteConnection", Some(&class::REQUEST_BASE), RESULT, None;
    /// The actor types that a connection has.
    GetSupportedActorTypes = "WSGetSupportedActorTypes", Some(&class::REQUEST_BASE), ITEMS_REPLY, Items;
    /// The fields of an actor type.
    GetSupportedActorTypeFields = "WSGetSupportedActorTypeFields", Some(&class::GET_ACTOR_TYPE_FIELDS), FIELDS_REPLY, Fields;
    /// Actors by their keys.
    GetActors = "WSGetActors", Some(&class::GET_ACTORS), ACTORS_REPLY, Actors;
    /// The keys of the fields that can be searched.
    GetSearchableFields = "WSGetSearchableFields", Some(&class::GET_SEARCHABLE_FIELDS), ITEMS_REPLY, Items;
    /// Actors by restrictions on their fields.
    SearchActorsAdvanced = "WSSearchActorsAdvanced", Some(&class::SEARCH_ACTORS_ADVANCED), ACTORS_REPLY, Actors;
    /// Actors by a text.
    SearchActors = "WSSearchActors", Some(&class::SEARCH_ACTORS), ACTORS_REPLY, Actors;
    /// Actors below a parent, by a text.
    SearchActorByParent = "WSSearchActorByParent", Some(&class::SEARCH_ACTOR_BY_PARENT), ACTORS_REPLY, Actors;
    /// Creates an actor.
    CreateActor = "WSCreateActor", Some(&class::CREATE_ACTOR), ACTOR_REPLY, Actor;
    /// Saves actors.
    SaveActors = "WSSaveActors", Some(&class::SAVE_ACTORS), ACTORS_REPLY, Actors;
    /// All items of a list.
    GetList = "WSGetList", Some(&class::GET_LIST), LIST_ITEMS_REPLY, ListItems;
    /// Items of a list by their keys.
    GetListItems = "WSGetListItems", Some(&class::GET_LIST_ITEMS), LIST_ITEMS_REPLY, ListItems;
    /// Actors that changed since a stamp.
    GetActorsByTimestamp = "WSGetActorsByTimestamp", Some(&class::GET_ACTORS_BY_TIMESTAMP), ACTORS_REPLY, Actors;
    /// Proves to SuperOffice that this is the partner's connector (contract page, section 6).
    Authenticate = "Authenticate", Some(&class::AUTHENTICATION_REQUEST), AUTHENTICATION_RESPONSE, Authentication;
}

impl Operation {
    /// The class of the request, such as `GetActorsRequestWS`; `None` for WSGetConfigData, which has no parameter.
    pub fn request_class(self) -> Option<&'static str> {
        self.request().map(|class| class.name)
    }

    /// The class of the reply, such as `ActorArrayPluginResponseWS`.
    pub fn reply_class(self) -> &'static str {
        self.reply().name
    }

    /// The WCF service contract that the operation belongs to.
    pub const fn interface(self) -> &'static str {
        match self {
            Operation::Authenticate => "IIntegrationServiceConnectorAuth",
            _ => "IErpConnectorWS",
        }
    }

    /// The SOAPAction in a contract of this namespace.
    pub fn action(self, namespace: &str) -> String {
        format!("{namespace}/{}/{}", self.interface(), self.name())
    }

    /// Splits a SOAPAction into the contract's namespace and the operation.
    pub fn from_action(action: &str) -> Option<(&str, Self)> {
        let (rest, name) = action.rsplit_once('/')?;
        let (namespace, interface) = rest.rsplit_once('/')?;
        let operation = Self::from_name(name)?;
        (interface == operation.interface() && !namespace.is_empty()).then_some((namespace, operation))
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
