//! The classes of the contract and their members, from one table: reader, writer and WSDL all follow it.

/// A class of the contract: a request, a reply or a carrier.
#[derive(Debug)]
pub(crate) struct Class {
    pub(crate) name: &'static str,
    /// The class it inherits from, which has no base itself.
    pub(crate) base: Option<&'static Class>,
    /// Its own members, in ordinal order of their names.
    pub(crate) own: &'static [Member],
}

/// What a member holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Boolean,
    Int,
    State,
    Access,
    FieldType,
    Texts,
    Dictionary,
    Actor,
    Actors,
    Fields,
    Restrictions,
}

macro_rules! members {
    ($($name:ident: $kind:ident,)+) => {
        /// A member of any class, by its name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Member { $($name,)+ }

        impl Member {
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Member::$name => stringify!($name),)+ }
            }

            pub(crate) const fn kind(self) -> Kind {
                match self { $(Member::$name => Kind::$kind,)+ }
            }
        }
    };
}

members! {
    Access: Access,
    Actor: Actor,
    ActorType: Text,
    Actors: Actors,
    ConnectionGuid: Text,
    ConnectionInfo: Dictionary,
    DefaultValue: Text,
    DisplayDescription: Text,
    DisplayName: Text,
    ErpKey: Text,
    ErpKeys: Texts,
    ErrorCode: Text,
    FieldKey: Text,
    FieldKeys: Texts,
    FieldMetaDataObjects: Fields,
    FieldType: FieldType,
    FieldValues: Dictionary,
    IsOk: Boolean,
    Items: Texts,
    LastModified: Text,
    ListItemKeys: Texts,
    ListItems: Dictionary,
    ListName: Text,
    MaxLength: Int,
    Operator: Text,
    ParentActorErpKey: Text,
    ParentActorType: Text,
    ParentErpKey: Text,
    Rank: Int,
    Reason: Text,
    Restrictions: Restrictions,
    ScalarValue: Text,
    SearchText: Text,
    SignedApplicationToken: Text,
    SignedToken: Text,
    State: State,
    Succeeded: Boolean,
    TechExplanation: Text,
    UpdatedOnOrAfter: Text,
    UserExplanation: Text,
    Values: Texts,
}

macro_rules! classes {
    ($($id:ident = $name:literal $(: $base:ident)?, [$($member:ident),*];)+) => {
        $(pub(crate) static $id: Class = Class {
            name: $name,
            base: classes!(@base $($base)?),
            own: &[$(Member::$member),*],
        };)+
    };
    (@base) => { None };
    (@base $base:ident) => { Some(&$base) };
}

classes! {
    REQUEST_BASE = "RequestBaseWS", [ConnectionGuid];
    TEST_CONFIG_DATA = "TestConfigDataRequestWS", [ConnectionInfo];
    SAVE_CONNECTION = "SaveConnectionRequestWS": REQUEST_BASE, [ConnectionInfo];
    GET_ACTOR_TYPE_FIELDS = "GetSupportedActorTypeFieldsRequestWS": REQUEST_BASE, [ActorType];
    GET_ACTORS = "GetActorsRequestWS": REQUEST_BASE, [ActorType, ErpKeys, FieldKeys];
    GET_SEARCHABLE_FIELDS = "GetSearchableFieldsRequestWS": REQUEST_BASE, [ActorType];
    SEARCH_ACTORS_ADVANCED = "SearchActorsAdvancedRequestWS": REQUEST_BASE, [ActorType, FieldKeys, Restrictions];
    SEARCH_ACTORS = "SearchActorsRequestWS": REQUEST_BASE, [ActorType, FieldKeys, SearchText];
    SEARCH_ACTOR_BY_PARENT = "SearchActorByParentRequestWS": REQUEST_BASE,
        [ActorType, FieldKeys, ParentActorErpKey, ParentActorType, SearchText];
    CREATE_ACTOR = "CreateActorRequestWS": REQUEST_BASE, [Actor];
    SAVE_ACTORS = "SaveActorsRequestWS": REQUEST_BASE, [Actors];
    GET_LIST = "GetListRequestWS": REQUEST_BASE, [ListName];
    GET_LIST_ITEMS = "GetListItemsRequestWS": REQUEST_BASE, [ListItemKeys, ListName];
    GET_ACTORS_BY_TIMESTAMP = "GetActorsByTimestampRequestWS": REQUEST_BASE, [ActorType, FieldKeys, UpdatedOnOrAfter];
    AUTHENTICATION_REQUEST = "AuthenticationRequest", [SignedToken];

    RESULT = "ConnectorResultBaseWS", [ErrorCode, IsOk, State, TechExplanation, UserExplanation];
    FIELDS_REPLY = "FieldMetadataInfoArrayPluginResponseWS": RESULT, [FieldMetaDataObjects];
    ITEMS_REPLY = "StringArrayPluginResponseWS": RESULT, [Items];
    ACTORS_REPLY = "ActorArrayPluginResponseWS": RESULT, [Actors];
    ACTOR_REPLY = "ActorPluginResponseWS": RESULT, [Actor];
    LIST_ITEMS_REPLY = "ListItemArrayPluginResponseWS": RESULT, [ListItems];
    AUTHENTICATION_RESPONSE = "AuthenticationResponse", [Reason, SignedApplicationToken, Succeeded];

    ACTOR = "ErpActorWS", [ActorType, ErpKey, FieldValues, LastModified, ParentActorType, ParentErpKey];
    FIELD = "FieldMetadataInfoWS",
        [Access, DefaultValue, DisplayDescription, DisplayName, FieldKey, FieldType, ListName, MaxLength, Rank];
    RESTRICTION = "SearchRestrictionInfoWS", [FieldKey, Operator, ScalarValue, Values];
}

impl Class {
    /// The member of this name, inherited or own.
    pub(crate) fn find(&self, name: &str) -> Option<Member> {
        self.inherited().iter().chain(self.own).copied().find(|member| member.name() == name)
    }

    pub(crate) fn inherited(&self) -> &'static [Member] {
        self.base.map_or(&[], |base| base.own)
    }

    /// All members in the order of the wire: inherited ones first, as data contracts have it, or all in ordinal order
    /// of their names, as message contracts have it.
    pub(crate) fn members(&self, inherited_first: bool) -> impl Iterator<Item = Member> + use<> {
        let (mut inherited, mut own) = (self.inherited(), self.own);
        std::iter::from_fn(move || {
            let own_is_next = match (inherited.first(), own.first()) {
                (Some(_), Some(_)) if inherited_first => false,
                (Some(inherited), Some(own)) => own.name() < inherited.name(),
                (inherited, _) => inherited.is_none(),
            };
            let list = if own_is_next { &mut own } else { &mut inherited };
            let (&first, rest) = list.split_first()?;
            *list = rest;
            Some(first)
        })
    }
}
